// What a neighbour feels: point reads, or durable writes, of one tenant over one connection, one after the other,
// for so long; how many, and p50, p99 and the longest in microseconds, as JSON. It does nothing else, so that what
// it measures is the node. For bench/neighbour.py.
//
//   neighbour_probe PORT TENANT SECONDS read|write
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/nearest_rank.h"
#include "runtime/fiber.h"
#include "runtime/network.h"
#include "runtime/real_core.h"

namespace {

using namespace tradewind;

std::string Request(const std::string& tenant, bool writes, unsigned turn) {
  const std::string id = std::to_string(turn * 37 % 10'000 + 1);
  const std::string sql =
      writes ? "UPDATE rows SET body=randomblob(100) WHERE id=" + id : "SELECT body FROM rows WHERE id=?";
  const std::string arguments = writes ? "" : R"(,"args":[{"type":"integer","value":")" + id + "\"}]";
  const std::string body = R"({"requests":[{"type":"execute","stmt":{"sql":")" + sql + "\"" + arguments +
                           R"(}},{"type":"close"}]})";
  return "POST /db/" + tenant +
         "/v2/pipeline HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

class Neighbour {
 public:
  Neighbour(runtime::Core& core, uint16_t port) : core_(core), port_(port) {}

  // Whether there was a good answer.
  bool Ask(const std::string& request) {
    if (!connection_) {
      auto connection = core_.network().Connect({"127.0.0.1", port_}, core_.Now() + std::chrono::seconds(10));
      if (!connection) return false;
      connection_ = std::move(*connection);
    }
    const bool good = connection_->Write(std::as_bytes(std::span(request))) && ReadAnswer();
    if (!good) connection_.reset();
    return good;
  }

 private:
  bool ReadAnswer() {
    answer_.clear();
    size_t whole = 0;
    while (whole == 0 || answer_.size() < whole) {
      std::array<char, 16384> buffer;
      const auto count = connection_->Read(std::as_writable_bytes(std::span(buffer)));
      if (!count || *count == 0) return false;
      answer_.append(buffer.data(), *count);
      const size_t end = answer_.find("\r\n\r\n");
      if (end == std::string::npos || whole > 0) continue;
      const size_t length = answer_.find("Content-Length: ");
      if (length > end) return false;
      whole = end + 4 + std::strtoul(answer_.c_str() + length + 16, nullptr, 10);
    }
    return answer_.find(" 200 ") < 16 && answer_.find("\"type\":\"error\"") == std::string::npos;
  }

  runtime::Core& core_;
  const uint16_t port_;
  std::unique_ptr<runtime::Connection> connection_;
  std::string answer_;
};

void Run(runtime::Core& core, uint16_t port, const std::string& tenant, double seconds, bool writes) {
  const runtime::TimePoint until =
      core.Now() + std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(seconds));
  Neighbour neighbour(core, port);
  std::vector<double> waits;
  unsigned failed = 0;
  for (unsigned turn = 0; core.Now() < until; ++turn) {
    const std::string request = Request(tenant, writes, turn);
    const runtime::TimePoint sent = core.Now();
    if (!neighbour.Ask(request)) ++failed;
    waits.push_back(std::chrono::duration<double, std::micro>(core.Now() - sent).count());
  }
  std::sort(waits.begin(), waits.end());
  const auto at = [&](double share) { return waits.empty() ? 0.0 : NearestRank(waits, share); };
  fmt::print("{{\"count\": {}, \"p50\": {:.1f}, \"p99\": {:.1f}, \"longest\": {:.1f}, \"failed\": {}}}\n",
             waits.size(), at(0.5), at(0.99), at(1), failed);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: neighbour_probe PORT TENANT SECONDS read|write\n");
    return 2;
  }
  const auto core = runtime::RealCore::Create();
  core->RunUntilReturned("neighbour", [&] {
    Run(*core, static_cast<uint16_t>(std::atoi(argv[1])), argv[2], std::atof(argv[3]),
        std::strcmp(argv[4], "write") == 0);
  });
  return 0;
}
