#include "slacker/tunnel.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "move/move_fixture.h"
#include "runtime/test_core.h"

namespace tradewind::slacker {
namespace {

class TunnelTest : public testing::Test {
 protected:
  // Two ends, over a link. What the near end begins the far one answers with what it hears, twice.
  void With(std::function<void(Tunnel& near, move::MoveChannel& far)> body) {
    core_.Run([&] {
      std::unique_ptr<move::MoveChannel> far;
      move::LinkPair links(core_,
                           [&](std::unique_ptr<move::MoveChannel> channel) { far = std::move(channel); });
      const auto near = links.near->Open();
      ASSERT_TRUE(near->Send(move::Offer{}));
      while (!far) runtime::SleepFor(std::chrono::milliseconds(1));
      {
        Tunnel source(core_, near->stream(), Tunnel::End::kSource, [&](Purpose purpose, auto connection) {
          came_.push_back(purpose);
          Echo(*connection);
        });
        Tunnel destination(core_, far->stream(), Tunnel::End::kDestination,
                           [&](Purpose purpose, auto connection) {
                             came_.push_back(purpose);
                             Echo(*connection);
                           });
        body(source, *far);
        source.Stop();
        destination.Stop();
        EXPECT_FALSE(source.Connect(Purpose::kServer));
      }
      near->Close();
      while (!far->ended()) runtime::Yield();
      far.reset();
      links.Stop();
    });
  }
  static void Echo(runtime::Connection& connection) {
    std::array<std::byte, 100> piece{};
    while (true) {
      const auto got = connection.Read(piece);
      if (!got || *got == 0) return;
      for (int times = 0; times < 2; ++times)
        if (!connection.Write(Bytes(piece).first(*got))) return;
    }
  }
  static std::string Read(runtime::Connection& connection, size_t count) {
    std::string text;
    std::vector<std::byte> piece(1000);
    while (text.size() < count) {
      const auto got = connection.Read(piece);
      if (!got || *got == 0) return text;
      text.append(reinterpret_cast<const char*>(piece.data()), *got);
    }
    return text;
  }

  runtime::TestCore core_;
  std::vector<Purpose> came_;
};

TEST_F(TunnelTest, SeveralConnectionsGoThroughOneStream) {
  With([&](Tunnel& near, move::MoveChannel&) {
    auto one = near.Connect(Purpose::kServer);
    auto other = near.Connect(Purpose::kSnapshot);
    ASSERT_TRUE(one && other);
    ASSERT_TRUE((*other)->Write(std::as_bytes(std::span("xy", 2))));
    ASSERT_TRUE((*one)->Write(std::as_bytes(std::span("abc", 3))));
    EXPECT_EQ(Read(**one, 6), "abcabc");
    EXPECT_EQ(Read(**other, 4), "xyxy");
    EXPECT_EQ(came_, (std::vector<Purpose>{Purpose::kServer, Purpose::kSnapshot}));
  });
}

TEST_F(TunnelTest, TheEndOfAConnectionIsHeardAndTheOthersGoOn) {
  With([&](Tunnel& near, move::MoveChannel&) {
    auto one = near.Connect(Purpose::kServer);
    auto other = near.Connect(Purpose::kServer);
    ASSERT_TRUE(one && other);
    ASSERT_TRUE((*one)->Write(std::as_bytes(std::span("abc", 3))));
    (*one)->Close();
    EXPECT_FALSE((*one)->Write(std::as_bytes(std::span("abc", 3))));
    ASSERT_TRUE((*other)->Write(std::as_bytes(std::span("xy", 2))));
    EXPECT_EQ(Read(**other, 4), "xyxy");
  });
}

TEST_F(TunnelTest, MuchMoreThanItsWindowTravels) {
  With([&](Tunnel& near, move::MoveChannel&) {
    auto one = near.Connect(Purpose::kServer);
    ASSERT_TRUE(one);
    const std::string text(2'000'000, 'x');
    runtime::TaskGroup writer(core_);
    writer.Spawn("writer", [&] { EXPECT_TRUE((*one)->Write(std::as_bytes(std::span(text)))); });
    EXPECT_EQ(Read(**one, 2 * text.size()).size(), 2 * text.size());
    writer.Join();
  });
}

TEST_F(TunnelTest, WhatIsNoFrameEndsAllConnections) {
  With([&](Tunnel& near, move::MoveChannel& far) {
    auto one = near.Connect(Purpose::kServer);
    ASSERT_TRUE(one);
    const std::vector<std::byte> nonsense(12, std::byte{0xff});
    ASSERT_TRUE(far.stream().Write(nonsense));
    std::array<std::byte, 1> piece{};
    const auto got = (*one)->Read(piece);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::kCorrupt) << Describe(got.error());
  });
}

}  // namespace
}  // namespace tradewind::slacker
