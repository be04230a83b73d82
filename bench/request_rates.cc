// Requests a second of one node: /health, hot point reads (over HTTP, and over a WebSocket a client) and durable writes, side
// by side in one run. Closed loop, with as many clients as are given; the node is another process.
//
//   request_rates URL TENANT [CLIENTS [SECONDS [ROWS [CA_FILE]]]]     the tenant must exist; a table `rates` is made in it;
//                                                                     the CA is for https://
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "cli/tls_files.h"
#include "load/hrana_client.h"
#include "load/samples.h"
#include "net/http_client.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"
#include "socket_client.h"

namespace {

using namespace tradewind;

// Runs `request` from every client until the time is over.
void Measure(runtime::Core& core, const char* name, int clients, int seconds,
             const std::function<bool(int client, int64_t turn)>& request) {
  load::Samples samples;
  uint64_t failed = 0;
  const runtime::TimePoint from = core.Now(), until = from + std::chrono::seconds(seconds);
  runtime::TaskGroup group(core);
  for (int client = 0; client < clients; ++client)
    group.Spawn("client", [&, client] {
      for (int64_t turn = 0; core.Now() < until; ++turn) {
        const runtime::TimePoint sent = core.Now();
        if (!request(client, turn)) ++failed;
        samples.Record(core.Now(), core.Now() - sent);
      }
    });
  group.Join();
  const auto summary = samples.Summarize({{from, core.Now() + std::chrono::seconds(1)}});
  const auto microseconds = [](runtime::Duration d) {
    return std::chrono::duration<double, std::micro>(d).count();
  };
  fmt::print("{:<16} {:8.0f} a second   p50 {:7.0f} us   p99 {:7.0f} us   failed {}\n", name,
             static_cast<double>(summary.count) / seconds, microseconds(summary.p50),
             microseconds(summary.p99), failed);
}

void Run(runtime::Core& core, const std::string& url, const std::string& tenant, int clients, int seconds,
         int64_t rows, const std::string& ca_file) {
  net::HttpClient http(core);
  const auto trust = cli::ReadTrust(ca_file);
  TW_CHECK(trust, "the CA cannot be used");
  http.SetTrust(*trust);
  const auto client = load::HranaClient::Make(core, http, url, tenant);
  TW_CHECK(client, "the URL makes no sense");
  const auto run = [&](const std::string& sql, std::vector<sql::Value> arguments) {
    load::HranaStream stream(*client);
    sql::Statement statement;
    statement.sql = sql;
    statement.arguments = std::move(arguments);
    return stream.Execute({statement}, true).has_value();
  };
  TW_CHECK(run("CREATE TABLE IF NOT EXISTS rates(id INTEGER PRIMARY KEY, body BLOB)", {}),
           "the tenant cannot be used");
  TW_CHECK(run("INSERT OR IGNORE INTO rates WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c "
               "WHERE x<?1) "
               "SELECT x, randomblob(100) FROM c",
               {rows}),
           "the table cannot be filled");
  Measure(core, "/health", clients, seconds, [&](int, int64_t) {
    const auto answer = http.Call(url + "/health", net::HttpRequest{}, core.Now() + std::chrono::seconds(10));
    return answer && answer->status == 200;
  });
  Measure(core, "point read", clients, seconds, [&](int one, int64_t turn) {
    return run("SELECT body FROM rates WHERE id=?1", {int64_t{(turn * 37 + one * 1009) % rows + 1}});
  });
  std::vector<std::unique_ptr<bench::SocketClient>> sockets;
  for (int one = 0; one < clients; ++one) {
    sockets.push_back(bench::SocketClient::Open(core, http, url + "/db/" + tenant));
    TW_CHECK(sockets.back(), "the node takes no WebSocket");
  }
  Measure(core, "WebSocket read", clients, seconds, [&](int one, int64_t turn) {
    return sockets[static_cast<size_t>(one)]->Execute("SELECT body FROM rates WHERE id=?1",
                                                      (turn * 37 + one * 1009) % rows + 1);
  });
  sockets.clear();
  Measure(core, "durable write", clients, seconds, [&](int one, int64_t turn) {
    return run("UPDATE rates SET body=randomblob(100) WHERE id=?1",
               {int64_t{(turn * 37 + one * 1009) % rows + 1}});
  });
  http.Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: request_rates URL TENANT [CLIENTS [SECONDS [ROWS [CA_FILE]]]]\n");
    return 2;
  }
  const int clients = argc > 3 ? std::atoi(argv[3]) : 16;
  const int seconds = argc > 4 ? std::atoi(argv[4]) : 5;
  const int64_t rows = argc > 5 ? std::atoll(argv[5]) : 10'000;
  if (clients < 1 || seconds < 1 || rows < 1) {
    fmt::print(stderr, "request_rates: clients, seconds and rows are numbers from 1 on\n");
    return 2;
  }
  const auto core = runtime::RealCore::Create();
  core->RunUntilReturned(
      "bench", [&] { Run(*core, argv[1], argv[2], clients, seconds, rows, argc > 6 ? argv[6] : ""); });
  return 0;
}
