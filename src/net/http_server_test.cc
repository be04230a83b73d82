#include "net/http_server.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "net/http_client.h"
#include "runtime/real_core.h"

namespace tradewind::net {
namespace {

using std::chrono::seconds;

class Server : public testing::Test {
 protected:
  // Runs `body` as a fiber, with a server on a free port that calls `handler`.
  void WithServer(HttpHandler handler, std::function<void()> body) {
    core_->RunUntilReturned("test", [&] {
      auto server = HttpServer::Start(*core_, {"127.0.0.1", 0}, std::move(handler));
      ASSERT_TRUE(server) << Describe(server.error());
      server_ = std::move(*server);
      client_ = std::make_unique<HttpClient>(*core_);
      body();
      client_->Close();
      server_->Stop();
      server_.reset();
      client_.reset();
    });
  }

  std::unique_ptr<runtime::Connection> Dial() {
    auto connection = core_->network().Connect(server_->local(), Soon());
    MustHold(connection);
    (*connection)->SetReadDeadline(Soon());
    return std::move(*connection);
  }
  static void MustHold(const auto& result) {
    if (!result) throw std::runtime_error(Describe(result.error()));
  }
  static void Send(runtime::Connection& connection, std::string_view text) {
    MustHold(connection.Write(std::as_bytes(std::span(text))));
  }
  // What comes until the peer ends, or until `enough` holds for it.
  static std::string Receive(runtime::Connection& connection,
                             std::function<bool(const std::string&)> enough) {
    std::string text;
    while (!enough(text)) {
      std::byte piece[4096];
      auto count = connection.Read(piece);
      if (!count || *count == 0) break;
      text.append(reinterpret_cast<const char*>(piece), *count);
    }
    return text;
  }
  static std::string ReceiveAll(runtime::Connection& connection) {
    return Receive(connection, [](const std::string&) { return false; });
  }
  runtime::TimePoint Soon() { return core_->Now() + seconds(20); }

  Result<HttpResponse> Post(std::string target, std::string body) {
    HttpRequest request;
    request.method = "POST";
    request.target = std::move(target);
    request.body = std::move(body);
    return client_->Call(server_->local(), request, Soon());
  }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

HttpResponse Echo(const HttpRequest& request) {
  return HttpResponse::Text(200, request.method + " " + request.path + " " + request.body);
}

size_t Count(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(Server, AnswersRequestsOnOneConnection) {
  WithServer(Echo, [&] {
    for (int i = 0; i < 3; ++i) {
      auto response = Post("/a", "b" + std::to_string(i));
      ASSERT_TRUE(response) << Describe(response.error());
      EXPECT_EQ(response->status, 200);
      EXPECT_EQ(response->body, "POST /a b" + std::to_string(i));
      EXPECT_EQ(response->headers.Get("content-type"), "text/plain");
      EXPECT_EQ(client_->idle_connections(), 1u);
    }
  });
}

TEST_F(Server, CarriesLargeBodiesBothWays) {
  WithServer([](const HttpRequest& request) { return HttpResponse::Text(200, request.body); },
             [&] {
               std::string body(5'000'000, 'x');
               for (size_t i = 0; i < body.size(); i += 1000)
                 body[i] = static_cast<char>('a' + i / 1000 % 26);
               auto response = Post("/", body);
               ASSERT_TRUE(response) << Describe(response.error());
               EXPECT_TRUE(response->body == body);
             });
}

TEST_F(Server, AnswersPipelinedRequestsInTheirOrder) {
  WithServer(Echo, [&] {
    auto connection = Dial();
    Send(*connection,
         "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /3 "
         "HTTP/1.1\r\nConnection: "
         "close\r\n\r\n");
    std::string text = ReceiveAll(*connection);
    EXPECT_EQ(Count(text, "200 OK"), 3u) << text;
    EXPECT_LT(text.find("GET /1"), text.find("POST /2 hi"));
    EXPECT_LT(text.find("POST /2 hi"), text.find("GET /3"));
    EXPECT_EQ(Count(text, "Connection: close"), 1u);
  });
}

TEST_F(Server, RunsRequestsOfDifferentConnectionsSideBySide) {
  // Each handler waits until all five are there.
  size_t arrived = 0;
  runtime::WaitQueue all_arrived;
  auto handler = [&](const HttpRequest& request) {
    if (++arrived == 5) all_arrived.NotifyAll();
    bool met = runtime::WaitForUntil(all_arrived, Soon(), [&] { return arrived == 5; });
    return HttpResponse::Text(met ? 200 : 500, request.body);
  };
  WithServer(handler, [&] {
    runtime::TaskGroup callers(*core_);
    size_t answered = 0;
    for (int i = 0; i < 5; ++i) {
      callers.Spawn("caller", [&, i] {
        auto response = Post("/", std::to_string(i));
        if (response && response->status == 200 && response->body == std::to_string(i)) ++answered;
      });
    }
    callers.Join();
    EXPECT_EQ(answered, 5u);
  });
}

TEST_F(Server, RefusesATooLargeBodyWith413) {
  WithServer(Echo, [&] {
    auto connection = Dial();
    Send(*connection, "POST / HTTP/1.1\r\nContent-Length: " + std::to_string(limits::kRequestBodyBytes + 1) +
                          "\r\n\r\nsome of it");
    std::string text = Receive(*connection, [](const std::string& so_far) { return so_far.ends_with("}"); });
    EXPECT_EQ(Count(text, "HTTP/1.1 413 "), 1u) << text;
    EXPECT_EQ(Count(text, "{\"error\":\""), 1u) << text;
    EXPECT_EQ(Count(text, "Connection: close"), 1u) << text;
  });
}

TEST_F(Server, RefusesAMalformedRequestWith400) {
  WithServer(Echo, [&] {
    for (const char* input : {"nonsense\r\n\r\n", "GET /%zz HTTP/1.1\r\nConnection: close\r\n\r\n"}) {
      auto connection = Dial();
      Send(*connection, input);
      std::string text =
          Receive(*connection, [](const std::string& so_far) { return so_far.ends_with("}"); });
      EXPECT_EQ(Count(text, "HTTP/1.1 400 "), 1u) << text;
    }
  });
}

TEST_F(Server, AnswersNothingThatComesBehindWhatMayBeReadInTwoWays) {
  WithServer(Echo, [&] {
    for (const char* fields :
         {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 0\r\n",
          "Transfer-Encoding: xchunked\r\n", "Content-Length : 5\r\n"}) {
      auto connection = Dial();
      Send(*connection, std::string("POST /first HTTP/1.1\r\n") + fields +
                            "\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
      const std::string text = ReceiveAll(*connection);
      EXPECT_EQ(Count(text, "HTTP/1.1 "), 1u) << text;
      EXPECT_EQ(Count(text, "HTTP/1.1 400 "), 1u) << text;
      EXPECT_EQ(Count(text, "smuggled"), 0u) << text;
    }
  });
}

TEST_F(Server, AsksForABodyThatWaitsForIt) {
  WithServer(Echo, [&] {
    auto connection = Dial();
    Send(*connection,
         "POST /x HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    std::string text =
        Receive(*connection, [](const std::string& so_far) { return so_far.ends_with("\r\n\r\n"); });
    EXPECT_EQ(text, "HTTP/1.1 100 Continue\r\n\r\n");
    Send(*connection, "hi");
    EXPECT_EQ(Count(ReceiveAll(*connection), "POST /x hi"), 1u);
  });
}

TEST_F(Server, SendsNoBodyToHead) {
  WithServer(Echo, [&] {
    auto connection = Dial();
    Send(*connection, "HEAD /x HTTP/1.1\r\nConnection: close\r\n\r\n");
    std::string text = ReceiveAll(*connection);
    EXPECT_EQ(Count(text, "Content-Length: 8"), 1u) << text;
    EXPECT_TRUE(text.ends_with("\r\n\r\n")) << text;
  });
}

HttpResponse UpgradeToShout(const HttpRequest&) {
  HttpResponse response;
  response.upgrade = Upgrade{"shout", [](UpgradedConnection upgraded) {
                               std::string text = upgraded.already_read;
                               std::byte piece[64];
                               while (!text.ends_with('.')) {
                                 auto count = upgraded.connection->Read(piece);
                                 if (!count || *count == 0) return;
                                 text.append(reinterpret_cast<const char*>(piece), *count);
                               }
                               for (char& c : text) c = static_cast<char>(std::toupper(c));
                               (void)upgraded.connection->Write(std::as_bytes(std::span(text)));
                             }};
  return response;
}

TEST_F(Server, HandsAConnectionOverWithTheBytesBehindTheRequest) {
  WithServer(UpgradeToShout, [&] {
    auto connection = Dial();
    Send(*connection, "GET /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nearly ");
    std::string head =
        Receive(*connection, [](const std::string& so_far) { return so_far.ends_with("\r\n\r\n"); });
    EXPECT_EQ(head, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n");
    Send(*connection, "late.");
    EXPECT_EQ(ReceiveAll(*connection), "EARLY LATE.");
  });
}

TEST_F(Server, AnswersARequestWithoutTheUpgradeWith426) {
  WithServer(UpgradeToShout, [&] {
    auto response = Post("/x", "");
    ASSERT_TRUE(response) << Describe(response.error());
    EXPECT_EQ(response->status, 426);
  });
}

TEST_F(Server, LetsRequestsInProgressEndWhenItDrains) {
  runtime::Event arrived, finish;
  auto handler = [&](const HttpRequest& request) {
    if (request.path == "/slow") {
      arrived.Set();
      finish.Wait();
    }
    return HttpResponse::Text(200, "done");
  };
  WithServer(handler, [&] {
    ASSERT_TRUE(Post("/quick", ""));
    ASSERT_EQ(client_->idle_connections(), 1u);
    auto idle = Dial();
    auto slow = Dial();
    Send(*slow, "GET /slow HTTP/1.1\r\n\r\n");
    arrived.Wait();
    EXPECT_FALSE(server_->Drain(core_->Now()));                        // One request is in progress.
    EXPECT_EQ(ReceiveAll(*idle), "");                                  // The idle connections are closed,
    EXPECT_FALSE(core_->network().Connect(server_->local(), Soon()));  // and no new ones taken.
    finish.Set();
    std::string text = ReceiveAll(*slow);
    EXPECT_EQ(Count(text, "200 OK"), 1u);
    EXPECT_EQ(Count(text, "Connection: close"), 1u);
    EXPECT_TRUE(server_->Drain(Soon()));
  });
}

TEST_F(Server, StopsUpgradedConnectionsToo) {
  runtime::Event upgraded;
  bool lost = false;
  auto handler = [&](const HttpRequest&) {
    HttpResponse response;
    response.upgrade = Upgrade{"wait", [&](UpgradedConnection waiting) {
                                 upgraded.Set();
                                 std::byte piece[8];
                                 lost = !waiting.connection->Read(piece);
                               }};
    return response;
  };
  WithServer(handler, [&] {
    auto connection = Dial();
    Send(*connection, "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: wait\r\n\r\n");
    upgraded.Wait();
    EXPECT_TRUE(server_->Drain(Soon()));  // It does not wait for them,
    EXPECT_FALSE(lost);
    server_->Stop();  // but this ends them.
    EXPECT_TRUE(lost);
  });
}

TEST_F(Server, RefusesABodyThatThereIsNoMemoryForAndServesOthers) {
  WithServer(Echo, [&] {
    const uint64_t bound = Memory().bound();
    Memory().SetBound(Memory().used() + (4 << 20));
    auto connection = Dial();
    const std::string body(8 << 20, 'x');
    runtime::TaskGroup group(*core_);
    group.Spawn("sender", [&] {
      const std::string text =
          "POST / HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      (void)connection->Write(std::as_bytes(std::span(text)));
    });
    const std::string text =
        Receive(*connection, [](const std::string& so_far) { return so_far.ends_with("}"); });
    EXPECT_EQ(Count(text, "HTTP/1.1 503 "), 1u) << text;
    EXPECT_EQ(Count(text, "SERVER_MEMORY"), 1u) << text;
    EXPECT_TRUE(Post("/", "small"));
    group.Join();
    Memory().SetBound(bound);
  });
}

// A handler that runs until its client has gone, or the test says so.
struct Waiting {
  runtime::WaitQueue changed;
  size_t running = 0;
  size_t told = 0;  // Handlers whose client has gone.
  bool finish = false;

  HttpResponse operator()(const HttpRequest& request) {
    if (request.path == "/quick") return HttpResponse::Text(200, "quick");
    ++running;
    changed.NotifyAll();
    bool gone = false;
    {
      const Caller::Watch watch(request.caller, [&] {
        gone = true;
        changed.NotifyAll();
      });
      runtime::WaitFor(changed, [&] { return gone || finish; });
    }
    told += gone ? 1 : 0;
    --running;
    changed.NotifyAll();
    HttpResponse response = HttpResponse::Text(200, "done");
    response.undelivered = [this] { told += 100; };
    return response;
  }
};

TEST_F(Server, TellsAHandlerThatItsClientHasGoneHoweverItWent) {
  Waiting waiting;
  WithServer(std::ref(waiting), [&] {
    const std::string_view slow = "GET /slow HTTP/1.1\r\n\r\n";
    const std::string requests[] = {
        std::string(slow),
        "GET /slow HTTP/1.0\r\n\r\n",
        std::string(slow) + "GET /never HTTP/1.1\r\n\r\n",  // What waits behind it hides no end.
        "GET /quick HTTP/1.1\r\n\r\n" + std::string(slow),  // Its answer is not read: a reset.
        std::string(slow) + "half a requ",
    };
    for (const std::string& request : requests) {
      auto client = Dial();
      Send(*client, request);
      runtime::WaitFor(waiting.changed, [&] { return waiting.running == 1; });
      const size_t told = waiting.told;
      const runtime::TimePoint began = core_->Now();
      client->Close();
      ASSERT_TRUE(runtime::WaitForUntil(waiting.changed, Soon(), [&] { return waiting.running == 0; }))
          << request;
      EXPECT_LT(core_->Now() - began, seconds(10));
      while (waiting.told == told + 1) runtime::Yield();
      EXPECT_EQ(waiting.told, told + 101) << request;  // And it knows that the answer was not delivered.
    }
  });
}

TEST_F(Server, AnswersAClientThatHasEndedItsSideAndReads) {
  Waiting waiting;
  WithServer(std::ref(waiting), [&] {
    for (const char* version : {"1.1", "1.0"}) {
      waiting.finish = false;
      auto client = Dial();
      Send(*client, std::string("GET /slow HTTP/") + version + "\r\n\r\n");
      client->EndOutput();
      // The first bytes of the answer come while the handler runs.
      std::string text = Receive(*client, [](const std::string& so_far) { return so_far.size() >= 7; });
      EXPECT_EQ(waiting.running, 1u);
      EXPECT_EQ(text, "HTTP/1.");
      runtime::SleepFor(3 * limits::kCallerLook);
      EXPECT_EQ(waiting.told, 0u);
      waiting.finish = true;
      waiting.changed.NotifyAll();
      text += ReceiveAll(*client);
      EXPECT_TRUE(text.starts_with(std::string("HTTP/") + version + " 200 OK\r\n")) << text;
      EXPECT_TRUE(text.ends_with("done")) << text;
      EXPECT_EQ(waiting.told, 0u);
    }
  });
}

HttpResponse InPieces(std::function<bool(BodyWriter&)> pieces) {
  HttpResponse response;
  response.pieces = std::move(pieces);
  return response;
}

TEST_F(Server, KeepsNoConnectionWhoseAnswerHadBegunWhenItWasToldToDrain) {
  runtime::Event begun, finish;
  const auto handler = [&](const HttpRequest&) {
    return InPieces([&](BodyWriter& body) {
      const bool first = body.Write("one ").has_value();
      begun.Set();
      finish.Wait();
      return first && body.Write("two");
    });
  };
  WithServer(handler, [&] {
    auto client = Dial();
    Send(*client, "GET / HTTP/1.1\r\n\r\n");
    begun.Wait();
    EXPECT_FALSE(server_->Drain(core_->Now()));
    finish.Set();
    // Whether the client goes or not.
    EXPECT_TRUE(server_->Drain(Soon()));
    const std::string text = ReceiveAll(*client);
    EXPECT_EQ(Count(text, "one "), 1u);
    EXPECT_EQ(Count(text, "two"), 1u);
  });
}

TEST_F(Server, WritesABodyPieceByPieceAndKeepsTheConnection) {
  const auto handler = [](const HttpRequest&) {
    return InPieces(
        [](BodyWriter& body) { return body.Write("one ") && body.Write("") && body.Write("two"); });
  };
  WithServer(handler, [&] {
    for (int i = 0; i < 2; ++i) {
      auto response = Post("/", "");
      ASSERT_TRUE(response) << Describe(response.error());
      EXPECT_EQ(response->body, "one two");
    }
    EXPECT_EQ(client_->idle_connections(), 1u);
    auto old = Dial();
    Send(*old, "POST / HTTP/1.0\r\n\r\n");
    const std::string answer = ReceiveAll(*old);
    EXPECT_TRUE(answer.ends_with("\r\n\r\none two")) << answer;
  });
}

// Those are not joined with what is around them.
TEST_F(Server, WritesLargePiecesBetweenSmallOnes) {
  const std::string large(limits::kHttpJoinedBodyBytes + 1, 'l');
  const std::string larger(2 * limits::kHttpPieceBytes + 3, 'm');
  const auto handler = [&](const HttpRequest&) {
    return InPieces([&](BodyWriter& body) {
      return body.Write("one ") && body.Write(large) && body.Write(larger) && body.Write(" two") &&
             body.Write(large);
    });
  };
  const std::string whole = "one " + large + larger + " two" + large;
  WithServer(handler, [&] {
    for (int i = 0; i < 2; ++i) {
      auto response = Post("/", "");
      ASSERT_TRUE(response) << Describe(response.error());
      EXPECT_EQ(response->body, whole);
    }
    EXPECT_EQ(client_->idle_connections(), 1u);
    auto old = Dial();
    Send(*old, "POST / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(ReceiveAll(*old).ends_with("\r\n\r\n" + whole));
  });
}

TEST_F(Server, EndsTheConnectionWhereABodyInPiecesIsNotWhole) {
  WithServer([](const HttpRequest&) { return InPieces([](BodyWriter& body) { return !body.Write("one"); }); },
             [&] {
               auto connection = Dial();
               Send(*connection, "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
               const std::string answer = ReceiveAll(*connection);
               EXPECT_TRUE(answer.ends_with("\r\n3\r\none\r\n")) << answer;
             });
}

TEST_F(Server, TellsWhoeverWritesPiecesThatTheClientHasGone) {
  bool told = false;
  const auto handler = [&](const HttpRequest& request) {
    return InPieces([&told, caller = request.caller](BodyWriter& body) {
      EXPECT_TRUE(body.Write("one"));
      runtime::Event gone;
      const Caller::Watch watch(caller, [&gone] { gone.Set(); });
      gone.Wait();
      told = true;
      return false;
    });
  };
  WithServer(handler, [&] {
    auto connection = Dial();
    Send(*connection, "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    Receive(*connection, [](const std::string& text) { return text.find("one") != std::string::npos; });
    connection.reset();
    runtime::WaitQueue never;
    while (!told) never.WaitUntil(core_->Now() + limits::kCallerLook);
  });
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace tradewind::net
