#include "sqlite/memory_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

using testing::StartsWith;

class MemoryBudgetTest : public DatabaseFixture {
 protected:
  void WithConnection(const std::function<void(Connection&)>& body) {
    core_.Run([&] {
      const auto store = OpenStore();
      store_ = store.get();
      const auto connection = Connect(*store);
      body(*connection);
    });
  }
  PageStore* store_ = nullptr;
};

// Tables that double each other.
std::string Doubling(int times) {
  std::string sql = "WITH c0 (x) AS (SELECT 1)";
  for (int at = 1; at <= times; ++at) {
    const std::string before = "c" + std::to_string(at - 1);
    sql += ", c" + std::to_string(at) + " (x) AS (SELECT x FROM " + before + " UNION ALL SELECT x FROM " +
           before + ")";
  }
  return sql + " SELECT count(*) FROM c" + std::to_string(times);
}

TEST_F(MemoryBudgetTest, AStatementThatExplodesWhenItIsCompiledIsRefused) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, Doubling(8)), "256");
    for (const int times : {24, 200})
      EXPECT_THAT(Ask(connection, Doubling(times)), StartsWith("SQL_TOO_COMPLEX")) << times;
    EXPECT_EQ(CodeOf(connection.Describe(Doubling(24))), "SQL_TOO_COMPLEX");
    EXPECT_EQ(Ask(connection, Doubling(8)), "256");
  });
}

TEST_F(MemoryBudgetTest, ViewsThatDoubleEachOtherOrAreAChainAreRefused) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE VIEW d0 AS SELECT 1 AS x"), "");
    EXPECT_EQ(Ask(connection, "CREATE VIEW e0 AS SELECT 1 AS x"), "");
    for (int at = 1; at <= 24; ++at) {
      const std::string was = std::to_string(at - 1);
      for (const char* name : {"d", "e"})
        EXPECT_EQ(Ask(connection, "CREATE VIEW " + (name + std::to_string(at)) + " AS SELECT x FROM d" + was +
                                      " UNION ALL SELECT x FROM e" + was),
                  "");
    }
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM d8"), "256");
    EXPECT_FALSE(connection.Run({.sql = "SELECT count(*) FROM d24"}));
    EXPECT_EQ(Ask(connection, "CREATE VIEW v0 AS SELECT 1 AS x"), "");
    for (int at = 1; at < 1'500; ++at)
      ASSERT_EQ(Ask(connection, "CREATE VIEW v" + std::to_string(at) + " AS SELECT DISTINCT x FROM v" +
                                    std::to_string(at - 1) + " LIMIT 5"),
                "");
    EXPECT_EQ(Ask(connection, "SELECT x FROM v100"), "1");
    EXPECT_THAT(Ask(connection, "SELECT x FROM v1499"), StartsWith("SQL_TOO_COMPLEX"));
    EXPECT_EQ(Ask(connection, "SELECT x FROM v100"), "1");
  });
}

TEST_F(MemoryBudgetTest, ALongTextMayTakeMore) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (a, b, c)"), "");
    std::string sql = "INSERT INTO t VALUES (1,2,3)";
    for (int row = 1; row < 100'000; ++row) sql += ",(1,2,3)";
    EXPECT_EQ(Ask(connection, sql), "");
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "100000");
  });
}

// Bounds the process's pools for a test.
class Bounds {
 public:
  Bounds(uint64_t memory, uint64_t temporary) {
    Memory().SetBound(memory);
    TemporarySpace().SetBound(temporary);
  }
  ~Bounds() {
    Memory().SetBound(memory_);
    TemporarySpace().SetBound(temporary_);
  }

 private:
  const uint64_t memory_ = Memory().bound();
  const uint64_t temporary_ = TemporarySpace().bound();
};

constexpr uint64_t kMiB = 1 << 20;
constexpr char kRows[] =
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 12000) SELECT ";

// Statements that sort or keep apart `bytes` in all, in rows of 1,000 bytes, and what each answers.
std::vector<std::pair<std::string, std::string>> Hoarders(size_t rows) {
  const std::string n = std::to_string(rows);
  const std::string from =
      "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT " + n + ") SELECT ";
  return {
      {from + "count(DISTINCT randomblob(1000)) FROM c", n},
      {"SELECT count(*) FROM (SELECT DISTINCT randomblob(1000) FROM (" + from + "x FROM c))", n},
      {from + "x FROM (SELECT x, randomblob(1000) AS b FROM c ORDER BY b LIMIT 1 OFFSET 99999999)", ""},
      {"SELECT count(*) FROM (SELECT randomblob(1000) AS b, x FROM (" + from + "x FROM c) GROUP BY 1, 2)", n},
      {"WITH m AS MATERIALIZED (" + from +
           "randomblob(1000) AS b FROM c) SELECT count(*) FROM m AS p, (SELECT 1) ",
       n},
      {from + "count(*) FROM (SELECT x, row_number() OVER (ORDER BY randomblob(1000)) FROM c)", n},
      {"SELECT count(*) FROM (" + from + "randomblob(1000) FROM c UNION SELECT 1)", std::to_string(rows + 1)},
      {"SELECT count(*) FROM (" + from + "randomblob(1000) FROM c EXCEPT SELECT 1)", n},
      {"SELECT count(*) FROM t WHERE v IN (" + from + "randomblob(1000) FROM c)", "0"},
  };
}

TEST_F(MemoryBudgetTest, WhatIsSortedOrKeptApartGoesToFilesAndTakesLittleMemory) {
  WithConnection([&](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (v)"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (1)"), "");
    const Bounds bounds(40 * kMiB, 1'000 * kMiB);
    const uint64_t room = TemporarySpace().used();
    const uint64_t before = Memory().used();
    for (const auto& [sql, answer] : Hoarders(12'000)) {  // 12 MB.
      EXPECT_EQ(Ask(connection, sql), answer) << sql;
      EXPECT_EQ(TemporarySpace().used(), room) << sql;
      EXPECT_LT(Memory().used(), before + 8 * kMiB) << sql;
    }
    EXPECT_GT(TemporarySpace().peak(), 8 * kMiB);
  });
  for (const auto& entry : std::filesystem::directory_iterator(core_.folder()))
    EXPECT_EQ(entry.path().string().find("temporary"), std::string::npos) << entry.path();
}

TEST_F(MemoryBudgetTest, WhatIsKeptApartStaysInMemoryWhereThereIsEnough) {
  WithConnection([&](Connection& connection) {
    const uint64_t room = TemporarySpace().peak();
    const std::string sql = Hoarders(4'000)[1].first;
    EXPECT_EQ(Ask(connection, sql), "4000");
    EXPECT_EQ(TemporarySpace().peak(), room);
  });
}

TEST_F(MemoryBudgetTest, WhatIsKeptInFilesIsBoundedAndWhatTheStatementDidIsUndone) {
  WithConnection([&](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (v)"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (1)"), "");
    const Bounds bounds(40 * kMiB, 8 * kMiB);
    for (const auto& [sql, answer] : Hoarders(12'000)) {
      EXPECT_THAT(Ask(connection, sql), StartsWith("TEMPORARY_SPACE")) << sql;
      EXPECT_TRUE(connection.autocommit());
      EXPECT_EQ(TemporarySpace().used(), 0u) << sql;
    }
    EXPECT_THAT(Ask(connection, "INSERT INTO t SELECT 2 FROM (" + std::string(kRows) +
                                    "x, randomblob(1000) AS b FROM c ORDER BY b)"),
                StartsWith("TEMPORARY_SPACE"));
    EXPECT_EQ(Ask(connection, "SELECT * FROM t"), "1");
    EXPECT_EQ(Ask(connection, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (2)"), "");
  });
}

TEST_F(MemoryBudgetTest, AStatementMayHaveWhatItsTenantAndItsProcessHaveLeft) {
  WithConnection([&](Connection& connection) {
    // Three values of 20 MB at a time.
    const std::string value = "zeroblob(20000000) || 'x'";
    const std::string sql = "SELECT typeof(max(" + value + ", " + value + ", " + value + "))";
    EXPECT_EQ(Ask(connection, sql), "text");
    store_->memory().SetBound(80 * kMiB);
    EXPECT_THAT(Ask(connection, sql), StartsWith("SQLITE_NOMEM"));
    store_->memory().SetBound(limits::kTenantMemoryBytes);
    const Bounds bounds(80 * kMiB, TemporarySpace().bound());
    const uint64_t refused = Memory().refused();
    EXPECT_THAT(Ask(connection, sql), StartsWith("SERVER_MEMORY"));
    EXPECT_GT(Memory().refused(), refused);
    // What wants little goes on while somebody else has nearly all.
    MemoryCharge other(MemoryKind::kBodies);
    other.Set(200 * kMiB);
    EXPECT_EQ(Ask(connection, "SELECT 1"), "1");
    EXPECT_EQ(Ask(connection, "CREATE TABLE t AS SELECT zeroblob(100000) AS v"), "");
    EXPECT_EQ(Ask(connection, "SELECT length(v) FROM t"), "100000");
  });
}

TEST_F(MemoryBudgetTest, WhereTheProcessIsFullATenantWithMuchGetsNotEvenALittle) {
  WithConnection([&](Connection& connection) {
    const std::string little = "SELECT typeof(zeroblob(100000) || 'x')";
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (v)"), "");
    EXPECT_EQ(Ask(connection, "BEGIN"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (zeroblob(10000000))"), "");
    const Bounds bounds(80 * kMiB, TemporarySpace().bound());
    EXPECT_EQ(Ask(connection, little), "text");
    {
      MemoryCharge others(MemoryKind::kBodies);
      others.Set(80 * kMiB);
      EXPECT_THAT(Ask(connection, little), StartsWith("SERVER_MEMORY"));
      EXPECT_EQ(Ask(connection, "SELECT 1"), "1");
      EXPECT_EQ(Ask(connection, "ROLLBACK"), "") << "to give back what it has, it needs a little";
    }
    EXPECT_EQ(Ask(connection, little), "text");
  });
}

TEST_F(MemoryBudgetTest, WhatAFunctionTakesOffTheCoreCountsAsWell) {
  WithConnection([&](Connection& connection) {
    const std::string sql = "SELECT length(hex(zeroblob(20000000)))";
    EXPECT_EQ(Ask(connection, sql), "40000000");
    store_->memory().SetBound(50 * kMiB);
    EXPECT_THAT(Ask(connection, sql), StartsWith("SQLITE_NOMEM"));
    EXPECT_EQ(Ask(connection, "SELECT length(hex(zeroblob(2000000)))"), "4000000");
    EXPECT_LT(store_->memory().used(), kMiB);
  });
}

TEST_F(MemoryBudgetTest, WhatAConnectionKeepsCountsForItsTenantUntilItIsGivenBack) {
  const uint64_t before = Memory().used();
  WithConnection([&](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (v)"), "");
    EXPECT_EQ(Ask(connection, "BEGIN"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (zeroblob(10000000))"), "");
    EXPECT_GT(store_->memory().used(), 10'000'000u);
    EXPECT_GT(Memory().used(), before + 10'000'000u);
    EXPECT_EQ(Ask(connection, "ROLLBACK"), "");
    connection.Close();
    EXPECT_EQ(store_->memory().used(), 0u);
  });
  EXPECT_LT(Memory().used(), before + kMiB);
}

TEST_F(MemoryBudgetTest, ABlockThatGrowsAndShrinksKeepsWhatIsInItAndIsCounted) {
  WithConnection([&](Connection&) {
    const uint64_t before = Memory().used();
    void* block = nullptr;
    uint64_t filled = 0;
    for (const uint64_t bytes :
         {1'000u, 7'000'000u, 9'000'000u, 40'000'000u, 12'000'000u, 300'000u, 30'000'000u}) {
      block = sqlite3_realloc64(block, bytes);
      ASSERT_TRUE(block);
      EXPECT_GE(sqlite3_msize(block), bytes);
      EXPECT_GE(Memory().used(), before + bytes);
      EXPECT_LE(Memory().used(), before + bytes + bytes / 4 + kMiB);
      auto* const words = static_cast<uint32_t*>(block);
      const uint64_t count = bytes / sizeof *words;
      uint64_t wrong = 0;
      for (uint64_t at = 0; at < std::min(filled, count); ++at) wrong += words[at] != at;
      EXPECT_EQ(wrong, 0u) << bytes;
      for (uint64_t at = 0; at < count; ++at) words[at] = static_cast<uint32_t>(at);
      filled = count;
    }
    sqlite3_free(block);
    EXPECT_EQ(Memory().used(), before);
  });
}

TEST_F(MemoryBudgetTest, WhatAStatementKeepsInMemoryIsBoundedAndWhatItDidIsUndone) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (v)"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (1)"), "");
    const std::string rows = kRows;
    // What no file can hold: values that are there at the same time.
    std::string values;
    for (int at = 0; at < 9; ++at) values += (at > 0 ? ", " : "") + std::string("zeroblob(60000000) || x");
    const std::string statements[] = {
        rows + "typeof(max(" + values + ")) FROM c LIMIT 2",
        "SELECT x FROM (SELECT 1 AS x) GROUP BY typeof(max(" + values + "))",
        "INSERT INTO t SELECT 2 FROM (SELECT 1 AS x) WHERE typeof(max(" + values + ")) = 'text'"};
    for (const std::string& sql : statements) {
      EXPECT_THAT(Ask(connection, sql), StartsWith("STATEMENT_TOO_LARGE")) << sql;
      EXPECT_TRUE(connection.autocommit());
      EXPECT_EQ(Ask(connection, "SELECT * FROM t"), "1");
    }
    EXPECT_EQ(Ask(connection, "BEGIN"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (3)"), "");
    EXPECT_THAT(Ask(connection, statements[2]), StartsWith("STATEMENT_TOO_LARGE"));
    Ask(connection, "ROLLBACK");
    EXPECT_EQ(Ask(connection, "SELECT * FROM t"), "1");
    EXPECT_EQ(Ask(connection, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (2)"), "");
  });
}

}  // namespace
}  // namespace tradewind::sqlite
