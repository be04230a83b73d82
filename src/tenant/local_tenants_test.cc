// Tenants that nobody uses are closed, and nobody who comes notices.
#include "tenant/local_tenants.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "base/memory_pool.h"
#include "runtime/test_core.h"
#include "sqlite/database_file.h"

namespace tradewind::tenant {
namespace {

using namespace std::chrono_literals;

class LocalTenantsTest : public testing::Test {
 protected:
  // Runs `body` in a fiber, with `tenants` tenants t0, t1, ... that have a table t(x).
  void WithTenants(int tenants, LocalTenants::Options options, const std::function<void()>& body) {
    core_.Run([&] {
      RemovedFiles removed(core_, core_.folder() + "/removed");
      TW_CHECK(removed.Start().has_value(), "the folder is there");
      tenants_ = std::make_unique<LocalTenants>(core_, core_.folder(), removed, std::move(options));
      for (int number = 0; number < tenants; ++number) {
        const TenantName name = NameOf(number);
        auto file = core_.disk().Open(tenants_->PathOf(name), runtime::OpenMode::kCreate).value();
        TW_CHECK(sqlite::WriteEmptyDatabase(*file).has_value(), "the file is written");
        file.reset();
        tenants_->AddOwned(name, Epoch{1});
        EXPECT_EQ(Say(name, "CREATE TABLE t(x)"), "");
      }
      body();
      tenants_->CloseAll();
      tenants_.reset();
      removed.Stop();
    });
  }
  static TenantName NameOf(int number) { return "t" + std::to_string(number); }
  // Runs a statement on a stream of its own; its first value, or the code of its failure.
  std::string Say(const TenantName& name, const std::string& sql) {
    auto use = tenants_->Find(name);
    if (!use) return use.error().code;
    auto stream = (*use)->OpenStream();
    if (!stream) return stream.error().code;
    const auto result = (*stream)->Execute({.sql = sql});
    if (!result) return result.error().code;
    if (const auto durable = (*use)->WaitDurable(); !durable) return durable.error().code;
    if (result->rows.empty()) return "";
    return std::to_string(std::get<int64_t>(result->rows[0][0]));
  }
  bool IsOpen(int number) { return tenants_->IfOpen(NameOf(number)) != nullptr; }

  runtime::TestCore core_;
  std::unique_ptr<LocalTenants> tenants_;
};

TEST_F(LocalTenantsTest, NoMoreAreOpenThanTheBoundAndTheLeastRecentlyUsedClose) {
  WithTenants(10, {.most_open = 3}, [&] {
    for (int round = 0; round < 3; ++round)
      for (int number = 0; number < 10; ++number) {
        EXPECT_EQ(Say(NameOf(number), "INSERT INTO t VALUES(1) RETURNING 7"), "7");
        EXPECT_LE(tenants_->open_count(), 3u);
      }
    EXPECT_TRUE(IsOpen(9));
    EXPECT_TRUE(IsOpen(8));
    EXPECT_FALSE(IsOpen(0));
    EXPECT_EQ(Say("t8", "SELECT count(*) FROM t"), "3");
    EXPECT_EQ(Say("t0", "SELECT count(*) FROM t"), "3");
    EXPECT_TRUE(IsOpen(8)) << "it was used later than t9";
    EXPECT_GT(tenants_->counters().closings, 20u);
    EXPECT_EQ(tenants_->counters().openings - tenants_->counters().closings, tenants_->open_count());
  });
}

TEST_F(LocalTenantsTest, WhileLittleMemoryIsLeftThoseThatNobodyUsesClose) {
  WithTenants(5, {}, [&] {
    for (int number = 0; number < 5; ++number) EXPECT_EQ(Say(NameOf(number), "SELECT 1"), "1");
    EXPECT_EQ(tenants_->open_count(), 5u);
    const uint64_t bound = Memory().bound();
    Memory().SetBound(Memory().used());
    EXPECT_EQ(Say("t4", "SELECT 1"), "1");
    while (tenants_->counters().closings < 4) runtime::Yield();
    EXPECT_EQ(Say("t4", "SELECT 1"), "1");
    Memory().SetBound(bound);
  });
}

TEST_F(LocalTenantsTest, OneThatIsInUseStaysOpen) {
  WithTenants(6, {.most_open = 2}, [&] {
    auto use = tenants_->Find("t0").value();
    const auto stream = use->OpenStream().value();
    ASSERT_TRUE(stream->Execute({.sql = "BEGIN"}));
    ASSERT_TRUE(stream->Execute({.sql = "INSERT INTO t VALUES(1)"}));
    for (int number = 1; number < 6; ++number) EXPECT_EQ(Say(NameOf(number), "SELECT 1"), "1");
    EXPECT_TRUE(IsOpen(0));
    EXPECT_TRUE(stream->Execute({.sql = "COMMIT"}));
    EXPECT_EQ(Say("t0", "SELECT count(*) FROM t"), "1");
  });
}

TEST_F(LocalTenantsTest, OneThatIsClaimedOrMovesOrIsNotIdleForItselfStaysOpen) {
  bool busy = false;
  NameClaims claims(core_);
  WithTenants(1, {.claims = &claims, .is_busy = [&](const TenantName&) { return busy; }}, [&] {
    const auto stays = [&](const char* why) {
      EXPECT_FALSE(tenants_->CloseOneIdle()) << why;
      EXPECT_TRUE(IsOpen(0)) << why;
    };
    busy = true;
    stays("a move");
    busy = false;
    {
      const auto claim = claims.ClaimName("t0", core_.Now() + 1s).value();
      stays("a claim");
    }
    Tenant* const tenant = &SqliteTenant(*tenants_->IfOpen("t0"));
    tenant->checkpoints().Stop();
    stays("a hand-over");
    tenant->checkpoints().Allow();
    tenant->Park();
    stays("a closed gate");
    tenant->Unpark();
    tenant->store().handed().StartSending();
    stays("a source");
    tenant->store().handed().StopSending();
    tenants_->RefuseUses("t0");
    EXPECT_FALSE(tenants_->CloseOneIdle());
    tenants_->Own("t0", Epoch{2});
    EXPECT_TRUE(tenants_->CloseOneIdle());
    EXPECT_FALSE(IsOpen(0));
    EXPECT_EQ(tenants_->EpochOf("t0"), Epoch{2});
    EXPECT_EQ(Say("t0", "SELECT count(*) FROM t"), "0");
  });
}

TEST_F(LocalTenantsTest, WhoComesWhileItClosesWaitsAndOpensItAgain) {
  WithTenants(1, {}, [&] {
    EXPECT_EQ(Say("t0", "INSERT INTO t VALUES(1) RETURNING 7"), "7");
    core_.syncs.held = true;
    runtime::TaskGroup group(core_);
    bool closed = true;
    group.Spawn("close", [&] { closed = tenants_->CloseOneIdle(); });
    while (core_.syncs.waiting == 0) runtime::Yield();
    EXPECT_FALSE(IsOpen(0));
    EXPECT_TRUE(tenants_->Has("t0"));
    std::vector<std::string> said(5);
    for (std::string& one : said) group.Spawn("client", [&] { one = Say("t0", "SELECT count(*) FROM t"); });
    runtime::SleepFor(1s);
    EXPECT_EQ(said, std::vector<std::string>(5)) << "they wait";
    core_.syncs.Release();
    group.Join();
    EXPECT_EQ(said, std::vector<std::string>(5, "1"));
    EXPECT_FALSE(closed) << "it was wanted before it was closed";
    EXPECT_TRUE(tenants_->CloseOneIdle());
    EXPECT_EQ(Say("t0", "SELECT count(*) FROM t"), "1");
  });
}

TEST_F(LocalTenantsTest, OneThatIsDeletedWhileItClosesGoes) {
  WithTenants(2, {}, [&] {
    for (const bool files_go : {true, false}) {
      const TenantName name = files_go ? "t0" : "t1";
      EXPECT_EQ(Say(name, "INSERT INTO t VALUES(1) RETURNING 7"), "7");
      core_.syncs.held = true;
      runtime::TaskGroup group(core_);
      group.Spawn("close", [&] {
        while (IsOpen(files_go ? 0 : 1)) tenants_->CloseOneIdle();
      });
      while (core_.syncs.waiting == 0) runtime::Yield();
      group.Spawn("forget", [&] {
        tenants_->CloseAndForget(name, files_go ? LocalTenants::Files::kGo : LocalTenants::Files::kStay);
      });
      runtime::SleepFor(1s);
      core_.syncs.Release();
      group.Join();
      EXPECT_EQ(Say(name, "SELECT 1"), kNotHereCode);
    }
    EXPECT_EQ(tenants_->open_count(), 0u);
  });
}

TEST_F(LocalTenantsTest, WhenAllAreInUseOneWaitsAndThenIsToldToTryAgain) {
  WithTenants(3, {.most_open = 2}, [&] {
    std::optional<LocalTenants::Use> first = tenants_->Find("t0").value();
    const auto second = tenants_->Find("t1").value();
    const runtime::TimePoint began = core_.Now();
    EXPECT_EQ(Say("t2", "SELECT 1"), "TENANTS_IN_USE");
    EXPECT_GE(core_.Now() - began, limits::kOpenTenantWait);
    std::string said;
    runtime::TaskGroup group(core_);
    group.Spawn("client", [&] { said = Say("t2", "SELECT count(*) FROM t"); });
    runtime::SleepFor(1s);
    EXPECT_EQ(said, "");
    first.reset();
    group.Join();
    EXPECT_EQ(said, "0");
  });
}

TEST_F(LocalTenantsTest, OneWhoseLogCannotBeCopiedStaysOpenAndServes) {
  WithTenants(2, {.most_open = 2}, [&] {
    EXPECT_EQ(Say("t0", "INSERT INTO t VALUES(zeroblob(30000)) RETURNING 7"), "7");
    core_.disk_full = true;
    EXPECT_FALSE(tenants_->CloseOneIdle() && tenants_->CloseOneIdle());
    EXPECT_TRUE(IsOpen(0));
    EXPECT_EQ(Say("t0", "SELECT count(*) FROM t"), "1");
    core_.disk_full = false;
    while (tenants_->CloseOneIdle()) {
    }
    EXPECT_EQ(tenants_->open_count(), 0u);
    EXPECT_EQ(Say("t0", "SELECT count(*) FROM t"), "1");
  });
}

TEST_F(LocalTenantsTest, OneWhoseDiskHasFailedStaysDownAndIsNotOpenedAnew) {
  WithTenants(1, {}, [&] {
    core_.syncs.failing = true;
    EXPECT_EQ(Say("t0", "INSERT INTO t VALUES(1) RETURNING 7"), "TENANT_DOWN");
    core_.syncs.failing = false;
    EXPECT_FALSE(tenants_->CloseOneIdle());
    EXPECT_EQ(Say("t0", "SELECT 1"), "TENANT_DOWN");
  });
}

TEST_F(LocalTenantsTest, ADescriptorThatIsWantedElsewhereClosesOne) {
  WithTenants(4, {}, [&] {
    EXPECT_EQ(tenants_->open_count(), 4u);
    EXPECT_TRUE(core_.descriptors().AwaitRoom(core_.Now() + 1s));
    EXPECT_EQ(tenants_->open_count(), 3u);
    EXPECT_FALSE(IsOpen(0));
  });
}

// The name of the log stays, so the next commit needs no sync of the folder, and no other one besides its own.
TEST_F(LocalTenantsTest, TheFirstCommitAfterAnOpeningCostsWhatTheNextOneDoes) {
  WithTenants(1, {}, [&] {
    for (int opening = 0; opening < 3; ++opening) {
      ASSERT_TRUE(tenants_->CloseOneIdle());
      EXPECT_TRUE(core_.disk().Exists(tenants_->PathOf("t0") + "-wal").value());
      for (int commit = 0; commit < 2; ++commit) {
        const size_t syncs = core_.syncs.done;
        EXPECT_EQ(Say("t0", "INSERT INTO t VALUES(1) RETURNING 7"), "7");
        EXPECT_EQ(core_.syncs.done, syncs + 1);
      }
    }
  });
}

TEST_F(LocalTenantsTest, WhatWasHotInALargeOneIsRemembered) {
  WithTenants(1, {}, [&] {
    EXPECT_EQ(
        Say("t0",
            "INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) "
            "SELECT zeroblob(3000) FROM c RETURNING 7"),
        "7");
    EXPECT_EQ(Say("t0", "SELECT length(x) FROM t WHERE rowid = 1234"), "3000");
    const auto hot = SqliteTenant(*tenants_->IfOpen("t0")).store().HotPages(limits::kRememberedHotPages);
    ASSERT_EQ(hot.size(), limits::kRememberedHotPages);
    ASSERT_TRUE(tenants_->CloseOneIdle());
    EXPECT_EQ(Say("t0", "SELECT 1"), "1");
    const auto again = SqliteTenant(*tenants_->IfOpen("t0")).store().HotPages(limits::kRememberedHotPages);
    const std::set<PageNumber> before(hot.begin(), hot.end());
    // But for what the opening itself has read.
    EXPECT_LE(
        std::count_if(again.begin(), again.end(), [&](PageNumber page) { return !before.contains(page); }),
        5);
  });
}

TEST_F(LocalTenantsTest, ItEndsWhileSomeCloseAndOthersWaitForRoom) {
  WithTenants(5, {.most_open = 1}, [&] {
    auto use = std::make_unique<LocalTenants::Use>(tenants_->Find("t0").value());
    runtime::TaskGroup group(core_);
    std::string said;
    group.Spawn("client", [&] { said = Say("t1", "SELECT 1"); });
    runtime::SleepFor(100ms);
    tenants_->StopWaits();
    group.Join();
    EXPECT_EQ(said, "TENANTS_IN_USE");
    use.reset();
  });
}

}  // namespace
}  // namespace tradewind::tenant
