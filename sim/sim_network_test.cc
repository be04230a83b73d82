#include "sim/sim_network.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/call_on.h"
#include "runtime/detached_connection.h"
#include "runtime/fiber.h"
#include "sim/sim_core.h"
#include "sim/sim_world.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;
using runtime::Address;
using runtime::Connection;
using runtime::TimePoint;

const Address kServer{"server", 80};

std::string Numbered(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 7919) >> 8);
  return text;
}

// Two hosts and a connection between them.
class Pair {
 public:
  explicit Pair(uint64_t seed) : world(seed), a(world.AddCore("client")), b(world.AddCore("server")) {
    b.Spawn("accept", [&] {
      listener = b.network().Listen(kServer).value();
      server = listener->Accept().value();
    });
    world.RunFiber(a, "connect", [&] {
      runtime::Yield();
      client = a.network().Connect(kServer, a.Now() + 10s).value();
    });
    world.RunUntil([&] { return server != nullptr; });
  }

  SimWorld world;
  SimCore& a;
  SimCore& b;
  std::unique_ptr<runtime::Listener> listener;
  std::unique_ptr<Connection> client;
  std::unique_ptr<Connection> server;
};

TEST(SimNetwork, DeliversBytesInOrderAndInPieces) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Pair pair(seed);
    const std::string text = Numbered(1'000'000);
    std::string received;
    std::set<size_t> pieces;
    pair.a.Spawn("write", [&] {
      for (size_t at = 0; at < text.size(); at += 100'000)
        ASSERT_TRUE(pair.client->Write(AsBytes(text).subspan(at, 100'000)));
      pair.client->Close();
    });
    pair.world.RunFiber(pair.b, "read", [&] {
      std::vector<std::byte> buffer(300'000);
      for (;;) {
        const size_t count = pair.server->Read(buffer).value();
        if (count == 0) return;
        received.append(reinterpret_cast<const char*>(buffer.data()), count);
        pieces.insert(count);
      }
    });
    ASSERT_TRUE(received == text) << seed;
    EXPECT_GT(pieces.size(), 10u);
  }
}

TEST(SimNetwork, HoldsAWriterBackThatTheReaderDoesNotFollow) {
  Pair pair(1);
  size_t written = 0;
  pair.a.Spawn("write", [&] {
    const std::string block(10'000, 'x');
    while (pair.client->Write(AsBytes(block))) written += block.size();
  });
  pair.world.RunUntilIdle();
  EXPECT_GT(written, 100'000u);
  EXPECT_LT(written, 1'000'000u);
  const size_t before = written;
  pair.world.RunFiber(pair.b, "read", [&] {
    std::vector<std::byte> buffer(50'000);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(pair.server->Read(buffer));
  });
  pair.world.RunUntilIdle();
  EXPECT_GT(written, before);
  pair.server->Close();
  pair.world.RunUntilIdle();
  EXPECT_EQ(pair.a.fiber_count(), 0u);
}

TEST(SimNetwork, EndsAReadAtItsDeadlineAndByClose) {
  Pair pair(1);
  pair.world.RunFiber(pair.a, "read", [&] {
    std::byte byte{};
    const TimePoint deadline = pair.a.Now() + 1min;
    pair.client->SetReadDeadline(deadline);
    EXPECT_EQ(pair.client->Read({&byte, 1}).error().kind, ErrorKind::kTimeout);
    EXPECT_GE(pair.a.Now(), deadline);
    pair.client->SetReadDeadline(TimePoint::max());
    pair.world.After(1s, [&] { pair.client->SetReadDeadline(pair.world.now() + 1s); });
    EXPECT_EQ(pair.client->Read({&byte, 1}).error().kind, ErrorKind::kTimeout)
        << "a new deadline holds at once";
    pair.client->SetReadDeadline(TimePoint::max());
    pair.world.After(1s, [&] { pair.client->Close(); });
    EXPECT_EQ(pair.client->Read({&byte, 1}).error().code, "CONNECTION_CLOSED");
  });
}

TEST(SimNetwork, RefusesWhereNobodyListens) {
  Pair pair(1);
  pair.world.RunFiber(pair.a, "connect", [&] {
    EXPECT_EQ(pair.a.network().Connect({"server", 81}, pair.a.Now() + 10s).error().code,
              "CONNECTION_REFUSED");
    EXPECT_EQ(pair.a.network().Connect({"nobody", 80}, pair.a.Now() + 10s).error().code, "HOST_UNKNOWN");
  });
  pair.world.RunFiber(pair.b, "listen", [&] {
    EXPECT_EQ(pair.b.network().Listen(kServer).error().code, "ADDRESS_IN_USE");
    EXPECT_EQ(pair.b.network().Listen({"client", 80}).error().code, "CANNOT_LISTEN");
    EXPECT_EQ(pair.b.network().Listen({"127.0.0.1", 0}).value()->local().host, "server");
    pair.listener->Close();
    EXPECT_EQ(pair.listener->Accept().error().code, "LISTENER_CLOSED");
    EXPECT_TRUE(pair.b.network().Listen(kServer));
  });
}

TEST(SimNetwork, HoldsWhatIsSentOverACutLinkUntilItIsHealed) {
  Pair pair(1);
  pair.world.CutLink("client", "server");
  std::string received(4, '\0');
  pair.b.Spawn("read",
               [&] { EXPECT_TRUE(pair.server->Read(std::as_writable_bytes(std::span(received)).first(1))); });
  pair.world.RunFiber(pair.a, "write", [&] { ASSERT_TRUE(pair.client->Write(AsBytes("text"))); });
  pair.world.RunUntilIdle(500ms);
  EXPECT_EQ(received[0], '\0');
  pair.world.HealLink("server", "client");
  pair.world.RunUntil([&] { return received[0] != '\0'; });
  EXPECT_EQ(received[0], 't');
}

TEST(SimNetwork, LosesConnectionsOverALinkThatStaysCut) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Pair pair(seed);
    pair.world.CutLink("client", "server");
    std::vector<std::string> ends;
    const auto read = [&](Connection& connection) {
      std::byte byte{};
      ends.push_back(connection.Read({&byte, 1}).error().code);
    };
    pair.a.Spawn("client", [&] { read(*pair.client); });
    pair.b.Spawn("server", [&] { read(*pair.server); });
    ASSERT_TRUE(pair.world.RunUntil([&] { return ends.size() == 2; }, 10s));
    EXPECT_EQ(ends, (std::vector<std::string>{"CONNECTION_LOST", "CONNECTION_LOST"}));
    pair.world.RunFiber(pair.a, "connect", [&] {
      EXPECT_EQ(pair.a.network().Connect(kServer, pair.a.Now() + 2s).error().kind, ErrorKind::kTimeout);
      pair.world.After(1s, [&] { pair.world.HealLink("client", "server"); });
      EXPECT_TRUE(pair.a.network().Connect(kServer, pair.a.Now() + 10s));
    });
  }
}

TEST(SimNetwork, TellsThePeerAtOnceOfAKilledProcessAndLateOfALostHost) {
  for (const bool power_lost : {false, true}) {
    Pair pair(3);
    const TimePoint start = pair.world.now();
    int ended = 0;
    pair.b.Spawn("local", [&] {
      std::byte byte{};
      EXPECT_EQ(pair.server->Read({&byte, 1}).error().code, "CRASHED");
      ++ended;
    });
    pair.a.Spawn("peer", [&] {
      std::byte byte{};
      EXPECT_EQ(pair.client->Read({&byte, 1}).error().code, "CONNECTION_LOST");
      ++ended;
    });
    pair.world.RunUntilIdle(1ms);
    power_lost ? pair.world.Crash("server") : pair.world.Kill("server");
    ASSERT_TRUE(pair.world.RunUntil([&] { return ended == 2; }, 10s));
    EXPECT_EQ(pair.world.now() - start > 500ms, power_lost);
    pair.world.RunFiber(pair.a, "connect", [&] {
      EXPECT_EQ(pair.a.network().Connect(kServer, pair.a.Now() + 2s).error().kind,
                power_lost ? ErrorKind::kTimeout : ErrorKind::kUnavailable);
    });
    SimCore& again = pair.world.Restart("server");
    pair.world.RunFiber(again, "serve", [&] { pair.listener = again.network().Listen(kServer).value(); });
    pair.world.RunFiber(pair.a, "connect",
                        [&] { EXPECT_TRUE(pair.a.network().Connect(kServer, pair.a.Now() + 2s)); });
  }
}

TEST(SimNetwork, AConnectionGoesFromCoreToCoreWithWhatHasCome) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SimWorld world(seed);
    SimCore& a = world.AddCore("client");
    SimCore& b = world.AddCore("server", 3);
    const std::string text = Numbered(10'000);
    std::string received;
    b.Spawn("serve", [&] {
      auto listener = b.network().Listen(kServer).value();
      auto detached = runtime::Detach(listener->Accept().value());
      for (size_t at = 0; detached && received.size() < text.size(); at = (at + 1) % 3) {
        runtime::Core& core = *b.siblings()[at];
        detached = runtime::CallOn(core, [&] {
          auto connection = detached->Attach(core).value();
          std::vector<std::byte> buffer(1'000);
          const size_t count = connection->Read(buffer).value();
          received.append(reinterpret_cast<const char*>(buffer.data()), count);
          return runtime::Detach(std::move(connection));
        });
      }
    });
    world.RunFiber(a, "send", [&] {
      runtime::Yield();
      auto client = a.network().Connect(kServer, a.Now() + 10s).value();
      ASSERT_TRUE(client->Write(AsBytes(text)));
      std::byte rest[1];
      const auto end = client->Read(rest);
      EXPECT_TRUE(!end || *end == 0) << "who gives it up closes it";
    });
    EXPECT_TRUE(received == text);
  }
}

}  // namespace
}  // namespace tradewind::sim
