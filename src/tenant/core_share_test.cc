#include "tenant/core_share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "runtime/test_core.h"
#include "tenant/tenant_fixture.h"

namespace tradewind::tenant {
namespace {

using namespace std::chrono_literals;
using runtime::Duration;
using runtime::TimePoint;

constexpr auto kNoEnd = TimePoint::max();

TEST(RunTimeBucket, FillsByItsPartOfTheTimeAndHasNoMoreThanAWindowBrings) {
  TimePoint now{};
  now += 1h;
  RunTimeBucket bucket(20, now);
  Duration used{};
  EXPECT_EQ(bucket.Wait(used += 20ms, now), 0ms) << "a fifth of the window's 100 ms may be used at once";
  EXPECT_EQ(bucket.Wait(used += 2ms, now), 10ms);
  EXPECT_EQ(bucket.Wait(used, now += 9ms), 1ms);
  EXPECT_EQ(bucket.Wait(used, now += 1ms), 0ms);
  EXPECT_EQ(bucket.Wait(used += 20ms, now += 1h), 0ms) << "no more is saved up";
  EXPECT_EQ(bucket.Wait(used += 1ms, now), 5ms);
  for (int i = 0; i < 5'000; ++i) bucket.Wait(used, now += 1us);
  EXPECT_EQ(bucket.Wait(used, now), 0ms) << "however often it is looked at";
}

class CoreShareTest : public testing::Test {
 protected:
  void Spend(const std::string& tenant, Duration time) {
    const runtime::Turns turns(tenant);
    for (const TimePoint until = core_.Now() + time; core_.Now() < until;) {
    }
  }
  static Result<bool> Always() { return true; }
  Result<bool> Await(TimePoint until = kNoEnd) { return share_.Await(until, Always); }
  // It begins to count with the first one that asks.
  void Bound(uint64_t percent) {
    share_.Set(percent);
    EXPECT_TRUE(Await().value());
  }

  runtime::TestCore core_;
  CoreShare share_{core_, "shop"};
};

TEST_F(CoreShareTest, ATenantWithMoreWorkUsesItsPartAndItsNeighbourTheRest) {
  core_.Run([&] {
    Bound(20);
    Duration shop{};
    Duration blog{};
    const TimePoint began = core_.Now();
    const TimePoint end = began + 2s;
    runtime::TaskGroup group(core_);
    for (int i = 0; i < 8; ++i)
      group.Spawn("shop", [&] {
        const runtime::Turns turns("shop");
        while (core_.Now() < end) {
          EXPECT_TRUE(Await().value());
          const TimePoint from = core_.Now();
          while (!runtime::IsTurnOver()) {
          }
          shop += core_.Now() - from;
          runtime::Yield();
        }
      });
    group.Spawn("blog", [&] {
      const runtime::Turns turns("blog");
      while (core_.Now() < end) {
        const TimePoint from = core_.Now();
        while (!runtime::IsTurnOver()) {
        }
        blog += core_.Now() - from;
        runtime::Yield();
      }
    });
    group.Join();
    const double lasted = static_cast<double>((core_.Now() - began).count());
    EXPECT_NEAR(static_cast<double>(shop.count()) / lasted, 0.2, 0.05);
    EXPECT_GT(static_cast<double>(blog.count()) / lasted, 0.7);
  });
}

TEST_F(CoreShareTest, ThoseThatWaitGoOnInTheirOrderAsThereIsTimeForThem) {
  core_.Run([&] {
    Bound(10);
    Spend("shop", 30ms);
    Spend("blog", 30ms);
    std::string order;
    runtime::TaskGroup group(core_);
    const TimePoint began = core_.Now();
    for (const char name : {'a', 'b', 'c'})
      group.Spawn("waits", [&, name] {
        EXPECT_TRUE(Await().value());
        order += name;
        order += std::to_string((core_.Now() - began) / 10ms);
        Spend("shop", 5ms);
      });
    group.Join();
    // Of the 30 ms 10 were there; the others come back in 200 ms, and the 5 ms of each in 50 more.
    EXPECT_EQ(order, "a20b25c30");
  });
}

TEST_F(CoreShareTest, WhoWouldHaveToWaitForTooLongIsToldSoAtOnce) {
  core_.Run([&] {
    Bound(1);
    Spend("shop", 50ms);
    const TimePoint now = core_.Now();
    EXPECT_FALSE(Await(now + 1s).value());
    EXPECT_LT(core_.Now() - now, 1ms);
    EXPECT_TRUE(Await(now + 10s).value());
  });
}

TEST_F(CoreShareTest, WhoeverWaitsLooksAgainWhenSomethingChanges) {
  core_.Run([&] {
    Bound(1);
    Spend("shop", 50ms);
    int let_on = 0;
    bool has_to = true;
    runtime::TaskGroup group(core_);
    const auto wait = [&] {
      group.Spawn("waits", [&] {
        EXPECT_TRUE(share_.Await(kNoEnd, [&]() -> Result<bool> { return has_to; }).value());
        ++let_on;
      });
    };
    const TimePoint began = core_.Now();
    for (int i = 0; i < 3; ++i) wait();
    runtime::SleepFor(10ms);
    EXPECT_EQ(let_on, 0);
    has_to = false;
    share_.LookAgain();
    group.Join();
    has_to = true;
    for (int i = 0; i < 3; ++i) wait();
    runtime::SleepFor(10ms);
    EXPECT_EQ(let_on, 3);
    share_.Set(0);
    group.Join();
    EXPECT_EQ(let_on, 6);
    EXPECT_LT(core_.Now() - began, 100ms);
    Spend("shop", 50ms);
    EXPECT_FALSE(share_.is_bounded());
  });
}

class BoundTenantTest : public TenantFixture {
 protected:
  void SpendMuchOfATenth(Tenant& tenant) {
    tenant.SetQuotas({.cpu_percent = 10});
    EXPECT_TRUE(tenant.AwaitCoreShare(kNoEnd).value());
    const runtime::Turns turns("shop");
    for (const TimePoint until = core_.Now() + 100ms; core_.Now() < until;) {
    }
  }
  // That has had much more than its tenth of the core.
  void WithBusyTenant(const std::function<void(Tenant&)>& body) {
    WithTenant([&](Tenant& tenant) {
      SpendMuchOfATenth(tenant);
      body(tenant);
    });
  }
};

TEST_F(BoundTenantTest, AStatementRunsForItsTenantsPartOfTheTimeThatItTakes) {
  core_.tick = 20us;
  WithTenant([&](Tenant& tenant) {
    const auto part = [&] {
      const auto stream = OpenStream(tenant);
      const runtime::RunTimeMeter meter("shop");
      const TimePoint began = core_.Now();
      {
        const runtime::Turns turns("shop");
        EXPECT_EQ(Say(*stream, LongQuery(200'000)), "200000");
      }
      return static_cast<double>(meter.used().count()) / static_cast<double>((core_.Now() - began).count());
    };
    EXPECT_NEAR(part(), 1, 0.01);
    tenant.SetQuotas({.cpu_percent = 10});
    EXPECT_NEAR(part(), 0.1, 0.02);
    tenant.SetQuotas({});
    EXPECT_NEAR(part(), 1, 0.01);
  });
}

TEST_F(BoundTenantTest, AStatementBeginsOnceThereIsTimeForItAndEndsIfThatIsTooLate) {
  WithBusyTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    tenant.SetQuotas({.statement_ms = 500, .cpu_percent = 10});
    EXPECT_EQ(Say(*stream, "SELECT 1"), "STATEMENT_TIMEOUT");
    tenant.SetQuotas({.cpu_percent = 10});
    const TimePoint began = core_.Now();
    EXPECT_EQ(Say(*stream, "SELECT 1"), "1");
    EXPECT_GT(core_.Now() - began, 500ms);
  });
}

TEST_F(BoundTenantTest, AWaitEndsWithTheTenantAndWithItsStream) {
  WithBusyTenant([&](Tenant& tenant) {
    const TimePoint began = core_.Now();
    std::string said;
    std::string other;
    auto stream = OpenStream(tenant);
    auto second = OpenStream(tenant);
    runtime::TaskGroup group(core_);
    group.Spawn("statement", [&] { said = Say(*stream, "SELECT 1"); });
    group.Spawn("statement", [&] { other = Say(*second, "SELECT 1"); });
    runtime::SleepFor(10ms);
    stream->Cancel();
    runtime::SleepFor(10ms);
    EXPECT_EQ(said, "STATEMENT_CANCELLED");
    tenant.Close();
    group.Join();
    EXPECT_EQ(other, "TENANT_DOWN");
    EXPECT_LT(core_.Now() - began, 100ms);
  });
}

TEST_F(BoundTenantTest, AMoveDoesNotWaitForATransactionThatWaitsForTheCore) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    EXPECT_EQ(Say(*stream, "BEGIN IMMEDIATE"), "");
    SpendMuchOfATenth(tenant);
    std::string said = "nothing";
    runtime::TaskGroup group(core_);
    group.Spawn("transaction", [&] { said = Say(*stream, "COMMIT"); });
    runtime::SleepFor(10ms);
    EXPECT_EQ(said, "nothing");
    EXPECT_TRUE(tenant.AwaitQuiet(100ms, [] { return false; }))
        << "it goes on as soon as it is all that is left";
    tenant.Unpark();
    group.Join();
    EXPECT_EQ(said, "");
  });
}

}  // namespace
}  // namespace tradewind::tenant
