// A request for which there is no memory fails alone: each allocation of a statement fails once, in turn.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <optional>
#include <string>

#include "sqlite/set_aside.h"
#include "tenant/tenant_fixture.h"

namespace {

// Of the fiber that is named: the allocation that fails, counted from now; 0: none.
thread_local tradewind::runtime::Fiber* victim = nullptr;
thread_local size_t countdown = 0;
thread_local size_t failing_bytes = SIZE_MAX;

bool Fails(size_t bytes) {
  if (victim == nullptr || tradewind::runtime::CurrentFiber() != victim) return false;
  return bytes >= failing_bytes || (countdown > 0 && --countdown == 0);
}

}  // namespace

// Of this test program.
void* operator new(size_t bytes) {
  if (Fails(bytes)) throw std::bad_alloc();
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace tradewind::tenant {
namespace {

class OutOfMemoryTest : public TenantFixture {};

TEST_F(OutOfMemoryTest, AStatementFailsAloneWhicheverAllocationFails) {
  const std::string statements[] = {
      "SELECT 'a text that does not fit into the string itself', * FROM t",
      "INSERT INTO t (v) VALUES (hex(randomblob(50))) RETURNING id, v, hex(randomblob(50))",
      "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000) SELECT max(x) FROM c, t",
      "CREATE TABLE another_table (with_a_column)",
      "PRAGMA foreign_keys=OFF",
      "SELECT load_extension('not allowed')",
      "PRAGMA integrity_check",
  };
  size_t failed = 0;
  const size_t set_aside = sqlite::ConnectionsSetAside();
  WithTenant([&](Tenant& tenant) {
    EXPECT_EQ(Say(*OpenStream(tenant), "INSERT INTO t VALUES (1, 'a row whose text takes memory as well')"),
              "");
    for (const std::string& sql : statements) {
      SCOPED_TRACE(sql);
      for (size_t nth = 1; nth < 2'000; ++nth) {
        std::string before, outcome;
        bool all_were_made = false;
        {
          const auto stream = OpenStream(tenant);
          EXPECT_EQ(Say(*stream, "BEGIN"), "");
          EXPECT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (1)"), "");
          core_.tick = std::chrono::microseconds(100);  // It yields at each progress call.
          const sql::Statement statement{.sql = sql};
          victim = runtime::CurrentFiber();
          countdown = nth;
          const auto result = stream->Execute(statement);
          all_were_made = countdown > 0;
          countdown = 0;
          victim = nullptr;
          core_.tick = std::chrono::microseconds(1);
          if (!result) {
            ++failed;
            outcome = result.error().code;
            if (sql.find("load_ext") == std::string::npos) {
              EXPECT_TRUE(outcome == "OUT_OF_MEMORY" || outcome == "SQLITE_NOMEM") << outcome << " " << nth;
            }
          }
          Say(*stream, "ROLLBACK");
        }
        // Nothing holds the turn, or a snapshot, and the next one is served.
        const auto next = OpenStream(tenant);
        ASSERT_EQ(Say(*next, "UPDATE t SET v = v"), "") << nth;
        ASSERT_EQ(Say(*next, "SELECT count(*) FROM t"), "1") << nth;
        if (all_were_made) break;
      }
    }
    EXPECT_TRUE(tenant.WaitDurable());
    EXPECT_FALSE(tenant.failed());
  });
  EXPECT_GT(failed, 50u);
  EXPECT_EQ(sqlite::ConnectionsSetAside(), set_aside);  // No statement is left behind.
}

TEST_F(OutOfMemoryTest, ARowForWhichThereIsNoRoomUndoesItsStatement) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    victim = runtime::CurrentFiber();
    failing_bytes = 1'000'000;
    EXPECT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (zeroblob(2000000)) RETURNING v"), "OUT_OF_MEMORY");
    failing_bytes = SIZE_MAX;
    victim = nullptr;
    EXPECT_EQ(Say(*stream, "SELECT count(*) FROM t"), "0");
    EXPECT_TRUE(stream->autocommit());
  });
}

}  // namespace
}  // namespace tradewind::tenant
