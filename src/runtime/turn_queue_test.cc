#include "runtime/turn_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/limits.h"

namespace tradewind::runtime {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Runs takers in virtual time: each wants so much of the core, and gets it in turns.
class TurnQueueTest : public testing::Test {
 protected:
  struct Request : TurnTaker {
    Duration wants{};
    Duration got{};
    Duration ended{};
    std::string tenant;
  };

  Request& Start(const std::string& tenant, Duration wants) {
    Request& request = requests_.emplace_back();
    request.share = &shares_[tenant];
    request.wants = wants;
    request.tenant = tenant;
    queue_.Reserve(shares_.size());
    queue_.Push(&request);
    return request;
  }
  // One turn.
  void Run(Duration slice = limits::kTimeSlice) {
    auto* request = static_cast<Request*>(queue_.Pop());
    const Duration turn = std::min(slice, request->wants - request->got);
    now_ += turn;
    request->got += turn;
    queue_.End(request, turn);
    had_[request->tenant] += turn;
    if (request->got < request->wants)
      queue_.Push(request);
    else
      request->ended = now_;
  }
  void RunFor(Duration duration, Duration slice = limits::kTimeSlice) {
    for (const Duration until = now_ + duration; now_ < until && !queue_.empty();) Run(slice);
  }
  double Part(const std::string& tenant) {
    Duration all{};
    for (const auto& [name, had] : had_) all += had;
    return std::chrono::duration<double>(had_[tenant]) / std::chrono::duration<double>(all);
  }

  TurnQueue queue_;
  std::map<std::string, TurnShare> shares_;
  std::deque<Request> requests_;
  std::map<std::string, Duration> had_;
  Duration now_{};
};

constexpr Duration kEndless = std::chrono::hours(1);

TEST_F(TurnQueueTest, TwoHundredQueriesOfATenantWeighAsMuchAsOneOfAnother) {
  for (int i = 0; i < 200; ++i) Start("many", kEndless);
  Start("one", kEndless);
  RunFor(std::chrono::seconds(1));
  EXPECT_NEAR(Part("one"), 0.5, 0.05);
}

TEST_F(TurnQueueTest, ATenantPaysForTurnsThatWereTooLong) {
  Start("slow", kEndless);
  Start("quick", kEndless);
  for (int i = 0; i < 4; ++i) Run();
  had_.clear();
  now_ = {};
  for (int i = 0; i < 2000; ++i) {
    // Whoever is slow keeps the core for a hundred times as long.
    auto* request = static_cast<Request*>(queue_.Pop());
    const Duration turn = request->tenant == "slow" ? Duration(milliseconds(20)) : limits::kTimeSlice;
    had_[request->tenant] += turn;
    queue_.End(request, turn);
    queue_.Push(request);
  }
  EXPECT_NEAR(Part("quick"), 0.5, 0.1);
}

TEST_F(TurnQueueTest, StreamsOfATenantGoRound) {
  std::vector<Request*> all;
  for (int i = 0; i < 5; ++i) all.push_back(&Start("t", kEndless));
  RunFor(milliseconds(100));
  for (const Request* request : all) EXPECT_NEAR(request->got.count(), 20e6, 1e6);
}

TEST_F(TurnQueueTest, WhatIsShortAndNewGoesFirst) {
  for (int tenant = 0; tenant < 20; ++tenant)
    for (int i = 0; i < 10; ++i) Start("t" + std::to_string(tenant), kEndless);
  RunFor(std::chrono::seconds(1));
  for (int i = 0; i < 100; ++i) {
    const Duration came = now_;
    const Request& request = Start("neighbour", microseconds(50));
    Run();
    EXPECT_EQ(request.ended, came + microseconds(50));
    Run();
  }
}

TEST_F(TurnQueueTest, WhatIsLongDoesNotStarve) {
  Start("long", kEndless);
  RunFor(milliseconds(10));
  had_.clear();
  for (const Duration until = now_ + std::chrono::seconds(1); now_ < until;) {
    if (!queue_.has_others_first()) Start("short", microseconds(50));
    Start("short", microseconds(50));
    Run();
  }
  EXPECT_NEAR(Part("long"), 0.25, 0.02);
}

TEST_F(TurnQueueTest, FloodOfShortRequestsOfATenantDoesNotKeepAnotherWaiting) {
  for (int i = 0; i < 1000; ++i) Start("flood", microseconds(100));
  RunFor(milliseconds(5));
  const Duration came = now_;
  const Request& request = Start("neighbour", microseconds(50));
  RunFor(milliseconds(5));
  EXPECT_LE(request.ended, came + microseconds(200));
  EXPECT_GT(request.ended, Duration::zero());
}

TEST_F(TurnQueueTest, ATenantThatComesBackIsOwedNothing) {
  Start("busy", kEndless);
  RunFor(std::chrono::seconds(10));
  had_.clear();
  Start("back", kEndless);
  RunFor(milliseconds(500));
  EXPECT_NEAR(Part("back"), 0.5, 0.05);
}

TEST_F(TurnQueueTest, WhatRanWithoutWaitingIsChargedAsWell) {
  Start("other", kEndless);
  RunFor(milliseconds(10));
  had_.clear();
  // One request of the tenant runs at once, for a while; its next ones wait.
  Request direct;
  direct.share = &shares_["direct"];
  queue_.Reserve(shares_.size());
  queue_.Begin(&direct);
  Start("direct", kEndless).had = limits::kShortRequest;
  queue_.End(&direct, microseconds(100));
  RunFor(milliseconds(100));
  EXPECT_NEAR(Part("other"), 0.5, 0.02);
}

}  // namespace
}  // namespace tradewind::runtime
