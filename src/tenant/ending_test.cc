// Whatever a request of a client waits for, the end of its tenant or of its stream does not wait for it.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tenant/tenant_fixture.h"

namespace tradewind::tenant {
namespace {

using sqlite::CodeOf;
using namespace std::chrono_literals;

// In virtual time, in which a look at the clock takes a tenth of a millisecond.
constexpr runtime::Duration kSoon = 100ms;

struct Wait {
  std::string name;
  std::string sql;  // What waits.
  // Brings the wait about, and returns what ends it afterwards.
  std::function<std::function<void()>(Tenant&, Stream& other)> prepare;
};

std::function<void()> Nothing(Tenant&, Stream&) {
  return [] {};
}

std::vector<Wait> Waits() {
  const std::string endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) ";
  return {
      {"it runs without a table", endless + "SELECT count(*) FROM c", Nothing},
      {"it runs over tables", endless + "SELECT count(*) FROM c, t", Nothing},
      {"it writes", "INSERT INTO t (v) " + endless + "SELECT x FROM c", Nothing},
      {"it is sorted into an index", endless + "SELECT DISTINCT x FROM c ORDER BY -x", Nothing},
      {"one instruction reads every page", "PRAGMA integrity_check", Nothing},
      {"it waits for the turn", "INSERT INTO t (v) VALUES (1)",
       [](Tenant&, Stream& other) {
         EXPECT_TRUE(other.Execute({.sql = "BEGIN IMMEDIATE"}));
         return [] {};
       }},
      {"it waits at the gate", "SELECT * FROM t",
       [](Tenant& tenant, Stream&) {
         tenant.Park();
         return [] {};
       }},
      {"it waits for SQLite's lock", "INSERT INTO t (v) VALUES (1)",
       [](Tenant& tenant, Stream&) {
         std::shared_ptr<sqlite::Connection> outsider =
             std::move(sqlite::Connection::Open(tenant.store()).value());
         EXPECT_TRUE(outsider->Run({.sql = "BEGIN IMMEDIATE"}));
         return [outsider] { outsider->Close(); };
       }},
      {"it waits for a page of another node", "SELECT count(*) FROM t",
       [](Tenant& tenant, Stream&) {
         sqlite::PageStore& store = tenant.store();
         auto map = sqlite::PresenceMap::Create(tenant.core().disk(), store.path() + "-presence",
                                                store.page_size(), store.page_count(), 1);
         EXPECT_TRUE(map);
         store.SetPresence(std::move(*map), [](PageNumber) {});
         return [] {};
       }},
  };
}

class EndingTest : public TenantFixture {
 protected:
  // Has `end` called while the statement waits; expects the statement to fail soon. Returns its code.
  std::string EndDuring(const Wait& wait, const std::function<void(Tenant&, Stream&)>& end) {
    SCOPED_TRACE(wait.name);
    std::string outcome;
    core_.Run([&] {
      const auto tenant = OpenTenant();
      const auto stream = OpenStream(*tenant);
      const auto other = OpenStream(*tenant);
      const std::function<void()> tidy = wait.prepare(*tenant, *other);
      core_.tick = 100us;
      runtime::TaskGroup group(core_);
      group.Spawn("request", [&] { outcome = Say(*stream, wait.sql); });
      runtime::SleepFor(5ms);
      EXPECT_EQ(outcome, "");
      const runtime::TimePoint began = core_.Now();
      end(*tenant, *stream);
      group.Join();
      EXPECT_LT(core_.Now() - began, kSoon);
      core_.tick = 1us;
      tidy();
      tenant->Close();
    });
    return outcome;
  }
  // 3,000 pages, all in the main file.
  void Fill() {
    WithTenant([&](Tenant& tenant) {
      EXPECT_EQ(
          Say(*OpenStream(tenant),
              "INSERT INTO t (v) WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000)"
              " SELECT zeroblob(4000) FROM c"),
          "");
      EXPECT_TRUE(tenant.WaitDurable());
    });
  }
};

TEST_F(EndingTest, ATenantIsClosedSoonWhateverItsRequestsWaitFor) {
  Fill();
  for (const Wait& wait : Waits()) {
    const std::string code = EndDuring(wait, [&](Tenant& tenant, Stream&) {
      const runtime::TimePoint began = core_.Now();
      tenant.Close();
      EXPECT_LT(core_.Now() - began, kSoon);
    });
    EXPECT_EQ(code, wait.name.ends_with("of another node") ? "PULL_FAILED" : "TENANT_DOWN") << wait.name;
  }
}

TEST_F(EndingTest, AStreamIsCancelledSoonWhateverItsStatementWaitsFor) {
  Fill();
  for (const Wait& wait : Waits()) {
    if (wait.name.ends_with("of another node")) continue;  // That ends with all waits for that node.
    EXPECT_EQ(EndDuring(wait, [](Tenant&, Stream& stream) { stream.Cancel(); }), "STATEMENT_CANCELLED")
        << wait.name;
  }
}

TEST_F(EndingTest, ACancelledStreamLetsNoFurtherStatementBeginHoweverShortEachIs) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    size_t ran = 0;
    std::string outcome;
    runtime::TaskGroup group(core_);
    group.Spawn("script", [&] {
      for (; outcome.empty(); ++ran) {
        outcome = CodeOf(stream->ExecuteFirst("SELECT 1;"));
        runtime::Yield();
      }
    });
    while (ran < 100) runtime::Yield();
    stream->Cancel();
    const size_t until = ran;
    group.Join();
    EXPECT_LE(ran, until + 2);
    EXPECT_EQ(outcome, "STATEMENT_CANCELLED");
    EXPECT_EQ(Say(*stream, "SELECT 1"), "STATEMENT_CANCELLED");
    EXPECT_EQ(CodeOf(stream->Describe("SELECT 1")), "STATEMENT_CANCELLED");
    // Where the tenant has moved, what has not begun runs there.
    tenant.Park();
    tenant.SetMoved();
    EXPECT_EQ(Say(*stream, "SELECT 1"), "TENANT_MOVED");
  });
}

TEST_F(EndingTest, AnExportEndsSoonWhenItIsToldToOrItsTenantIsClosed) {
  Fill();
  for (const bool closes : {true, false})
    core_.Run([&] {
      const auto tenant = OpenTenant();
      core_.tick = 100us;
      bool ends = false;
      std::string outcome;
      runtime::TaskGroup group(core_);
      group.Spawn("export", [&] {
        const auto keep_going = [&]() -> Result<void> {
          if (ends) return Fail(ErrorKind::kUnavailable, "TOLD_TO_END", "");
          return {};
        };
        outcome = CodeOf(tenant->ExportTo(core_.folder() + "/copy.db", keep_going));
      });
      while (tenant->open_transactions() == 0) runtime::Yield();
      const runtime::TimePoint began = core_.Now();
      ends = !closes;
      if (closes) tenant->Close();
      group.Join();
      EXPECT_LT(core_.Now() - began, kSoon);
      EXPECT_EQ(outcome, closes ? "TENANT_DOWN" : "TOLD_TO_END");
      EXPECT_FALSE(*core_.disk().Exists(core_.folder() + "/copy.db"));
      core_.tick = 1us;
      tenant->Close();
    });
}

}  // namespace
}  // namespace tradewind::tenant
