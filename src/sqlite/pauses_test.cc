// Statements with instructions that take long: others of the core run meanwhile, and a statement can be ended there.
#include "sqlite/pauses.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"
#include "runtime/turn_watch.h"
#include "runtime/turns.h"
#include "sqlite/database_fixture.h"
#include "sqlite/vfs.h"

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

// Each word is added to a copy of all that there is, or held against all others, which takes longer than anybody waits;
// nothing in it asks SQLite whether to go on.
TEST_F(PausesTest, AStatementEndsInTheMidstOfACallThatWouldNot) {
  auto core = runtime::RealCore::Create();
  core->RunUntilReturned("test", [&] {
    auto store = PageStore::Open(*core, folder_.folder() + "/t.db", runtime::OpenMode::kCreate);
    ASSERT_TRUE(store);
    auto connection = Connection::Open(**store);
    ASSERT_TRUE(connection);
    for (const char* sql : {"CREATE VIRTUAL TABLE f USING fts5(x)",
                            "INSERT INTO f VALUES(replace(hex(zeroblob(2000000)), '00', 'ab '))"})
      ASSERT_TRUE((*connection)->Run({.sql = sql}));
    (*connection)->SetProgress([]() -> Result<void> {
      return Fail(ErrorKind::kTimeout, "ENDED", "it is over");
    });
    for (const std::string function : {"highlight(f, 0, '<', '>')", "snippet(f, 0, '<', '>', '', 10)"})
      EXPECT_EQ(
          CodeOf((*connection)->Run({.sql = "SELECT length(" + function + ") FROM f WHERE f MATCH 'ab'"})),
          "ENDED")
          << function;
    (*connection)->SetProgress({});
    EXPECT_EQ(Ask(**connection, "SELECT count(*) FROM f"), "1") << "and the connection is as good as before";
  });
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

// EXPLAIN needs no arguments, and still looks at each name.
TEST_F(PausesTest, WhileTheNamesOfParametersAreLookedFor) {
  std::string sql = "EXPLAIN QUERY PLAN SELECT 1 WHERE 1 IN (:a0";
  for (int i = 1; i < 12'000; ++i) sql += ",:a" + std::to_string(i);
  EXPECT_LT(LongestTurnOf({sql + ")"}), kLongest);
}

TEST_F(PausesTest, WhileRowsThatWereFoundOutOfOrderArePutInOrder) {
  EXPECT_LT(LongestTurnOf({kTable, Rows(300'000), "CREATE INDEX i ON t(b)",
                           "CREATE TRIGGER d AFTER DELETE ON t BEGIN SELECT 1; END",
                           "DELETE FROM t INDEXED BY i WHERE b > ''"}),
            kLongest);
}

TEST_F(PausesTest, WhileRowsAreLookedForAmongThoseThatWereFoundBefore) {
  EXPECT_LT(LongestTurnOf({kTable, Rows(300'000), "CREATE INDEX i ON t(b)",
                           "SELECT count(*) FROM t WHERE b > '' OR id > 0"}),
            kLongest);
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

TEST_F(PausesTest, WhileALongNumberIsCompiled) {
  EXPECT_LT(LongestTurnOf({"SELECT " + std::string(15'000'000, '7')}), kLongest / 2);
}

TEST_F(PausesTest, WhileEachOfManyAggregatesIsComparedWithAllOthers) {
  std::string sum = "x";
  for (int term = 0; term < 200; ++term) sum += "+x";
  std::string sql = "SELECT 1";
  for (int column = 0; column < 1900; ++column) sql += ",sum(" + sum + "+" + std::to_string(column) + ")";
  EXPECT_LT(LongestTurnOf({"CREATE TABLE t(x)", sql + " FROM t"}), kLongest);
}

TEST_F(PausesTest, WhileATextIsHeldAgainstALongSet) {
  EXPECT_LT(LongestTurnOf({"SELECT hex(zeroblob(50000)) GLOB '*[" + std::string(30'000, 'b') + "]*'"}),
            kLongest);
}

TEST_F(PausesTest, WhileATextIsOneCharacter) {
  EXPECT_LT(LongestTurnOf({"SELECT CAST(x'c3' AS TEXT) || replace(hex(zeroblob(15000000)), '0', CAST(x'80' "
                           "AS TEXT)) LIKE '_a'"}),
            kLongest / 2);
}

TEST_F(PausesTest, WhileOneLongTokenIsIndexed) {
  EXPECT_LT(LongestTurnOf(
                {"CREATE VIRTUAL TABLE f USING fts4(a)", "INSERT INTO f VALUES(hex(zeroblob(20000000)))"}),
            kLongest);
}

TEST_F(PausesTest, WhileWordsOfALongTextAreLookedForNearEachOther) {
  EXPECT_LT(LongestTurnOf({"CREATE VIRTUAL TABLE f USING fts5(a)",
                           "INSERT INTO f VALUES(replace(hex(zeroblob(1500000)), '0', 'aa ab '))",
                           "SELECT count(*) FROM f WHERE f MATCH 'NEAR(aa ab, 10000000)'"}),
            kLongest);
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

// -- How much is done between two looks

class PauseBetweenLooksTest : public DatabaseFixture {
 protected:
  // Two pieces of work each, one after the other; the looks.
  struct Looks {
    int count = 0;
    runtime::Duration longest{};  // Between two of them, but for the first ones.
  };
  Looks LooksDuring(int steps, const std::function<runtime::Duration(int step)>& cost) {
    Looks looks;
    core_.Run([&] {
      const auto store = OpenStore();
      const auto connection = Connect(*store);  // SQLite is configured by the first one.
      runtime::TimePoint looked_at{};
      ConnectionGuard guard;
      const auto look = [&] {
        if (looks.count++ > 1) looks.longest = std::max(looks.longest, core_.TurnTime() - looked_at);
        looked_at = core_.TurnTime();
      };
      const std::function<void()> on_reads = look;
      guard.on_reads = [](void* context) { (*static_cast<const std::function<void()>*>(context))(); };
      guard.context = const_cast<std::function<void()>*>(&on_reads);
      const Pauses pauses(guard, *store);
      for (int step = 0; step < steps; ++step) {
        sqlite3_free(sqlite3_malloc(8));
        core_.tick = cost(step);
        core_.Now();
        core_.tick = runtime::Duration(1);
      }
    });
    return looks;
  }
};

constexpr int kSteps = 10'000;

TEST_F(PauseBetweenLooksTest, WorkThatIsSlowIsLookedAtAsOftenAsAnyOther) {
  const auto looks = LooksDuring(kSteps, [](int) { return std::chrono::microseconds(5); });
  EXPECT_LE(looks.longest, 3 * limits::kPollInterval / 2);
  EXPECT_GT(looks.count, kSteps / 10);
}

TEST_F(PauseBetweenLooksTest, WorkThatIsQuickIsNotLookedAtMoreOftenForThat) {
  const auto looks = LooksDuring(kSteps, [](int) { return runtime::Duration(40); });
  EXPECT_LE(looks.count, 2 * kSteps / 256 + 1);
  EXPECT_GT(looks.count, kSteps / 256);
}

TEST_F(PauseBetweenLooksTest, WorkThatBecomesSlowIsLateOnceAndWorkThatBecomesQuickIsNotLookedAtForEver) {
  const auto slower = LooksDuring(kSteps, [](int step) {
    return step < kSteps / 2 ? runtime::Duration(40) : runtime::Duration(std::chrono::microseconds(5));
  });
  EXPECT_LE(slower.longest, 128 * std::chrono::microseconds(5));
  EXPECT_GT(slower.count, kSteps / 20);
  const auto quicker = LooksDuring(kSteps, [](int step) {
    return step < 1'000 ? runtime::Duration(std::chrono::microseconds(5)) : runtime::Duration(40);
  });
  EXPECT_LE(quicker.count, 1'000 / 4 + 2 * kSteps / 256 + 10);
}

TEST_F(PauseBetweenLooksTest, AWaitForTheDiskLeavesNothingBehind) {
  const auto looks = LooksDuring(kSteps, [](int step) {
    return step % 1'000 == 500 ? runtime::Duration(std::chrono::milliseconds(5)) : runtime::Duration(40);
  });
  EXPECT_LE(looks.count, 2 * kSteps / 256 + 2 * kSteps / 1'000 + 1);
}

}  // namespace
}  // namespace tradewind::sqlite

#endif
