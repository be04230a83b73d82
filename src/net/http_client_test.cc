#include "net/http_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "net/http_server.h"
#include "runtime/real_core.h"

namespace tradewind::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server that does with each connection, in order, what the test says.
class Client : public testing::Test {
 protected:
  using Behaviour = std::function<void(runtime::Connection&)>;

  void WithPeer(std::vector<Behaviour> behaviours, std::function<void()> body) {
    core_->RunUntilReturned("test", [&] {
      auto listener = core_->network().Listen({"127.0.0.1", 0});
      ASSERT_TRUE(listener) << Describe(listener.error());
      address_ = (*listener)->local();
      runtime::TaskGroup peers(*core_);
      peers.Spawn("accept", [&] {
        for (const Behaviour& behaviour : behaviours) {
          auto connection = (*listener)->Accept();
          if (!connection) return;
          ++accepted_;
          std::shared_ptr<runtime::Connection> shared(std::move(*connection));
          peers.Spawn("peer", [&, shared] { behaviour(*shared); });
        }
      });
      client_ = std::make_unique<HttpClient>(*core_);
      body();
      client_->Close();
      (*listener)->Close();
      peers.Join();
      client_.reset();
    });
  }

  Result<HttpResponse> Call(bool idempotent = false) {
    HttpRequest request;
    request.method = "POST";
    request.target = "/run";
    request.body = "x";
    request.idempotent = idempotent;
    return client_->Call(address_, request, core_->Now() + seconds(20));
  }

  // Reads one request and counts it as run. False at the end of the connection.
  bool ReadRequest(runtime::Connection& connection) {
    std::string text;
    while (!text.ends_with("\r\n\r\nx")) {
      std::byte piece[512];
      auto count = connection.Read(piece);
      if (!count || *count == 0) return false;
      text.append(reinterpret_cast<const char*>(piece), *count);
    }
    ++ran_;
    return true;
  }
  static void Answer(runtime::Connection& connection) {
    std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    (void)connection.Write(std::as_bytes(std::span(text)));
  }
  void WaitUntil(std::function<bool()> condition) {
    while (!condition()) runtime::Yield();
  }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  std::unique_ptr<HttpClient> client_;
  runtime::Address address_;
  int accepted_ = 0;
  int ran_ = 0;
};

TEST_F(Client, ReusesItsConnections) {
  auto serve = [&](runtime::Connection& connection) {
    while (ReadRequest(connection)) Answer(connection);
  };
  WithPeer({serve, serve}, [&] {
    for (int i = 0; i < 5; ++i) {
      auto response = Call();
      ASSERT_TRUE(response) << Describe(response.error());
      EXPECT_EQ(response->body, "ok");
    }
    EXPECT_EQ(accepted_, 1);
    EXPECT_EQ(client_->idle_connections(), 1u);
  });
}

TEST_F(Client, SeesThatAnIdleConnectionWasClosedAndTakesANewOne) {
  auto once = [&](runtime::Connection& connection) {
    if (ReadRequest(connection)) Answer(connection);
    connection.Close();
  };
  WithPeer({once, once}, [&] {
    ASSERT_TRUE(Call());
    WaitUntil([&] { return client_->idle_connections() == 0; });
    auto response = Call();
    ASSERT_TRUE(response) << Describe(response.error());
    EXPECT_EQ(accepted_, 2);
    EXPECT_EQ(ran_, 2);
  });
}

// The second request reaches a server that takes it and closes without a word.
TEST_F(Client, DoesNotRepeatARequestThatMayHaveRun) {
  auto lose_second = [&](runtime::Connection& connection) {
    if (ReadRequest(connection)) Answer(connection);
    ReadRequest(connection);
    connection.Close();
  };
  auto serve = [&](runtime::Connection& connection) {
    while (ReadRequest(connection)) Answer(connection);
  };
  WithPeer({lose_second, serve}, [&] {
    ASSERT_TRUE(Call());
    auto response = Call();
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, "ANSWER_LOST");
    EXPECT_EQ(response.error().kind, ErrorKind::kIo);
    EXPECT_EQ(ran_, 2);
    EXPECT_EQ(accepted_, 1);
  });
}

TEST_F(Client, RepeatsAnIdempotentRequestOnceOnANewConnection) {
  auto lose_second = [&](runtime::Connection& connection) {
    if (ReadRequest(connection)) Answer(connection);
    ReadRequest(connection);
    connection.Close();
  };
  auto lose_first = [&](runtime::Connection& connection) {
    ReadRequest(connection);
    connection.Close();
  };
  WithPeer({lose_second, lose_first, lose_first}, [&] {
    ASSERT_TRUE(Call(true));
    auto response = Call(true);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, "ANSWER_LOST");
    EXPECT_EQ(accepted_, 2);
    EXPECT_EQ(ran_, 3);
  });
}

TEST_F(Client, DoesNotRepeatOnceAnAnswerHasBegun) {
  auto half = [&](runtime::Connection& connection) {
    if (ReadRequest(connection)) Answer(connection);
    ReadRequest(connection);
    std::string_view text = "HTTP/1.1 200 OK\r\nContent-Len";
    (void)connection.Write(std::as_bytes(std::span(text)));
    connection.Close();
  };
  WithPeer({half, half}, [&] {
    ASSERT_TRUE(Call(true));
    auto response = Call(true);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, "ANSWER_LOST");
    EXPECT_EQ(accepted_, 1);
  });
}

TEST_F(Client, SaysThatNobodyListens) {
  WithPeer({}, [&] {
    auto free = core_->network().Listen({"127.0.0.1", 0});
    ASSERT_TRUE(free);
    address_ = (*free)->local();
    (*free)->Close();
    auto response = Call();
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, "NODE_UNREACHABLE");
    EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
  });
}

TEST_F(Client, GivesUpAtTheDeadline) {
  auto silent = [&](runtime::Connection& connection) {
    ReadRequest(connection);
    ReadRequest(connection);  // Until the client closes.
  };
  WithPeer({silent}, [&] {
    HttpRequest request;
    request.method = "POST";
    request.body = "x";
    // Long enough for the request to be on its way, though others have the processor meanwhile.
    auto response = client_->Call(address_, request, core_->Now() + milliseconds(500));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, "ANSWER_LOST");
    EXPECT_EQ(response.error().kind, ErrorKind::kTimeout);
    EXPECT_EQ(client_->idle_connections(), 0u);
  });
}

// The answer of a call has been read when its caller goes, and the call has not gone on yet: its connection, which is closed
// for that, must not be handed to the next one.
TEST_F(Client, KeepsNoConnectionThatItClosedWhileTheAnswerWasThere) {
  auto serve = [&](runtime::Connection& connection) {
    while (ReadRequest(connection)) Answer(connection);
  };
  const auto is_watched = [&] {
    const auto names = core_->fiber_names();
    return std::count(names.begin(), names.end(), "http client watch") > 0;
  };
  WithPeer({serve, serve}, [&] {
    ASSERT_TRUE(Call());
    Caller caller;
    std::optional<Result<HttpResponse>> first, second;
    core_->Spawn("caller", [&] {
      HttpRequest request;
      request.method = "POST";
      request.body = "x";
      request.caller = &caller;
      first = client_->Call(address_, request, core_->Now() + seconds(20));
      second = Call();
    });
    ASSERT_TRUE(is_watched());
    WaitUntil([&] { return !is_watched(); });
    ASSERT_FALSE(first);
    caller.NoteGone();
    WaitUntil([&] { return second.has_value(); });
    EXPECT_TRUE(*first);
    EXPECT_TRUE(*second) << Describe(second->error());
    EXPECT_EQ(accepted_, 2);
    EXPECT_EQ(ran_, 3);
  });
}

TEST_F(Client, SendsNothingOnceTheDeadlineHasPassed) {
  auto serve = [&](runtime::Connection& connection) { ReadRequest(connection); };
  WithPeer({serve}, [&] {
    auto response = client_->Call(address_, {}, core_->Now());
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, "NODE_UNREACHABLE");
    EXPECT_EQ(ran_, 0);
  });
}

TEST_F(Client, EndsCallsInProgressWhenItCloses) {
  auto silent = [&](runtime::Connection& connection) {
    ReadRequest(connection);
    ReadRequest(connection);
  };
  WithPeer({silent}, [&] {
    std::string code;
    core_->Spawn("caller", [&] {
      auto response = Call();
      code = response ? "" : response.error().code;
    });
    WaitUntil([&] { return ran_ == 1; });
    client_->Close();
    EXPECT_EQ(code, "ANSWER_LOST");
    EXPECT_EQ(Call().error().code, "NODE_UNREACHABLE");
  });
}

TEST_F(Client, UpgradesAConnectionAndKeepsTheBytesBehindTheAnswer) {
  core_->RunUntilReturned("test", [&] {
    auto handler = [](const HttpRequest& request) {
      HttpResponse response;
      if (request.path != "/page") return HttpResponse::Error(409, "no such move");
      response.upgrade = Upgrade{"page", [](UpgradedConnection upgraded) {
                                   std::string_view text = "hello";
                                   (void)upgraded.connection->Write(std::as_bytes(std::span(text)));
                                 }};
      return response;
    };
    auto server = HttpServer::Start(*core_, {"127.0.0.1", 0}, handler);
    ASSERT_TRUE(server) << Describe(server.error());
    HttpClient client(*core_);
    std::string base = "http://" + (*server)->local().ToString();
    auto upgraded = client.Upgrade(base + "/page", "page", core_->Now() + seconds(20));
    ASSERT_TRUE(upgraded) << Describe(upgraded.error());
    std::string text = upgraded->already_read;
    std::byte piece[16];
    while (true) {
      auto count = upgraded->connection->Read(piece);
      if (!count || *count == 0) break;
      text.append(reinterpret_cast<const char*>(piece), *count);
    }
    EXPECT_EQ(text, "hello");
    auto refused = client.Upgrade(base + "/other", "page", core_->Now() + seconds(20));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "UPGRADE_REFUSED");
    EXPECT_NE(refused.error().message.find("no such move"), std::string::npos);
    client.Close();
    (*server)->Stop();
  });
}

}  // namespace
}  // namespace tradewind::net
