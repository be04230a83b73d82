#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/limits.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/http_wire.h"
#include "runtime/call_on.h"
#include "runtime/cores.h"

namespace tradewind::net {
namespace {

using std::chrono::seconds;

// A server on each of three cores, of which the first one listens. They answer with the number of their core.
class HttpServerCoresTest : public testing::Test {
 protected:
  void WithServers(std::function<void()> body) {
    const auto ran = cores_.RunUntilReturned("test", [&] {
      // Who asks for core 2 says so.
      const auto answer = [](const HttpRequest& request) {
        HttpResponse response =
            HttpResponse::Text(200, std::to_string(runtime::CurrentCore().number()) + request.body);
        if (request.target.ends_with("/2")) response.core = 2;
        if (request.target.ends_with("/here")) response.core = runtime::CurrentCore().number();
        return response;
      };
      servers_.push_back(HttpServer::Start(cores_[0], {"127.0.0.1", 0}, answer).value());
      const runtime::Address local = servers_[0]->local();
      for (size_t number = 1; number < cores_.size(); ++number)
        servers_.push_back(runtime::CallOn(
            cores_[number], [&] { return HttpServer::StartBeside(cores_[number], local, answer); }));
      servers_[0]->DealTo({servers_[1].get(), servers_[2].get()});
      for (size_t number = 0; number < cores_.size(); ++number)
        runtime::CallOn(cores_[number], [&] {
          servers_[number]->HandTo({servers_[0].get(), servers_[1].get(), servers_[2].get()});
        });
      body();
      for (size_t number = 0; number < cores_.size(); ++number)
        runtime::CallOn(cores_[number], [&] { servers_[number]->Stop(); });
      for (size_t number = 0; number < cores_.size(); ++number)
        runtime::CallOn(cores_[number], [&] { servers_[number].reset(); });
    });
    EXPECT_TRUE(ran);
  }

  // The core that answers; a client of its own has a connection of its own.
  std::string Ask(HttpClient& client, std::string body = "", const std::string& target = "/") {
    HttpRequest request;
    request.method = "POST";
    request.target = target;
    request.body = std::move(body);
    auto answer = client.Call(servers_[0]->local(), request, cores_[0].Now() + seconds(20));
    return answer ? answer->body : Describe(answer.error());
  }
  std::unique_ptr<HttpClient> NewClient() { return std::make_unique<HttpClient>(cores_[0]); }

  runtime::Cores cores_{3};
  std::vector<std::unique_ptr<HttpServer>> servers_;
};

TEST_F(HttpServerCoresTest, ConnectionsAreDealtToAllCoresAndStayThere) {
  WithServers([&] {
    std::vector<std::unique_ptr<HttpClient>> clients;
    std::map<std::string, int> answers;
    for (int at = 0; at < 6; ++at) {
      clients.push_back(NewClient());
      const std::string core = Ask(*clients.back());
      ++answers[core];
      EXPECT_EQ(Ask(*clients.back()), core);
      EXPECT_EQ(Ask(*clients.back(), std::string(1 << 20, 'x')), core + std::string(1 << 20, 'x'));
    }
    EXPECT_EQ(answers, (std::map<std::string, int>{{"0", 2}, {"1", 2}, {"2", 2}}));
    for (const auto& client : clients) client->Close();
  });
}

TEST_F(HttpServerCoresTest, AConnectionThatKeepsAskingForAnotherCoreGoesThere) {
  WithServers([&] {
    const auto client = NewClient();
    EXPECT_EQ(Ask(*client), "0");
    for (int at = 0; at < limits::kHandOverAfter; ++at) EXPECT_EQ(Ask(*client, "", "/2"), "0");
    for (int at = 0; at < 3; ++at) EXPECT_EQ(Ask(*client, "", "/2"), "2");
    EXPECT_EQ(Ask(*client, std::string(1 << 20, 'x')), "2" + std::string(1 << 20, 'x'));
    client->Close();
  });
}

TEST_F(HttpServerCoresTest, AConnectionThatAsksForSeveralCoresStays) {
  WithServers([&] {
    const auto client = NewClient();
    for (int at = 0; at < 4 * limits::kHandOverAfter; ++at)
      EXPECT_EQ(Ask(*client, "", at % limits::kHandOverAfter == 0 ? "/here" : "/2"), "0");
    client->Close();
  });
}

TEST_F(HttpServerCoresTest, WhatAConnectionHasSentAheadGoesWithIt) {
  WithServers([&] {
    auto connection =
        cores_[0].network().Connect(servers_[0]->local(), cores_[0].Now() + seconds(20)).value();
    const int count = 3 * limits::kHandOverAfter;
    std::string requests;
    for (int at = 0; at < count; ++at) {
      const std::string body(at * 200, 'x');
      requests +=
          "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    runtime::TaskGroup group(cores_[0]);
    group.Spawn("sends", [&] { EXPECT_TRUE(connection->Write(std::as_bytes(std::span(requests)))); });
    MessageReader reader(cores_[0], *connection, MessageReader::Side::kClient);
    for (int at = 0; at < count; ++at) {
      HttpResponse response;
      ASSERT_TRUE(reader.ReadResponse(response, false));
      EXPECT_EQ(response.body, (at < limits::kHandOverAfter ? "0" : "2") + std::string(at * 200, 'x'));
    }
    group.Join();
    connection->Close();
  });
}

TEST_F(HttpServerCoresTest, ACoreThatDrainsKeepsNobodyFromBeingServed) {
  WithServers([&] {
    runtime::CallOn(cores_[2], [&] { EXPECT_TRUE(servers_[2]->Drain(cores_[2].Now() + seconds(10))); });
    const auto client = NewClient();
    for (int at = 0; at < 3 * limits::kHandOverAfter; ++at) EXPECT_EQ(Ask(*client, "", "/2"), "0");
    client->Close();
  });
}

TEST_F(HttpServerCoresTest, ACoreThatDrainsGetsNone) {
  WithServers([&] {
    runtime::CallOn(cores_[1], [&] { EXPECT_TRUE(servers_[1]->Drain(cores_[1].Now() + seconds(10))); });
    std::map<std::string, int> answers;
    for (int at = 0; at < 6; ++at) {
      const auto client = NewClient();
      ++answers[Ask(*client)];
      client->Close();
    }
    EXPECT_EQ(answers.size(), 2u);
    EXPECT_GT(answers["0"], 0);
    EXPECT_GT(answers["2"], 0);
  });
}

TEST_F(HttpServerCoresTest, TheServersStopWhileClientsAreConnected) {
  const auto client = NewClient();
  WithServers([&] {
    Ask(*client);
    client->Close();
    for (int at = 0; at < 3; ++at) {
      auto connection = cores_[0].network().Connect(servers_[0]->local(), cores_[0].Now() + seconds(20));
      EXPECT_TRUE(connection);
    }
  });
}

}  // namespace
}  // namespace tradewind::net
