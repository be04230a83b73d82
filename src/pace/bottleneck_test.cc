#include "pace/bottleneck.h"

#include <gtest/gtest.h>

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;
using Cause = Bottleneck::Cause;

TEST(Bottleneck, IsWhatTookMostOfTheLastSeconds) {
  runtime::TimePoint now{};
  Bottleneck bottleneck(now);
  EXPECT_EQ(bottleneck.Worst(now), std::nullopt);
  for (int round = 0; round < 1000; ++round) {
    bottleneck.Note(Cause::kDisk, now += 1ms);
    bottleneck.Note(Cause::kPace, now += 8ms);
    bottleneck.Note(Cause::kPeer, now += 2ms);
  }
  EXPECT_EQ(bottleneck.Worst(now), Cause::kPace);
  EXPECT_EQ(bottleneck.Worst(now, Cause::kPace), Cause::kPeer) << "once there is no throttle any more";
  for (int round = 0; round < 300; ++round) {
    bottleneck.Note(Cause::kPace, now += 1ms);
    bottleneck.Note(Cause::kPeer, now += 12ms);
  }
  EXPECT_EQ(bottleneck.Worst(now), Cause::kPeer) << "what was before is forgotten";
  EXPECT_EQ(bottleneck.Worst(now + 10s), std::nullopt) << "nothing is sent";
}

}  // namespace
}  // namespace tradewind::pace
