#include "net/call_for.h"

#include <gtest/gtest.h>

#include <new>
#include <string>

#include "runtime/cores.h"

namespace tradewind::net {
namespace {

using namespace std::chrono_literals;

class CallForCoresTest : public testing::Test {
 protected:
  void Run(std::function<void()> body) { EXPECT_TRUE(cores_.RunUntilReturned("test", std::move(body))); }
  // Waits until its caller goes.
  Result<std::string> AwaitEnd(Caller* caller) {
    EXPECT_TRUE(cores_[1].IsHere());
    runtime::Event gone;
    const Caller::Watch watch(caller, [&] {
      EXPECT_TRUE(cores_[1].IsHere());
      gone.Set();
    });
    return gone.WaitUntil(cores_[1].Now() + 20s) ? "gone" : "still there";
  }

  runtime::Cores cores_{2};
};

TEST_F(CallForCoresTest, WhatRunsOnAnotherCoreHearsThatTheCallerHasGone) {
  Run([&] {
    Caller caller;
    runtime::TaskGroup group(cores_[0]);
    group.Spawn("client", [&] {
      runtime::SleepFor(2ms);
      caller.NoteGone();
    });
    EXPECT_EQ(CallOnFor(cores_[1], &caller, [&](Caller* there) { return AwaitEnd(there); }).value(), "gone");
    group.Join();
  });
}

TEST_F(CallForCoresTest, AndThatItHadGoneBefore) {
  Run([&] {
    Caller caller;
    caller.NoteGone();
    EXPECT_EQ(CallOnFor(cores_[1], &caller, [&](Caller* there) { return AwaitEnd(there); }).value(), "gone");
  });
}

// It goes at about the time at which the work returns; nothing is left behind, whichever comes first.
TEST_F(CallForCoresTest, ACallerMayGoWhileTheAnswerIsOnItsWay) {
  Run([&] {
    for (int round = 0; round < 500; ++round) {
      Caller caller;
      runtime::TaskGroup group(cores_[0]);
      group.Spawn("client", [&] {
        for (int turn = 0; turn < round % 5; ++turn) runtime::Yield();
        caller.NoteGone();
      });
      EXPECT_EQ(CallOnFor(cores_[1], &caller, [&](Caller* there) { return there == &caller ? 0 : round; }),
                round);
      group.Join();
    }
  });
}

TEST_F(CallForCoresTest, OnTheSameCoreTheCallerIsTheSame) {
  Run([&] {
    Caller caller;
    EXPECT_EQ(CallOnFor(cores_[0], &caller, [](Caller* there) { return there; }), &caller);
    EXPECT_EQ(CallOnFor(cores_[1], nullptr, [](Caller* there) { return there; }), nullptr);
  });
}

TEST_F(CallForCoresTest, WithoutMemoryThereTheRequestFailsHere) {
  Run([&] {
    Caller caller;
    caller.NoteGone();
    EXPECT_THROW(CallOnFor(cores_[1], &caller,
                           [](Caller*) -> int {
                             ThrowOutOfMemory();
                             return 0;
                           }),
                 std::bad_alloc);
  });
}

}  // namespace
}  // namespace tradewind::net
