#include "runtime/real_network.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/call_on.h"
#include "runtime/cores.h"
#include "runtime/detached_connection.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::runtime {
namespace {

using namespace std::chrono_literals;

const Address kAnyPort{"127.0.0.1", 0};

// Reads until the end of the stream, or `size` bytes.
std::string ReadText(Connection& connection, size_t size) {
  std::string text;
  while (text.size() < size) {
    std::string part(size - text.size(), '\0');
    const auto count = connection.Read(std::as_writable_bytes(std::span(part)));
    EXPECT_TRUE(count) << Describe(count.error());
    if (!count || *count == 0) break;
    text.append(part, 0, *count);
  }
  return text;
}

class RealNetworkTest : public testing::Test {
 protected:
  void Run(std::function<void()> body) { core_->RunUntilReturned("test", std::move(body)); }
  // Both ends of a new connection.
  std::pair<std::unique_ptr<Connection>, std::unique_ptr<Connection>> Connect() {
    auto listener = core_->network().Listen(kAnyPort).value();
    auto client = core_->network().Connect(listener->local(), core_->Now() + 10s).value();
    return {std::move(client), listener->Accept().value()};
  }

  std::unique_ptr<RealCore> core_ = RealCore::Create();
};

TEST_F(RealNetworkTest, EchoesMoreThanTheBuffersHold) {
  Run([&] {
    auto [client, server] = Connect();
    EXPECT_EQ(server->peer().host, "127.0.0.1");
    std::string text(20 << 20, '\0');
    for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7919 >> 8);
    TaskGroup group(*core_);
    group.Spawn("server", [&] {
      std::vector<std::byte> buffer(100'000);
      for (;;) {
        const auto count = server->Read(buffer);
        ASSERT_TRUE(count) << Describe(count.error());
        if (*count == 0) return;
        ASSERT_TRUE(server->Write(Bytes(buffer).first(*count)));
      }
    });
    group.Spawn("sender", [&] { ASSERT_TRUE(client->Write(AsBytes(text))); });
    EXPECT_TRUE(ReadText(*client, text.size()) == text);
    client->Close();
    group.Join();
  });
}

TEST_F(RealNetworkTest, TellsAPeerThatHasEndedFromOneThatIsGone) {
  using State = Connection::PeerState;
  Run([&] {
    auto [client, server] = Connect();
    EXPECT_EQ(server->peer_state(), State::kThere);
    ASSERT_TRUE(client->Write(AsBytes("unread")));
    client->EndOutput();
    while (server->peer_state() == State::kThere) Yield();  // Behind what is not read.
    EXPECT_EQ(server->peer_state(), State::kEnded);
    EXPECT_EQ(server->WriteNow(AsBytes("still")), 5u);
    EXPECT_EQ(ReadText(*client, 5), "still");
    EXPECT_EQ(server->peer_state(), State::kEnded);
    client->Close();
    EXPECT_EQ(server->WriteNow(AsBytes("gone")), 4u);
    while (server->peer_state() != State::kGone) Yield();
    EXPECT_FALSE(server->Write(AsBytes("more")));
  });
}

TEST_F(RealNetworkTest, EndsAWriteThatNobodyTakesAtItsDeadline) {
  Run([&] {
    auto [client, server] = Connect();
    const std::string block(1 << 20, 'x');
    const TimePoint deadline = core_->Now() + 50ms;
    server->SetWriteDeadline(deadline);
    Result<void> written;
    while (written) written = server->Write(AsBytes(block));
    EXPECT_EQ(written.error().code, "WRITE_TIMEOUT");
    EXPECT_GE(core_->Now(), deadline);
    EXPECT_LT(server->WriteNow(AsBytes(block)), block.size());
    // What is taken in time goes on.
    server->SetWriteDeadline(core_->Now() + 20s);
    TaskGroup group(*core_);
    group.Spawn("writer", [&] { EXPECT_TRUE(server->Write(AsBytes(block))); });
    Yield();
    std::vector<std::byte> buffer(block.size());
    while (group.size() > 0) ASSERT_TRUE(client->Read(buffer));
    group.Join();
  });
}

TEST_F(RealNetworkTest, KnowsHowLongWhatItReadsHasWaited) {
  Run([&] {
    auto [client, server] = Connect();
    // The kernel stamps what arrives from a moment after the machine's first socket has asked for it on.
    for (int tries = 0; tries < 200'000 && !server->arrived(); ++tries) {
      ASSERT_TRUE(client->Write(AsBytes("x")));
      EXPECT_EQ(ReadText(*server, 1), "x");
      SleepFor(1ms);
    }
    const TimePoint before = core_->Now();
    ASSERT_TRUE(client->Write(AsBytes("hello")));
    const TimePoint sent = core_->Now();
    SleepFor(30ms);
    EXPECT_EQ(ReadText(*server, 5), "hello");
    ASSERT_TRUE(server->arrived());
    EXPECT_GE(*server->arrived(), before - 1ms);
    EXPECT_LE(*server->arrived(), sent + 1ms) << "it lay there while nobody read";
    EXPECT_FALSE(client->arrived());
  });
}

TEST_F(RealNetworkTest, WakesAReaderOnlyForAsMuchAsItExpects) {
  Run([&] {
    auto [client, server] = Connect();
    std::vector<size_t> reads;
    WaitQueue read;
    TaskGroup group(*core_);
    group.Spawn("reader", [&, &from = *server] {
      std::vector<std::byte> buffer(4000);
      for (const size_t expected : {1000, 1, 1000, 1}) {
        if (expected > 1) from.ExpectAtLeast(expected);  // Of one read only.
        reads.push_back(from.Read(buffer).value());
        read.NotifyAll();
      }
    });
    const std::vector<std::byte> bytes(500);
    const auto let_reader_run = [&] {
      for (int turn = 0; turn < 10; ++turn) core_->RunOffCore([] {});
    };
    const auto send = [&, &to = *client](size_t count) {
      ASSERT_TRUE(to.Write(Bytes(bytes).first(count)));
      let_reader_run();  // It would see what has come.
    };
    let_reader_run();
    send(500);
    send(500);
    WaitFor(read, [&] { return !reads.empty(); });
    send(1);
    WaitFor(read, [&] { return reads.size() >= 2; });
    send(500);
    client->Close();
    group.Join();
    EXPECT_EQ(reads, (std::vector<size_t>{1000, 1, 500, 0}));
  });
}

TEST_F(RealNetworkTest, ServesManyConnections) {
  Run([&] {
    auto listener = core_->network().Listen(kAnyPort).value();
    TaskGroup group(*core_);
    group.Spawn("server", [&] {
      for (int i = 0; i < 200; ++i) {
        group.Spawn("session", [server = std::shared_ptr(listener->Accept().value())] {
          EXPECT_TRUE(server->Write(AsBytes(ReadText(*server, 5))));
        });
      }
    });
    int answered = 0;
    for (int i = 0; i < 200; ++i) {
      group.Spawn("client", [&, i] {
        auto client = core_->network().Connect(listener->local(), core_->Now() + 10s).value();
        const std::string question = "n" + std::to_string(1000 + i);
        EXPECT_TRUE(client->Write(AsBytes(question)));
        EXPECT_EQ(ReadText(*client, 5), question);
        ++answered;
      });
    }
    group.Join();
    EXPECT_EQ(answered, 200);
  });
}

TEST_F(RealNetworkTest, TellsTheEndOfTheStreamFromALostOne) {
  Run([&] {
    auto [client, server] = Connect();
    ASSERT_TRUE(client->Write(AsBytes("last")));
    client->Close();
    EXPECT_EQ(ReadText(*server, 100), "last");
    std::byte byte;
    EXPECT_EQ(server->Read({&byte, 1}).value(), 0u);
  });
}

TEST_F(RealNetworkTest, CloseEndsAReadAndAWriteInProgress) {
  Run([&] {
    auto [client, server] = Connect();
    TaskGroup group(*core_);
    int ended = 0;
    group.Spawn("reader", [&] {
      std::byte byte;
      const auto read = client->Read({&byte, 1});
      ASSERT_FALSE(read);
      EXPECT_EQ(read.error().kind, ErrorKind::kIo);
      ++ended;
    });
    group.Spawn("writer", [&] {
      const std::vector<std::byte> much(64u << 20);
      const auto written = client->Write(much);
      ASSERT_FALSE(written);
      EXPECT_EQ(written.error().kind, ErrorKind::kIo);
      ++ended;
    });
    SleepFor(1ms);
    EXPECT_EQ(ended, 0);
    client->Close();
    client->Close();
    group.Join();
    EXPECT_EQ(ended, 2);
  });
}

TEST_F(RealNetworkTest, EndsAReadAtItsDeadline) {
  Run([&] {
    auto [client, server] = Connect();
    std::byte byte;
    const TimePoint deadline = core_->Now() + 5ms;
    client->SetReadDeadline(deadline);
    const auto read = client->Read({&byte, 1});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, ErrorKind::kTimeout);
    EXPECT_GE(core_->Now(), deadline);

    client->SetReadDeadline(TimePoint::max());
    ASSERT_TRUE(server->Write(AsBytes("x")));
    EXPECT_EQ(ReadText(*client, 1), "x") << "the deadline was lifted";
  });
}

TEST_F(RealNetworkTest, AppliesANewDeadlineToAReadInProgress) {
  Run([&] {
    auto [client, server] = Connect();
    client->SetReadDeadline(core_->Now() + 1h);
    TimePoint deadline;
    core_->Post([&] {
      deadline = core_->Now() + 3ms;
      client->SetReadDeadline(deadline);
    });
    std::byte byte;
    EXPECT_EQ(client->Read({&byte, 1}).error().kind, ErrorKind::kTimeout);
    EXPECT_GE(core_->Now(), deadline);
  });
}

TEST_F(RealNetworkTest, MovesADeadlineOnWithoutEndingTheRead) {
  Run([&] {
    auto [client, server] = Connect();
    // Far enough away for the read to wait before it, though others have the processor meanwhile.
    const TimePoint first = core_->Now() + 500ms;
    client->SetReadDeadline(first);
    core_->Post([&] { client->SetReadDeadline(first + 1h); });
    core_->StartTimer(first + 1ms, [&] { EXPECT_TRUE(server->Write(AsBytes("x"))); });
    EXPECT_EQ(ReadText(*client, 1), "x");
  });
}

TEST_F(RealNetworkTest, RefusesAnAddressInUse) {
  Run([&] {
    auto listener = core_->network().Listen(kAnyPort).value();
    const auto second = core_->network().Listen(listener->local());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, "ADDRESS_IN_USE");
    EXPECT_EQ(second.error().kind, ErrorKind::kRefused);
    EXPECT_NE(second.error().message.find(listener->local().ToString()), std::string::npos);

    listener->Close();
    EXPECT_TRUE(core_->network().Listen(listener->local())) << "a closed listener's port is free";
  });
}

TEST_F(RealNetworkTest, ClosingTheListenerEndsAnAccept) {
  Run([&] {
    auto listener = core_->network().Listen(kAnyPort).value();
    core_->Post([&] { listener->Close(); });
    EXPECT_EQ(listener->Accept().error().code, "LISTENER_CLOSED");
    EXPECT_EQ(listener->Accept().error().code, "LISTENER_CLOSED");
  });
}

TEST_F(RealNetworkTest, SaysThatNobodyListens) {
  Run([&] {
    Address address;
    { address = core_->network().Listen(kAnyPort).value()->local(); }
    const auto connection = core_->network().Connect(address, core_->Now() + 10s);
    ASSERT_FALSE(connection);
    EXPECT_EQ(connection.error().kind, ErrorKind::kUnavailable);
    EXPECT_EQ(connection.error().code, "CONNECTION_REFUSED");
  });
}

// From some port of the machine's own choice each time: after so many it has been the one that is to be reached, as a rule.
TEST_F(RealNetworkTest, WhoConnectsWhereNobodyListensDoesNotReachItself) {
  Run([&] {
    // The system gives even ports to who connects and odd ones to who listens, as long as there are any.
    Address address = core_->network().Listen(kAnyPort).value()->local();
    address.port &= ~1;
    for (int tries = 0; tries < 20'000; ++tries) {
      const auto connection = core_->network().Connect(address, core_->Now() + 60s);
      ASSERT_FALSE(connection) << "it has reached itself";
      ASSERT_EQ(connection.error().code, "CONNECTION_REFUSED");
    }
  });
}

TEST_F(RealNetworkTest, ConnectsByName) {
  Run([&] {
    auto listener = core_->network().Listen(kAnyPort).value();
    EXPECT_TRUE(core_->network().Connect({"localhost", listener->local().port}, core_->Now() + 10s));
    EXPECT_EQ(core_->network().Connect({"no-such-host.invalid", 1}, core_->Now() + 10s).error().code,
              "HOST_UNKNOWN");
  });
}

TEST(Address, PutsBracketsAroundIpv6) {
  EXPECT_EQ((Address{"::1", 80}).ToString(), "[::1]:80");
  EXPECT_EQ((Address{"127.0.0.1", 80}).ToString(), "127.0.0.1:80");
}

// The first half of what the client sends is read on one core, the other on the next, and so is what comes after.
TEST(RealNetworkCoresTest, AConnectionGoesFromCoreToCoreWithWhatHasCome) {
  Cores cores(3);
  const auto ran = cores.RunUntilReturned("test", [&] {
    auto listener = cores[0].network().Listen(kAnyPort).value();
    auto client = cores[0].network().Connect(listener->local(), cores[0].Now() + 10s).value();
    auto accepted = listener->Accept().value();
    const Address peer = accepted->peer();
    ASSERT_TRUE(client->Write(AsBytes("0011")));
    EXPECT_EQ(ReadText(*accepted, 2), "00");
    accepted->ExpectAtLeast(1000);  // What a core waits for is its own.
    auto detached = Detach(std::move(accepted));
    ASSERT_TRUE(detached);
    for (const size_t number : {1u, 2u, 0u}) {
      detached = CallOn(cores[number], [&] {
        auto connection = detached->Attach(cores[number]).value();
        EXPECT_EQ(connection->peer(), peer);
        EXPECT_EQ(ReadText(*connection, 1), "1");
        EXPECT_TRUE(connection->Write(AsBytes("2")));
        // What comes from now on; when it came the system says only once a thread of its own has had a turn.
        for (int tries = 0; tries < 200'000 && !connection->arrived(); ++tries) {
          SpawnOn(cores[number], cores[0], "later", [&] { EXPECT_TRUE(client->Write(AsBytes("1"))); });
          EXPECT_EQ(ReadText(*connection, 1), "1");
        }
        EXPECT_TRUE(connection->arrived());
        return Detach(std::move(connection));
      });
      EXPECT_EQ(ReadText(*client, 1), "2");
      ASSERT_TRUE(detached);
      EXPECT_TRUE(client->Write(AsBytes("1")));
    }
    detached.reset();
    std::byte rest[1];
    const auto end = client->Read(rest);
    EXPECT_TRUE(!end || *end == 0) << "who gives it up closes it";
  });
  EXPECT_TRUE(ran);
}

TEST(RealNetworkCoresTest, WhatIsClosedIsNotDetached) {
  Cores cores(2);
  const auto ran = cores.RunUntilReturned("test", [&] {
    auto listener = cores[0].network().Listen(kAnyPort).value();
    auto client = cores[0].network().Connect(listener->local(), cores[0].Now() + 10s).value();
    client->Close();
    EXPECT_FALSE(Detach(std::move(client)));
  });
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace tradewind::runtime
