#include "gateway/stream_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "runtime/test_core.h"

namespace tradewind::gateway {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

struct Thing {
  int id = 0;
};

class StreamTableTest : public testing::Test {
 protected:
  void Run(const std::function<void()>& body) {
    core_.Run([&] {
      table_ = std::make_unique<StreamTable<Thing>>(
          core_, "things", limits::kStreamIdle, [this](const auto& thing) {
            EXPECT_EQ(table_->StateOf(*thing), StreamState::kExpired);
            ended_.push_back(thing->id);
            if (ending_takes_ > milliseconds(0)) runtime::SleepFor(ending_takes_);
          });
      body();
      table_->Stop();
      table_.reset();
    });
  }
  std::shared_ptr<Thing> Add(int id) {
    auto thing = std::make_shared<Thing>(Thing{id});
    EXPECT_TRUE(table_->Add(thing));
    return thing;
  }
  std::shared_ptr<Thing> AddAvailable(int id) {
    auto thing = Add(id);
    table_->Release(*thing);
    return thing;
  }

  runtime::TestCore core_;
  std::unique_ptr<StreamTable<Thing>> table_;
  std::vector<int> ended_;
  runtime::Duration ending_takes_{0};
};

TEST(StreamStates, GoFromAvailableToAcquiredAndBackAndEndFromBoth) {
  using S = StreamState;
  constexpr std::array kAll = {S::kAvailable, S::kAcquired, S::kExpired};
  for (const S from : kAll)
    for (const S to : kAll)
      EXPECT_EQ(IsLegal(from, to), from != S::kExpired && from != to)
          << static_cast<int>(from) << static_cast<int>(to);
}

TEST_F(StreamTableTest, ANewStreamIsAcquiredByWhoeverMadeIt) {
  Run([&] {
    const auto thing = Add(1);
    EXPECT_EQ(table_->StateOf(*thing), StreamState::kAcquired);
    EXPECT_EQ(table_->Find(1), thing);
    EXPECT_FALSE(table_->Acquire(*thing));
    EXPECT_EQ(table_->Find(2), nullptr);
    EXPECT_EQ(table_->size(), 1u);
    table_->Expire(*thing);
  });
}

TEST_F(StreamTableTest, AnIdIsGivenOnce) {
  Run([&] {
    const auto first = AddAvailable(1);
    EXPECT_FALSE(table_->Add(std::make_shared<Thing>(Thing{1})));
    EXPECT_EQ(table_->Find(1), first);
    EXPECT_EQ(table_->StateOf(*first), StreamState::kAvailable);
  });
}

TEST_F(StreamTableTest, OneRequestAtATimeAcquiresAStream) {
  Run([&] {
    const auto thing = AddAvailable(1);
    EXPECT_TRUE(table_->Acquire(*thing));
    EXPECT_FALSE(table_->Acquire(*thing));
    table_->Release(*thing);
    EXPECT_TRUE(table_->Acquire(*thing));
    table_->Expire(*thing);
  });
}

TEST_F(StreamTableTest, AnExpiredStreamIsFoundByNobody) {
  Run([&] {
    const auto thing = AddAvailable(1);
    table_->Expire(*thing);
    EXPECT_EQ(table_->Find(1), nullptr);
    EXPECT_EQ(table_->StateOf(*thing), StreamState::kExpired);
    EXPECT_FALSE(table_->Acquire(*thing));
    const auto next = AddAvailable(1);
    EXPECT_FALSE(table_->Acquire(*thing)) << "it is another stream that has the id now";
    EXPECT_EQ(table_->StateOf(*next), StreamState::kAvailable);
  });
}

TEST_F(StreamTableTest, AStreamExpiresWhenNobodyHasComeForLongEnough) {
  Run([&] {
    const auto thing = AddAvailable(1);
    runtime::SleepFor(limits::kStreamIdle - milliseconds(1));
    EXPECT_THAT(ended_, IsEmpty());
    EXPECT_EQ(table_->Find(1), thing);
    runtime::SleepFor(limits::kStreamSweep + milliseconds(1));
    EXPECT_THAT(ended_, ElementsAre(1));
    EXPECT_EQ(table_->Find(1), nullptr);
  });
}

TEST_F(StreamTableTest, EachUseIsABeginning) {
  Run([&] {
    const auto often = AddAvailable(1);
    AddAvailable(2);
    for (int i = 0; i < 10; ++i) {
      runtime::SleepFor(limits::kStreamIdle / 2);
      ASSERT_TRUE(table_->Acquire(*often)) << i;
      table_->Release(*often);
    }
    EXPECT_THAT(ended_, ElementsAre(2));
  });
}

TEST_F(StreamTableTest, AStreamThatIsInUseDoesNotExpireHoweverLongThatTakes) {
  Run([&] {
    const auto thing = AddAvailable(1);
    ASSERT_TRUE(table_->Acquire(*thing));
    runtime::SleepFor(10 * limits::kStreamIdle);
    EXPECT_THAT(ended_, IsEmpty());
    table_->Release(*thing);
    runtime::SleepFor(limits::kStreamIdle / 2);
    EXPECT_THAT(ended_, IsEmpty()) << "idle since it was given back";
    runtime::SleepFor(limits::kStreamIdle);
    EXPECT_THAT(ended_, ElementsAre(1));
  });
}

// To end one may mean to call another node.
TEST_F(StreamTableTest, AStreamIsUsedWhileAnotherIdleOneIsBeingEnded) {
  ending_takes_ = 3 * limits::kStreamSweep;
  Run([&] {
    AddAvailable(1);
    const auto next = AddAvailable(2);
    while (ended_.empty()) runtime::SleepFor(milliseconds(10));
    ASSERT_TRUE(table_->Acquire(*next)) << "its turn has not come";
    runtime::SleepFor(2 * ending_takes_);
    EXPECT_THAT(ended_, ElementsAre(1));
    EXPECT_EQ(table_->StateOf(*next), StreamState::kAcquired);
    table_->Expire(*next);
  });
}

TEST_F(StreamTableTest, IdleStreamsEndInTheOrderOfTheirLastUse) {
  Run([&] {
    const auto first = AddAvailable(1);
    AddAvailable(2);
    AddAvailable(3);
    ASSERT_TRUE(table_->Acquire(*first));
    table_->Release(*first);
    runtime::SleepFor(2 * limits::kStreamIdle);
    EXPECT_THAT(ended_, ElementsAre(2, 3, 1));
  });
}

TEST_F(StreamTableTest, ThoseThatAreMeantAreFoundInWhateverState) {
  Run([&] {
    const auto one = Add(1);
    const auto two = AddAvailable(2);
    AddAvailable(3);
    const auto small = table_->Select([](const Thing& thing) { return thing.id < 3; });
    EXPECT_THAT(small, ElementsAre(one, two));
    table_->Expire(*one);
  });
}

TEST_F(StreamTableTest, OnceItIsStoppedAStreamEndsWhenItIsGivenBack) {
  Run([&] {
    const auto used = Add(1);
    const auto idle = AddAvailable(2);
    table_->Stop();
    runtime::SleepFor(2 * limits::kStreamIdle);
    EXPECT_THAT(ended_, IsEmpty()) << "no stream expires by itself";
    EXPECT_EQ(table_->StateOf(*idle), StreamState::kAvailable);
    table_->Release(*used);
    EXPECT_EQ(table_->StateOf(*used), StreamState::kExpired);
  });
}

TEST_F(StreamTableTest, StopWaitsForTheStreamThatIsBeingEnded) {
  ending_takes_ = limits::kStreamIdle;
  Run([&] {
    AddAvailable(1);
    AddAvailable(2);
    while (ended_.empty()) runtime::SleepFor(milliseconds(10));
    const runtime::TimePoint before = core_.Now();
    table_->Stop();
    EXPECT_GT(core_.Now() - before, ending_takes_ / 2);
    EXPECT_THAT(ended_, ElementsAre(1)) << "the other one is whoever's who stops it";
  });
}

using StreamTableDeathTest = StreamTableTest;

TEST_F(StreamTableDeathTest, WhatIsNotAcquiredCannotBeGivenBack) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(Run([&] {
                 const auto thing = AddAvailable(1);
                 table_->Release(*thing);
               }),
               "used by one request at a time");
}

}  // namespace
}  // namespace tradewind::gateway
