// What a peer that keeps to nothing can make a peer link hold.
#include "move/peer_link.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "move/move_fixture.h"

namespace tradewind::move {
namespace {

class PeerLinkTest : public testing::Test {
 protected:
  // Runs `body` with a link whose urgent lane reads what is put into `to_link_`.
  void WithLink(const std::function<void(PeerLink&)>& body) {
    core_.Run([&] {
      std::vector<std::unique_ptr<MoveChannel>> channels;
      const auto link = std::make_shared<PeerLink>(
          core_, [&](std::unique_ptr<MoveChannel> channel) { channels.push_back(std::move(channel)); });
      runtime::TaskGroup fibers(core_);
      fibers.Spawn("lane", [&] {
        link->Serve(Urgency::kUrgent, std::make_unique<PipeConnection>(to_link_, from_link_), "");
      });
      runtime::Yield();
      body(*link);
      link->Close();
      fibers.Join();
      channels.clear();
      link->Join();
    });
  }
  void Put(Bytes bytes) {
    to_link_->bytes.insert(to_link_->bytes.end(), bytes.begin(), bytes.end());
    to_link_->changed.NotifyAll();
    while (!to_link_->bytes.empty() && !to_link_->closed) runtime::Yield();
    runtime::Yield();
  }
  static uint64_t Held() { return MemoryOf(MemoryKind::kLinks).load(); }

  runtime::TestCore core_;
  const std::shared_ptr<Pipe> to_link_ = std::make_shared<Pipe>();
  const std::shared_ptr<Pipe> from_link_ = std::make_shared<Pipe>();
};

Message Large(size_t bytes) {
  return EngineMessage{kFirstEngineType, std::vector<std::byte>(bytes)};
}

TEST_F(PeerLinkTest, HoldsNoMoreThanHasComeOfAFrameWhateverItsLengthSays) {
  const uint64_t before = Held();
  WithLink([&](PeerLink& link) {
    const std::vector<std::byte> frame = Encode(Large(limits::kFrameBytes - 100), 1);
    Put(Bytes(frame).first(kFrameHeaderBytes));
    EXPECT_LT(Held(), before + (64 << 10));
    Put(Bytes(frame).subspan(kFrameHeaderBytes, 1 << 20));
    EXPECT_LT(Held(), before + (4 << 20));
    EXPECT_GE(Held(), before + (1 << 20));
    Put(Bytes(frame).subspan(kFrameHeaderBytes + (1 << 20)));
    EXPECT_FALSE(link.lost());
    // It was for no channel; its room is given back.
    EXPECT_LE(Held(), before + (300 << 10));
  });
  EXPECT_EQ(Held(), before);
}

TEST_F(PeerLinkTest, IsLostWhenAFrameNeedsMoreMemoryThanIsLeft) {
  WithLink([&](PeerLink& link) {
    const std::vector<std::byte> frame = Encode(Large(limits::kFrameBytes - 100), 1);
    const uint64_t bound = Memory().bound();
    Memory().SetBound(Memory().used() + (4 << 20));
    Put(frame);
    EXPECT_TRUE(link.lost());
    Memory().SetBound(bound);
  });
}

TEST_F(PeerLinkTest, IsLostWhenMoreComesOnAChannelThanAnyWindowAllows) {
  const uint64_t before = Held();
  WithLink([&](PeerLink& link) {
    Offer offer;
    offer.epoch = Epoch{1};
    offer.move = "m1";
    offer.tenant = "shop";
    offer.source = "n1";
    Put(Encode(offer, 1));
    const std::vector<std::byte> frame = Encode(Large(4 << 20), 1);
    size_t sent = 0;
    for (; !link.lost() && sent < 100; ++sent) Put(frame);
    EXPECT_GE(sent, limits::kChannelWaitingBytes / frame.size());
    EXPECT_LE(sent, limits::kChannelWaitingBytes / frame.size() + 1);
  });
  EXPECT_EQ(Held(), before);
}

}  // namespace
}  // namespace tradewind::move
