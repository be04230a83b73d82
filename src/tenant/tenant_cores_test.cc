#include "tenant/tenant_cores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runtime/call_on.h"
#include "runtime/cores.h"
#include "tenant/name_claims.h"

namespace tradewind::tenant {
namespace {

using Place = TenantCores::Place;
using namespace std::chrono_literals;

class TenantCoresTest : public testing::Test {
 protected:
  void WithTable(const std::function<void()>& body) {
    EXPECT_TRUE(cores_.RunUntilReturned("test", [&] {
      table_ = std::make_unique<TenantCores>(cores_[0]);
      body();
      AwaitTold();
      table_.reset();
    }));
  }
  template <typename Work>
  auto On(size_t core, Work work) {
    return runtime::CallOn(cores_[core], [&] { return work(); });
  }
  void Serve(size_t core, const TenantName& name, uint64_t epoch) {
    On(core, [&] { table_->NoteServed(name, Epoch{epoch}); });
  }
  void Forget(size_t core, const TenantName& name, uint64_t epoch) {
    On(core, [&] { table_->NoteGone(name, Epoch{epoch}); });
  }
  std::optional<Place> Seen(size_t core, const TenantName& name) {
    return On(core, [&] { return table_->Find(name); });
  }
  void AwaitTold() {
    for (size_t core = cores_.size(); core-- > 0;) On(core, [&] { table_->Join(); });
  }

  runtime::Cores cores_{3};
  std::unique_ptr<TenantCores> table_;
};

TEST_F(TenantCoresTest, WhatOneCoreNotesAllHearOf) {
  WithTable([&] {
    for (size_t core = 0; core < cores_.size(); ++core) {
      const TenantName name = "t" + std::to_string(core);
      Serve(core, name, 5);
      EXPECT_EQ(Seen(core, name), (Place{core, Epoch{5}})) << "it knows at once";
      AwaitTold();
      for (size_t other = 0; other < cores_.size(); ++other)
        EXPECT_EQ(Seen(other, name), (Place{core, Epoch{5}}));
      Serve(core, name, 6);
      AwaitTold();
      for (size_t other = 0; other < cores_.size(); ++other)
        EXPECT_EQ(Seen(other, name), (Place{core, Epoch{6}}));
      Forget(core, name, 6);
      AwaitTold();
      for (size_t other = 0; other < cores_.size(); ++other) EXPECT_EQ(Seen(other, name), std::nullopt);
    }
  });
}

TEST_F(TenantCoresTest, ManyChangesArriveInTheirOrder) {
  WithTable([&] {
    for (uint64_t epoch = 1; epoch <= 2000; ++epoch) {
      Serve(1, "t", epoch);
      if (epoch % 2 == 0) Forget(1, "t", epoch);
      Serve(2, "u", epoch);
    }
    AwaitTold();
    for (size_t core = 0; core < cores_.size(); ++core) {
      EXPECT_EQ(Seen(core, "t"), std::nullopt);
      EXPECT_EQ(Seen(core, "u"), (Place{2, Epoch{2000}}));
    }
  });
}

TEST_F(TenantCoresTest, ATenantIsMadeOnTheCoreWithTheFewest) {
  WithTable([&] {
    EXPECT_EQ(table_->Assign("a"), 0u);
    EXPECT_EQ(table_->Assign("b"), 1u);
    EXPECT_EQ(table_->Assign("c"), 2u);
    EXPECT_EQ(table_->Assign("b"), 1u) << "it has a core";
    table_->Release("b");
    EXPECT_EQ(table_->Assign("d"), 1u);
    Serve(2, "c", 1);
    Serve(2, "e", 1);
    AwaitTold();
    EXPECT_EQ(table_->Assign("f"), 0u);
    EXPECT_EQ(table_->Assign("g"), 1u);
    EXPECT_EQ(table_->Assign("h"), 0u);
  });
}

TEST_F(TenantCoresTest, OnlyOneThatWasNotMadeIsReleased) {
  WithTable([&] {
    const size_t core = table_->Assign("a");
    EXPECT_THAT(table_->names(), testing::IsEmpty());
    Serve(core, "a", 1);
    AwaitTold();
    table_->Release("a");
    EXPECT_EQ(Seen(0, "a"), (Place{core, Epoch{1}}));
    EXPECT_THAT(table_->names(), testing::ElementsAre("a"));
  });
}

TEST_F(TenantCoresTest, ATenantThatComesGoesToOneOfTheCoresWithTheFewestEachInItsTurn) {
  WithTable([&] {
    EXPECT_NE(table_->WithFewest(), table_->WithFewest());
    table_->AssignTo("a", 0);
    table_->AssignTo("b", 2);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(table_->WithFewest(), 1u);
    table_->AssignTo("a", 1);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(table_->WithFewest(), 0u);
  });
}

TEST_F(TenantCoresTest, AClaimIsTakenAndGivenBackOnAnyCore) {
  WithTable([&] {
    NameClaims claims(cores_[0]);
    On(1, [&] {
      const auto claim = claims.ClaimName("a", cores_[1].Now());
      EXPECT_TRUE(claim);
      On(2, [&] { EXPECT_EQ(claims.ClaimName("a", cores_[2].Now()).error().code, "NAME_BUSY"); });
    });
    EXPECT_FALSE(claims.IsClaimed("a"));
  });
}

TEST_F(TenantCoresTest, ThatAnEarlierTenantOfTheNameHasGoneDoesNotTouchTheNextOne) {
  WithTable([&] {
    Serve(1, "a", 5);
    AwaitTold();
    EXPECT_EQ(table_->Assign("a"), 1u);
    Forget(1, "a", 5);  // It comes only now.
    AwaitTold();
    EXPECT_EQ(table_->Find("a"), (Place{1, Epoch{}}));
    EXPECT_EQ(Seen(0, "a"), (Place{1, Epoch{}}));
    EXPECT_EQ(Seen(2, "a"), std::nullopt);
  });
}

TEST_F(TenantCoresTest, WhoseCopyIsOldIsToldByCoreZero) {
  WithTable([&] {
    EXPECT_EQ(table_->Assign("a"), 0u);
    EXPECT_EQ(Seen(2, "a"), std::nullopt);
    EXPECT_EQ(Seen(0, "a"), (Place{0, Epoch{}}));
    EXPECT_EQ(Seen(0, "b"), std::nullopt);
  });
}

TEST_F(TenantCoresTest, AnotherCoreWaitsForAClaim) {
  WithTable([&] {
    NameClaims claims(cores_[0]);
    auto claim = std::make_optional(claims.ClaimName("a", cores_[0].Now()).value());
    bool waited = false;
    runtime::TaskGroup group(cores_[0]);
    group.Spawn("waits", [&] {
      On(1, [&] { claims.AwaitClaim("a", cores_[1].Now() + 60s); });
      waited = true;
      EXPECT_FALSE(claim);
    });
    On(1, [&] { claims.AwaitClaim("b", cores_[1].Now() + 60s); });  // Later than that, and nobody has it.
    EXPECT_FALSE(waited);
    EXPECT_EQ(claims.ClaimName("a", cores_[0].Now()).error().code, "NAME_BUSY");
    claim.reset();
    group.Join();
    EXPECT_TRUE(waited);
  });
}

TEST_F(TenantCoresTest, ANodeOfOneCoreHasNoneToLookUp) {
  runtime::Cores one(1);
  EXPECT_TRUE(one.RunUntilReturned("test", [&] {
    TenantCores table(one[0]);
    EXPECT_EQ(table.Assign("a"), 0u);
    table.NoteServed("a", Epoch{1});
    EXPECT_EQ(table.Find("a"), std::nullopt);
    table.Join();
  }));
}

class TenantCoresDeathTest : public TenantCoresTest {};

TEST_F(TenantCoresDeathTest, OnlyCoreZeroLooksAtClaimsWithoutACall) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(WithTable([&] {
                 NameClaims claims(cores_[0]);
                 On(1, [&] { static_cast<void>(claims.IsClaimed("a")); });
               }),
               "what belongs to one core is used on another");
}

}  // namespace
}  // namespace tradewind::tenant
