#include "load/open_loop.h"

#include <gtest/gtest.h>

#include <vector>

#include "runtime/real_core.h"

namespace tradewind::load {
namespace {

using namespace std::chrono_literals;

struct Arrival {
  uint64_t number;
  runtime::TimePoint intended;
};

TEST(OpenLoop, MeansTheArrivalsBehindAStallForTheirOwnTimes) {
  const auto core = runtime::RealCore::Create();
  core->RunUntilReturned("test", [&] {
    std::vector<Arrival> arrivals;
    runtime::Event released;
    OpenLoop loop(*core, {.per_second = 1'000, .workers = 1}, [&](uint64_t number, auto intended) {
      released.Wait();
      arrivals.push_back({number, intended});
    });
    loop.Start();
    runtime::SleepFor(20ms);
    released.Set();
    loop.Stop();
    ASSERT_GE(arrivals.size(), 20u) << "what arrived during the stall is sent after it";
    for (size_t i = 1; i < arrivals.size(); ++i) {
      EXPECT_EQ(arrivals[i].number, i);
      EXPECT_EQ(arrivals[i].intended - arrivals[i - 1].intended, 1ms);
    }
  });
}

TEST(OpenLoop, NeverSendsBeforeItsTime) {
  const auto core = runtime::RealCore::Create();
  core->RunUntilReturned("test", [&] {
    uint64_t early = 0, sent = 0;
    runtime::Event enough;
    OpenLoop loop(*core, {.per_second = 2'000, .workers = 4}, [&](uint64_t, auto intended) {
      if (core->Now() < intended) ++early;
      if (++sent == 30) enough.Set();
    });
    loop.Start();
    enough.Wait();
    loop.Stop();
    EXPECT_EQ(early, 0u);
  });
}

}  // namespace
}  // namespace tradewind::load
