// Statements with instructions that take long: others of the core run meanwhile, and a statement can be ended there.
#include "sqlite/pauses.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"
#include "runtime/turn_watch.h"
#include "runtime/turns.h"
#include "sqlite/database_fixture.h"

#ifdef TRADEWIND_BUNDLED_SQLITE

namespace tradewind::sqlite {
namespace {

using std::chrono::milliseconds;

#if defined(__SANITIZE_ADDRESS__)
constexpr int kSlower = 20;
#else
constexpr int kSlower = 1;
#endif
// Unoptimized, and beside other tests, a turn may be several times what it is; bench/neighbour.py has the bound itself.
constexpr runtime::Duration kLongest = 5 * limits::kLongTurn * kSlower;

class PausesTest : public testing::Test {
 protected:
  // Runs the statements on real files and a real clock; the longest turn of the last one.
  runtime::Duration LongestTurnOf(const std::vector<std::string>& statements) {
    auto core = runtime::RealCore::Create();
    runtime::Duration longest{};
    core->RunUntilReturned("test", [&] {
      auto store = PageStore::Open(*core, folder_.folder() + "/t.db", runtime::OpenMode::kCreate);
      ASSERT_TRUE(store);
      {
        auto connection = Connection::Open(**store);
        ASSERT_TRUE(connection);
        (*connection)->SetProgress([]() -> Result<void> {
          runtime::YieldIfTurnIsOver();
          return {};
        });
        for (size_t at = 0; at < statements.size(); ++at) {
          // What comes before need not be quick.
          runtime::Yield();
          const runtime::Duration before = core->turn_watch().longest().time;
          const auto ran = (*connection)->Run({.sql = statements[at]});
          EXPECT_TRUE(ran) << statements[at].substr(0, 100) << ": " << CodeOf(ran);
          runtime::Yield();
          const runtime::Duration after = core->turn_watch().longest().time;
          longest = after > before ? after : runtime::Duration::zero();
        }
        std::printf("%.1f ms: %s\n", static_cast<double>(longest.count()) / 1e6,
                    core->turn_watch().longest().by.c_str());
      }
    });
    return longest;
  }

  runtime::TestCore folder_;  // For its folder.
};

constexpr const char* kTable = "CREATE TABLE t(id INTEGER PRIMARY KEY, b TEXT)";
std::string Rows(int count) {
  return "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<" +
         std::to_string(count) + ") SELECT x, hex(randomblob(8)) FROM c";
}

TEST_F(PausesTest, InASort) {
  EXPECT_LT(LongestTurnOf({kTable, Rows(150'000), "SELECT b FROM t ORDER BY b LIMIT 1 OFFSET 149999"}),
            kLongest);
}

TEST_F(PausesTest, WhileAnIndexIsBuilt) {
  EXPECT_LT(LongestTurnOf({kTable, Rows(150'000), "CREATE INDEX i ON t(b)"}), kLongest);
}

TEST_F(PausesTest, InAGroupBy) {
  EXPECT_LT(LongestTurnOf({kTable, Rows(150'000), "SELECT count(*) FROM (SELECT b FROM t GROUP BY b)"}),
            kLongest);
}

TEST_F(PausesTest, WhileRowsAreDeletedThatAreInMemory) {
  EXPECT_LT(LongestTurnOf({kTable, "BEGIN", Rows(300'000), "DELETE FROM t"}), kLongest);
}

TEST_F(PausesTest, WhileATransactionOfManyPagesIsCommitted) {
  EXPECT_LT(LongestTurnOf({kTable, "BEGIN", Rows(300'000), "COMMIT"}), kLongest);
}

TEST_F(PausesTest, WhileASavepointIsRolledBack) {
  EXPECT_LT(
      LongestTurnOf({kTable, Rows(200'000), "BEGIN", "SAVEPOINT s", "UPDATE t SET b='x'", "ROLLBACK TO s"}),
      kLongest);
}

TEST_F(PausesTest, WhileALargeValueIsWritten) {
  EXPECT_LT(LongestTurnOf({"CREATE TABLE t(b)", "INSERT INTO t VALUES(zeroblob(30000000))"}), kLongest);
}

TEST_F(PausesTest, WhileALongTextIsCompiled) {
  std::string sql = "SELECT 1 WHERE 7 IN (1";
  for (int i = 0; i < 150'000; ++i) sql += ",1";
  EXPECT_LT(LongestTurnOf({"SELECT 1", sql + ")"}), kLongest);
}

TEST_F(PausesTest, WhileManyRowsAreCompiled) {
  std::string sql = "INSERT INTO t(b) VALUES(1)";
  for (int i = 0; i < 150'000; ++i) sql += ",(1)";
  EXPECT_LT(LongestTurnOf({kTable, sql}), kLongest);
}

TEST_F(PausesTest, WhileTheDatabaseIsMadeAnew) {
  EXPECT_LT(LongestTurnOf({kTable, Rows(150'000), "VACUUM"}), kLongest);
}

TEST_F(PausesTest, WhileALongTextIsIndexed) {
  EXPECT_LT(LongestTurnOf({"CREATE VIRTUAL TABLE f USING fts5(a)",
                           "INSERT INTO f VALUES(replace(hex(zeroblob(1000000)), '00', 'ab '))"}),
            kLongest);
}

class PausesEndTest : public DatabaseFixture {};

TEST_F(PausesEndTest, AStatementIsEndedInTheMiddleOfASort) {
  WithConnection([&](Connection& connection) {
    ASSERT_EQ(Ask(connection, kTable), "");
    ASSERT_EQ(CodeOf(connection.Run({.sql = Rows(100'000)})), "");
    int calls = 0;
    int calls_to_the_sort = 0;
    connection.SetProgress([&]() -> Result<void> {
      ++calls;
      return {};
    });
    ASSERT_EQ(CodeOf(connection.Run({.sql = "SELECT max(b||id) FROM t"})), "");
    calls_to_the_sort = 2 * calls;
    calls = 0;
    connection.SetProgress([&]() -> Result<void> {
      if (++calls <= calls_to_the_sort) return {};
      return Fail(ErrorKind::kUnavailable, "ENDED_HERE", "the test ends it");
    });
    EXPECT_EQ(CodeOf(connection.Run({.sql = "SELECT b FROM t ORDER BY b LIMIT 1 OFFSET 99999"})),
              "ENDED_HERE");
    connection.SetProgress({});
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "100000");
  });
}

// How often a statement asks whether it goes on, beside one that differs in what takes long alone.
struct Pair {
  const char* what;
  std::string with, without;
};

TEST_F(PausesEndTest, WhatTakesLongWithinOneInstructionAsksOnTheWay) {
  const std::string digits = "replace(hex(zeroblob(1000000)), '0', '7')";
  const auto list = [](int count) {
    std::string sql = "SELECT 1 WHERE 7 IN (1";
    for (int i = 0; i < count; ++i) sql += ",1";
    return sql + ")";
  };
  const std::vector<Pair> pairs = {
      {"a text as a number", "SELECT " + digits + "+0", "SELECT length(" + digits + ")"},
      {"a text as an integer", "SELECT CAST(" + digits + " AS INTEGER)", "SELECT length(" + digits + ")"},
      {"texts compared without case", "SELECT x COLLATE NOCASE = x FROM (SELECT hex(zeroblob(1000000)) AS x)",
       "SELECT x = x FROM (SELECT hex(zeroblob(1000000)) AS x)"},
      {"a blob copied", "SELECT length(zeroblob(20000000)||x'01')", "SELECT length(zeroblob(2)||x'01')"},
      {"a comment", "SELECT 1 /*" + std::string(2'000'000, '-') + "*/", "SELECT 1"},
      {"a list compiled", list(50'000), list(10)},
      {"JSON of one text", "SELECT count(*) FROM json_each('[\"' || hex(zeroblob(1000000)) || '\"]')",
       "SELECT length('[\"' || hex(zeroblob(1000000)) || '\"]')"},
      {"JSON of numbers",
       "SELECT count(*) FROM json_each('[1' || replace(hex(zeroblob(100000)), '0', ',2') || ']') LIMIT 1",
       "SELECT length('[1' || replace(hex(zeroblob(100000)), '0', ',2') || ']')"},
      {"a text without tokens", "INSERT INTO f VALUES(replace(hex(zeroblob(1000000)), '0', ' '))",
       "INSERT INTO f SELECT substr(replace(hex(zeroblob(1000000)), '0', ' '), 1, 1)"},
      {"one token", "INSERT INTO f VALUES(hex(zeroblob(1000000)))",
       "INSERT INTO f SELECT substr(hex(zeroblob(1000000)), 1, 1)"},
  };
  WithConnection([&](Connection& connection) {
    ASSERT_EQ(Ask(connection, "CREATE VIRTUAL TABLE f USING fts5(a)"), "");
    int calls = 0;
    connection.SetProgress([&]() -> Result<void> {
      ++calls;
      return {};
    });
    const auto calls_of = [&](const std::string& sql) {
      calls = 0;
      EXPECT_EQ(CodeOf(connection.Run({.sql = sql})), "") << sql.substr(0, 80);
      return calls;
    };
    for (const Pair& pair : pairs) {
      const int without = calls_of(pair.without);
      EXPECT_GE(calls_of(pair.with), without + 40) << pair.what << ": without it " << without;
    }
  });
}

TEST_F(PausesEndTest, ATextIsEndedWhileItIsCompiled) {
  WithConnection([&](Connection& connection) {
    connection.SetProgress(
        []() -> Result<void> { return Fail(ErrorKind::kUnavailable, "ENDED_HERE", "the test ends it"); });
    std::string sql = "SELECT 1 WHERE 7 IN (1";
    for (int i = 0; i < 100'000; ++i) sql += ",1";
    EXPECT_EQ(CodeOf(connection.Run({.sql = sql + ")"})), "ENDED_HERE");
    connection.SetProgress({});
    EXPECT_EQ(Ask(connection, "SELECT 2"), "2");
  });
}

}  // namespace
}  // namespace tradewind::sqlite

#endif
