#include "zephyr/flow_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <queue>

namespace tradewind::zephyr {
namespace {

using namespace std::chrono_literals;
constexpr uint64_t kBatch = limits::kPageBatchBytes / 2;
constexpr uint64_t kWide = 1u << 20;

// A link with a delay there and back, and a speed: what is sent faster waits in line.
class Link {
 public:
  Link(runtime::Duration round_trip, double bytes_per_second)
      : round_trip_(round_trip), speed_(bytes_per_second) {}

  // Sends whatever has room, for so long; returns the bytes that were dealt with.
  uint64_t Run(FlowWindow& window, runtime::Duration length) {
    uint64_t taken = 0;
    const runtime::TimePoint end = now_ + length;
    while (now_ < end) {
      while (window.HasRoom()) {
        window.NoteSent(kBatch, now_);
        const auto transmit = std::chrono::duration_cast<runtime::Duration>(
            std::chrono::duration<double>(static_cast<double>(kBatch) / speed_));
        free_at_ = std::max(free_at_, now_) + transmit;
        answers_.push(free_at_ + round_trip_);
      }
      now_ = answers_.front();
      answers_.pop();
      window.NoteAck(kBatch, now_);
      taken += kBatch;
    }
    return taken;
  }

 private:
  const runtime::Duration round_trip_;
  const double speed_;
  runtime::TimePoint now_{};
  runtime::TimePoint free_at_{};
  std::queue<runtime::TimePoint> answers_;
};

TEST(FlowWindow, FillsALinkWithALongRoundTrip) {
  FlowWindow window;
  Link link(50ms, 100e6);
  link.Run(window, 5s);  // Long enough to grow.
  const uint64_t taken = link.Run(window, 10s);
  EXPECT_GT(static_cast<double>(taken), 0.9 * 10 * 100e6);
}

TEST(FlowWindow, StaysSmallWhereTheRoundTripIsShort) {
  FlowWindow window;
  Link link(50us, 500e6);
  link.Run(window, 5s);
  EXPECT_LE(window.size(), 2 * limits::kPushWindowBytes);
}

TEST(FlowWindow, IsAMillisecondOfAShortLinkWithinBounds) {
  for (const double speed : {20e6, 110e6, 180e6, 500e6, 2e9}) {
    FlowWindow window;
    Link link(50us, speed);
    link.Run(window, 5s);
    const double within = std::clamp(speed / 1000, static_cast<double>(limits::kPushWindowLeastBytes),
                                     static_cast<double>(limits::kPushWindowBytes));
    EXPECT_NEAR(static_cast<double>(window.size()), within, within * 0.1) << speed;
  }
}

TEST(FlowWindow, HasNoRoomUntilTheOtherNodeHasDealtWithSomething) {
  FlowWindow window;
  runtime::TimePoint now{};
  while (window.HasRoom()) window.NoteSent(kBatch, now);
  EXPECT_EQ(window.in_flight(), limits::kPushWindowLeastBytes);
  window.NoteAck(kBatch, now + 1ms);
  EXPECT_TRUE(window.HasRoom());
}

TEST(PushBytes, SendsASlowMoveInFewBatchesAndAFastOneInThoseThatAreSoonOutOfTheWay) {
  for (double rate = 10e6; rate < 1e9; rate *= 1.3) {
    const auto bytes = static_cast<double>(PushBytes(rate, kWide));
    EXPECT_TRUE(rate / bytes < 401 || bytes / rate > 0.00049 || bytes == limits::kPageBatchBytes) << rate;
    EXPECT_TRUE(bytes <= 64 << 10 || bytes / rate < 0.00051) << rate;
  }
  EXPECT_EQ(PushBytes(1e6, kWide), 16u << 10) << "each is a page or several";
  EXPECT_EQ(PushBytes(0, kWide), limits::kPageBatchBytes) << "no limit";
  EXPECT_EQ(PushBytes(0, 128 << 10), 64u << 10) << "half of a window";
  EXPECT_EQ(PushBytes(1e9, 128 << 10), 64u << 10);
}

}  // namespace
}  // namespace tradewind::zephyr
