#include "net/tls_connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "base/limits.h"
#include "net/test_certificates.h"
#include "runtime/call_on.h"
#include "runtime/cores.h"
#include "runtime/detached_connection.h"
#include "runtime/real_core.h"
#include "runtime/test_core.h"

namespace tradewind::net {
namespace {

using std::chrono::seconds;

constexpr const char* kNames = "DNS:localhost,IP:127.0.0.1";

Result<std::string> ReadAtLeast(runtime::Connection& connection, size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    std::byte piece[40'000];
    TW_TRY_ASSIGN(const size_t count, connection.Read(piece));
    if (count == 0) break;
    text.append(reinterpret_cast<const char*>(piece), count);
  }
  return text;
}

std::string Letters(size_t count) {
  std::string text(count, 'a');
  for (size_t at = 0; at < count; ++at) text[at] = static_cast<char>('a' + at * 7 % 26 + at / 16'384 % 3);
  return text;
}

class TlsConnectionTest : public testing::Test {
 protected:
  using Body = std::function<void(runtime::Connection&)>;

  runtime::TimePoint Soon() { return core_->Now() + seconds(20); }

  void Run(const std::function<void()>& body) {
    core_->RunUntilReturned("test", [&] {
      auto listener = core_->network().Listen({"127.0.0.1", 0});
      ASSERT_TRUE(listener) << Describe(listener.error());
      listener_ = *std::move(listener);
      body();
      listener_.reset();
    });
  }
  // The server's side runs in a fiber of its own until `body` and it have returned.
  void BesideServer(const Body& server, const std::function<void()>& body) {
    runtime::TaskGroup servers(*core_);
    servers.Spawn("server", [&] {
      auto accepted = listener_->Accept();
      ASSERT_TRUE(accepted) << Describe(accepted.error());
      const auto tls = ServeTls(*core_, *std::move(accepted), identity_, {}, plain_answer_);
      tls->SetReadDeadline(Soon());
      server(*tls);
    });
    body();
    servers.Join();
  }
  std::unique_ptr<runtime::Connection> Dial() {
    auto connection = core_->network().Connect(listener_->local(), Soon());
    EXPECT_TRUE(connection);
    (*connection)->SetReadDeadline(Soon());
    return *std::move(connection);
  }
  Result<std::unique_ptr<runtime::Connection>> DialTls(const std::string& host = "localhost") {
    return ConnectTls(*core_, Dial(), *trust_, host, Soon());
  }
  // Of a client who must not be let in.
  Error ErrorOf(const std::string& host = "localhost") {
    Error error;
    BesideServer([](runtime::Connection& server) { EXPECT_FALSE(ReadAtLeast(server, 1)); },
                 [&] {
                   const auto refused = DialTls(host);
                   ASSERT_FALSE(refused);
                   error = refused.error();
                 });
    return error;
  }

  const std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  const TestAuthority authority_{"the test's CA"};
  std::shared_ptr<const TlsIdentity> identity_ = authority_.IdentityFor(kNames);
  std::shared_ptr<const TlsTrust> trust_ = authority_.Trust();
  std::string_view plain_answer_;
  std::unique_ptr<runtime::Listener> listener_;
};

void Echo(runtime::Connection& server) {
  for (;;) {
    std::byte piece[3'000];
    const auto count = server.Read(piece);
    if (!count || *count == 0) return;
    ASSERT_TRUE(server.Write(Bytes(piece).first(*count)));
  }
}

TEST_F(TlsConnectionTest, CarriesBytesBothWaysToAServerThatIsBelieved) {
  Run([&] {
    BesideServer(&Echo, [&] {
      auto client = DialTls();
      ASSERT_TRUE(client) << Describe(client.error());
      ASSERT_TRUE((*client)->Write(AsBytes("hello")));
      EXPECT_EQ(ReadAtLeast(**client, 5).value(), "hello");
    });
    BesideServer(&Echo,
                 [&] { EXPECT_TRUE(DialTls("127.0.0.1")) << "an address that is in the certificate"; });
  });
}

TEST_F(TlsConnectionTest, GoesOnWithWhatWasReadBeforeItBegan) {
  Run([&] {
    runtime::TaskGroup servers(*core_);
    servers.Spawn("server", [&] {
      auto accepted = listener_->Accept();
      ASSERT_TRUE(accepted);
      std::string hello = ReadAtLeast(**accepted, 1).value();
      const auto tls = ServeTls(*core_, *std::move(accepted), identity_, std::move(hello));
      EXPECT_EQ(ReadAtLeast(*tls, 5).value(), "hello");
    });
    auto client = DialTls();
    ASSERT_TRUE(client) << Describe(client.error());
    EXPECT_TRUE((*client)->Write(AsBytes("hello")));
    servers.Join();
  });
}

TEST_F(TlsConnectionTest, EncryptsWhatItCarries) {
  Run([&] {
    runtime::TaskGroup relays(*core_);
    auto behind = core_->network().Listen({"127.0.0.1", 0});
    ASSERT_TRUE(behind);
    std::string seen;
    relays.Spawn("relay", [&] {
      auto accepted = (*behind)->Accept();
      ASSERT_TRUE(accepted);
      const std::shared_ptr<runtime::Connection> client = *std::move(accepted);
      const std::shared_ptr<runtime::Connection> server = Dial();
      relays.Spawn("back", [client, server] {
        std::byte piece[4'000];
        for (auto count = server->Read(piece); count && *count > 0; count = server->Read(piece))
          if (!client->Write(Bytes(piece).first(*count))) return;
      });
      std::byte piece[4'000];
      for (auto count = client->Read(piece); count && *count > 0; count = client->Read(piece)) {
        seen.append(reinterpret_cast<const char*>(piece), *count);
        if (!server->Write(Bytes(piece).first(*count))) break;
      }
      server->Close();
    });
    BesideServer(&Echo, [&] {
      auto connection = core_->network().Connect((*behind)->local(), Soon());
      ASSERT_TRUE(connection);
      auto client = ConnectTls(*core_, *std::move(connection), *trust_, "localhost", Soon());
      ASSERT_TRUE(client) << Describe(client.error());
      ASSERT_TRUE((*client)->Write(AsBytes("a secret that nobody may read")));
      EXPECT_EQ(ReadAtLeast(**client, 29).value(), "a secret that nobody may read");
    });
    relays.Join();
    EXPECT_GT(seen.size(), 29u);
    EXPECT_EQ(seen.find("secret"), std::string::npos);
  });
}

TEST_F(TlsConnectionTest, CarriesManyMegabytesBothWaysAtTheSameTime) {
  const std::string text = Letters(9'000'001);
  Run([&] {
    BesideServer(
        [&](runtime::Connection& server) {
          // One fiber, until the handshake is over.
          const std::string beginning = ReadAtLeast(server, 1).value();
          runtime::TaskGroup writers(*core_);
          writers.Spawn("writer", [&] { EXPECT_TRUE(server.Write(AsBytes(text))); });
          const std::string rest = ReadAtLeast(server, text.size() - beginning.size()).value();
          EXPECT_TRUE(beginning + rest == text);
          writers.Join();
        },
        [&] {
          auto client = DialTls();
          ASSERT_TRUE(client) << Describe(client.error());
          runtime::TaskGroup writers(*core_);
          writers.Spawn("writer", [&] { EXPECT_TRUE((*client)->Write(AsBytes(text))); });
          EXPECT_TRUE(ReadAtLeast(**client, text.size()).value() == text);
          writers.Join();
        });
  });
}

TEST_F(TlsConnectionTest, ReadsAByteAtATime) {
  Run([&] {
    BesideServer([&](runtime::Connection& server) { EXPECT_TRUE(server.Write(AsBytes("abc"))); },
                 [&] {
                   auto client = DialTls();
                   ASSERT_TRUE(client);
                   std::byte one[1];
                   for (const char expected : {'a', 'b', 'c'}) {
                     ASSERT_EQ((*client)->Read(one).value(), 1u);
                     EXPECT_EQ(static_cast<char>(one[0]), expected);
                   }
                   EXPECT_EQ((*client)->Read(one).value(), 0u) << "the server has closed";
                 });
  });
}

TEST_F(TlsConnectionTest, WaitsForNoMoreThanComesWhereMoreIsExpected) {
  const std::string text = Letters(100'003);
  Run([&] {
    BesideServer([&](runtime::Connection& server) { EXPECT_TRUE(server.Write(AsBytes(text))); },
                 [&] {
                   auto client = DialTls();
                   ASSERT_TRUE(client);
                   std::string read;
                   while (read.size() < text.size()) {
                     std::byte piece[3'000];
                     (*client)->ExpectAtLeast(text.size() - read.size());
                     const auto count = (*client)->Read(piece);
                     ASSERT_TRUE(count) << Describe(count.error());
                     read.append(reinterpret_cast<const char*>(piece), *count);
                   }
                   EXPECT_TRUE(read == text);
                 });
  });
}

TEST_F(TlsConnectionTest, GoesOnReadingAfterItHasEndedItsOutput) {
  Run([&] {
    BesideServer(
        [&](runtime::Connection& server) {
          EXPECT_EQ(ReadAtLeast(server, 100).value(), "all of it");
          EXPECT_TRUE(server.Write(AsBytes("and the answer")));
        },
        [&] {
          auto client = DialTls();
          ASSERT_TRUE(client);
          ASSERT_TRUE((*client)->Write(AsBytes("all of it")));
          (*client)->EndOutput();
          EXPECT_EQ(ReadAtLeast(**client, 100).value(), "and the answer");
        });
  });
}

TEST_F(TlsConnectionTest, TellsAStreamThatIsCutOffFromOneThatHasEnded) {
  Run([&] {
    runtime::TaskGroup servers(*core_);
    servers.Spawn("server", [&] {
      auto accepted = listener_->Accept();
      ASSERT_TRUE(accepted);
      const auto below = std::make_shared<std::unique_ptr<runtime::Connection>>(*std::move(accepted));
      // What somebody in between does: the transport ends, and TLS has said nothing.
      class Cut final : public runtime::Connection {
       public:
        explicit Cut(std::unique_ptr<runtime::Connection> connection) : connection_(std::move(connection)) {}
        Result<size_t> Read(MutableBytes into) override { return connection_->Read(into); }
        Result<void> Write(Bytes bytes) override { return connection_->Write(bytes); }
        void SetReadDeadline(runtime::TimePoint deadline) override { connection_->SetReadDeadline(deadline); }
        void Close() override { connection_->Close(); }
        runtime::Address peer() const override { return connection_->peer(); }

       private:
        const std::unique_ptr<runtime::Connection> connection_;
      };
      const auto tls = ServeTls(*core_, std::make_unique<Cut>(std::move(*below)), identity_);
      EXPECT_TRUE(tls->Write(AsBytes("half of")));
    });
    auto client = DialTls();
    ASSERT_TRUE(client) << Describe(client.error());
    EXPECT_EQ(ReadAtLeast(**client, 7).value(), "half of");
    const auto more = ReadAtLeast(**client, 1);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code, "TLS_TRUNCATED");
    EXPECT_EQ(more.error().kind, ErrorKind::kIo);
    servers.Join();
  });
}

TEST_F(TlsConnectionTest, KeepsTheDeadlinesOfReads) {
  Run([&] {
    BesideServer(
        [&](runtime::Connection& server) {
          EXPECT_EQ(ReadAtLeast(server, 2).value(), "ok");
          EXPECT_TRUE(server.Write(AsBytes("late")));
        },
        [&] {
          auto client = DialTls();
          ASSERT_TRUE(client);
          (*client)->SetReadDeadline(core_->Now() + std::chrono::milliseconds(20));
          const auto nothing = ReadAtLeast(**client, 1);
          ASSERT_FALSE(nothing);
          EXPECT_EQ(nothing.error().kind, ErrorKind::kTimeout);
          (*client)->SetReadDeadline(Soon());
          ASSERT_TRUE((*client)->Write(AsBytes("ok")));
          EXPECT_EQ(ReadAtLeast(**client, 4).value(), "late");
        });
  });
}

TEST_F(TlsConnectionTest, RefusesACertificateThatHasExpired) {
  Run([&] {
    identity_ = authority_.IdentityFor(kNames, {-9, -1});
    EXPECT_EQ(ErrorOf().code, "TLS_CERTIFICATE_EXPIRED");
    identity_ = authority_.IdentityFor(kNames, {1, 9});
    EXPECT_EQ(ErrorOf().code, "TLS_CERTIFICATE_NOT_YET_VALID");
  });
}

TEST_F(TlsConnectionTest, RefusesACertificateOfAnotherCa) {
  Run([&] {
    trust_ = TestAuthority("another CA").Trust();
    EXPECT_EQ(ErrorOf().code, "TLS_UNKNOWN_CA");
    trust_ = TlsTrust::OfSystem();
    EXPECT_EQ(ErrorOf().code, "TLS_UNKNOWN_CA");
  });
}

TEST_F(TlsConnectionTest, RefusesACertificateForAnotherName) {
  Run([&] {
    EXPECT_EQ(ErrorOf("elsewhere.example").code, "TLS_WRONG_NAME");
    EXPECT_EQ(ErrorOf("127.0.0.2").code, "TLS_WRONG_NAME");
    EXPECT_NE(ErrorOf("127.0.0.2").message.find("127.0.0.2"), std::string::npos);
    identity_ = authority_.IdentityFor("DNS:127.0.0.1");
    EXPECT_EQ(ErrorOf("127.0.0.1").code, "TLS_WRONG_NAME") << "an address is not a name";
  });
}

TEST_F(TlsConnectionTest, SaysThatAServerDoesNotSpeakTls) {
  Run([&] {
    runtime::TaskGroup servers(*core_);
    servers.Spawn("plain server", [&] {
      auto accepted = listener_->Accept();
      ASSERT_TRUE(accepted);
      EXPECT_TRUE(ReadAtLeast(**accepted, 1));
      EXPECT_TRUE((*accepted)->Write(AsBytes("HTTP/1.1 400 Bad Request\r\n\r\n")));
    });
    const auto refused = DialTls();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "TLS_NOT_SPOKEN");
    servers.Join();
  });
}

TEST_F(TlsConnectionTest, TellsAClientThatDoesNotSpeakTlsHowToCome) {
  Run([&] {
    plain_answer_ = "use TLS";
    BesideServer(
        [&](runtime::Connection& server) {
          const auto read = ReadAtLeast(server, 1);
          ASSERT_FALSE(read);
          EXPECT_EQ(read.error().code, "TLS_NOT_SPOKEN");
          EXPECT_EQ(ReadAtLeast(server, 1).error().code, "TLS_NOT_SPOKEN") << "for good";
          server.Close();
        },
        [&] {
          const auto client = Dial();
          ASSERT_TRUE(client->Write(AsBytes("GET / HTTP/1.1\r\n\r\n")));
          EXPECT_EQ(ReadAtLeast(*client, 100).value(), "use TLS");
        });
    BesideServer([&](runtime::Connection& server) { EXPECT_FALSE(ReadAtLeast(server, 1)); },
                 [&] {
                   const auto client = Dial();
                   ASSERT_TRUE(client->Write(AsBytes(std::string(100, '\x01'))));
                   const auto nothing = ReadAtLeast(*client, 1);
                   EXPECT_TRUE(!nothing || nothing->empty()) << "who speaks no HTTP is told nothing";
                 });
  });
}

// A client that sends a byte a second, in virtual time.
class SlowClient final : public runtime::Connection {
 public:
  explicit SlowClient(runtime::Core& core) : core_(core) {}
  Result<size_t> Read(MutableBytes into) override {
    runtime::SleepUntil(std::min(deadline_, core_.Now() + seconds(1)));
    if (core_.Now() >= deadline_) return Fail(ErrorKind::kTimeout, "READ_TIMEOUT", "it is late");
    into[0] = std::byte{static_cast<unsigned char>("\x16\x03\x01\x02"[std::min(sent_++, 3)])};
    return 1;
  }
  Result<void> Write(Bytes) override { return {}; }
  void SetReadDeadline(runtime::TimePoint deadline) override { deadline_ = deadline; }
  void Close() override {}
  runtime::Address peer() const override { return {"127.0.0.1", 1}; }

 private:
  runtime::Core& core_;
  runtime::TimePoint deadline_ = runtime::TimePoint::max();
  int sent_ = 0;
};

TEST_F(TlsConnectionTest, GivesUpAHandshakeThatTakesTooLong) {
  runtime::TestCore core;
  core.Run([&] {
    const runtime::TimePoint began = core.Now();
    const auto tls = ServeTls(core, std::make_unique<SlowClient>(core), identity_);
    const auto read = ReadAtLeast(*tls, 1);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, "TLS_HANDSHAKE_TIMEOUT");
    EXPECT_GE(core.Now() - began, limits::kTlsHandshake);
    EXPECT_LT(core.Now() - began, 2 * limits::kTlsHandshake);
  });
}

TEST_F(TlsConnectionTest, GoesToAnotherCoreInTheMiddleOfWhatItCarries) {
  runtime::Cores cores(2);
  const std::string text = Letters(50'000);
  const auto ran = cores.RunUntilReturned("test", [&] {
    auto listener = cores[0].network().Listen({"127.0.0.1", 0});
    ASSERT_TRUE(listener);
    runtime::TaskGroup servers(cores[0]);
    servers.Spawn("server", [&] {
      auto accepted = (*listener)->Accept();
      ASSERT_TRUE(accepted);
      auto tls = ServeTls(cores[0], *std::move(accepted), identity_);
      // Of a record that has come as a whole only the beginning is read here.
      std::byte head[10];
      ASSERT_EQ(tls->Read(head).value(), sizeof head);
      const auto detached = runtime::Detach(std::move(tls));
      ASSERT_TRUE(detached);
      runtime::CallOn(cores[1], [&] {
        auto attached = detached->Attach(cores[1]);
        ASSERT_TRUE(attached) << Describe(attached.error());
        const auto rest = ReadAtLeast(**attached, text.size() - sizeof head);
        ASSERT_TRUE(rest) << Describe(rest.error());
        EXPECT_TRUE(*rest == text.substr(sizeof head));
        EXPECT_TRUE((*attached)->Write(AsBytes("from core 1")));
      });
    });
    auto connection = cores[0].network().Connect((*listener)->local(), cores[0].Now() + seconds(20));
    ASSERT_TRUE(connection);
    auto client =
        ConnectTls(cores[0], *std::move(connection), *trust_, "localhost", cores[0].Now() + seconds(20));
    ASSERT_TRUE(client) << Describe(client.error());
    ASSERT_TRUE((*client)->Write(AsBytes(text)));
    EXPECT_EQ(ReadAtLeast(**client, 100).value(), "from core 1");
    servers.Join();
  });
  EXPECT_TRUE(ran);
}

TEST(TlsIdentity, IsRefusedWithTheKeyOfAnother) {
  const TestAuthority authority("CA");
  const auto one = authority.Issue(kNames);
  const auto other = authority.Issue(kNames);
  EXPECT_EQ(TlsIdentity::Parse(one.certificate, other.key).error().code, "TLS_KEY_MISMATCH");
  EXPECT_EQ(TlsIdentity::Parse("nothing", one.key).error().code, "TLS_CERTIFICATE_INVALID");
  EXPECT_EQ(TlsIdentity::Parse(one.certificate, "nothing").error().code, "TLS_KEY_INVALID");
  EXPECT_EQ(TlsIdentity::Parse(one.certificate.substr(0, 300), one.key).error().code,
            "TLS_CERTIFICATE_INVALID");
  EXPECT_EQ(TlsTrust::Parse("nothing").error().code, "TLS_CA_INVALID");
  EXPECT_EQ(TlsTrust::Parse(authority.pem() + authority.pem().substr(0, 300)).error().code, "TLS_CA_INVALID");
  EXPECT_TRUE(TlsIdentity::Parse(one.certificate + authority.pem(), one.key)) << "with its chain";
}

}  // namespace
}  // namespace tradewind::net
