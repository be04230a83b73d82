#include "runtime/blocking_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/fiber.h"
#include "runtime/off_core.h"
#include "runtime/real_core.h"

namespace tradewind::runtime {
namespace {

TEST(BlockingPoolTest, WhoHasSubmittedMuchLeavesAThreadToOthers) {
  const int one = 0;
  const int other = 0;
  std::latch go(1);
  std::promise<void> others_is_done;
  BlockingPool pool(3);
  for (int work = 0; work < 100; ++work) pool.Submit([&] { go.wait(); }, &one);
  pool.Submit([&] { others_is_done.set_value(); }, &other);
  others_is_done.get_future().wait();
  go.count_down();
}

TEST(BlockingPoolTest, ThoseWhoHaveWorkAreServedInTurn) {
  const int one = 0;
  const int other = 0;
  std::latch submitted(1);
  std::string order;
  {
    BlockingPool pool(1);
    pool.Submit([&] { submitted.wait(); });
    for (int work = 0; work < 4; ++work) pool.Submit([&] { order += 'a'; }, &one);
    for (int work = 0; work < 2; ++work) pool.Submit([&] { order += 'b'; }, &other);
    submitted.count_down();
  }
  EXPECT_EQ(order, "ababaa");
}

TEST(BlockingPoolTest, WhatWasSubmittedIsDoneBeforeItEnds) {
  const int one = 0;
  std::atomic<int> done = 0;
  {
    BlockingPool pool(4);
    for (int work = 0; work < 1000; ++work) pool.Submit([&] { ++done; }, work % 2 == 0 ? &one : nullptr);
  }
  EXPECT_EQ(done, 1000);
}

TEST(BlockingPoolTest, WhatComputesKeepsNobodyFromTheDisk) {
  auto core = RealCore::Create();
  std::latch go(1);
  core->RunUntilReturned("test", [&] {
    TaskGroup computing(*core);
    for (int work = 0; work < 100; ++work)
      computing.Spawn("computes", [&] { ComputeOffCore([&] { go.wait(); }); });
    Yield();
    core->RunOffCore([&] { go.count_down(); });  // Else they compute for ever.
    computing.Join();
  });
}

}  // namespace
}  // namespace tradewind::runtime
