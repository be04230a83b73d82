// SQL functions with large arguments: the answers of SQLite's own, others run meanwhile, and a statement can be ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <random>
#include <string>
#include <vector>

#include "base/limits.h"
#include "runtime/fiber.h"
#include "sqlite/database_fixture.h"
#include "sqlite/vfs.h"

#ifdef TRADEWIND_BUNDLED_SQLITE

namespace tradewind::sqlite {
namespace {

// SQLite with the functions that it comes with.
class PlainSqlite {
 public:
  PlainSqlite() {
    InitializeSqlite();
    EXPECT_EQ(sqlite3_open_v2(":memory:", &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, "unix"),
              SQLITE_OK);
  }
  ~PlainSqlite() { sqlite3_close(handle_); }
  PlainSqlite(const PlainSqlite&) = delete;
  PlainSqlite& operator=(const PlainSqlite&) = delete;

  // The text of the first column of the first row; the message when it fails.
  std::string Ask(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    std::string answer;
    sqlite3_prepare_v2(handle_, sql.c_str(), static_cast<int>(sql.size()), &statement, nullptr);
    if (sqlite3_step(statement) == SQLITE_ROW) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
      answer = text ? text : "NULL";
    } else {
      answer = sqlite3_errmsg(handle_);
    }
    sqlite3_finalize(statement);
    return answer;
  }

 private:
  sqlite3* handle_ = nullptr;
};

class FunctionBoundsTest : public DatabaseFixture {
 protected:
  std::string Literal(size_t length, const char* alphabet, bool blob = false) {
    const std::string_view letters(alphabet);
    std::string text = blob ? "CAST('" : "'";
    for (size_t at = 0; at < length; ++at) text += letters[random_() % letters.size()];
    return text + (blob ? "' AS BLOB)" : "'");
  }
  std::string OneOf(const std::vector<std::string>& texts) { return texts[random_() % texts.size()]; }

  std::mt19937 random_{1};
};

TEST_F(FunctionBoundsTest, AnswerAsSqlitesOwnDo) {
  const std::string fill = "'" + std::string(limits::kNotedArgumentBytes, 'a') + "'";
  const std::string large = "'" + std::string(limits::kLargeArgumentBytes, 'b') + "'";
  WithConnection([&](Connection& connection) {
    PlainSqlite plain;
    const auto compare = [&](const std::string& expression) {
      const std::string sql = "SELECT quote(" + expression + ")";
      const auto answer = connection.Run({.sql = sql});
      const std::string got = answer ? Text(answer) : answer.error().message;
      ASSERT_EQ(got, plain.Ask(sql)) << expression.substr(0, 400);
    };
    for (int turn = 0; turn < 150 && !HasFatalFailure(); ++turn) {
      const std::string pad = OneOf({fill, large, "'é'||" + fill, "CAST(" + fill + " AS BLOB)"});
      const std::string text =
          Literal(random_() % 12, "abABé_%") + "||" + pad + "||" + Literal(random_() % 6, "abé%_");
      const std::string some = Literal(random_() % 5, "abAé", random_() % 4 == 0);
      compare("(" + text + ") LIKE " + Literal(random_() % 8, "ab%%_A"));
      compare("(" + text + ") LIKE '%'||" + some + "||'%'");
      compare("(" + text + ") LIKE " + Literal(random_() % 8, "ab%_\\") + " ESCAPE " +
              OneOf({"'\\'", "'%'", "'_'", "'xx'", "NULL"}));
      compare("(" + text + ") GLOB " + Literal(random_() % 9, "ab*?[]^-"));
      compare("(" + text + ") GLOB " +
              OneOf({"'*[a-b]*'", "'*[^a]'", "'[]a]*'", "'*[a'", "'*[b-a]*'", "'*[-a]?'"}));
      compare("instr(" + text + ", " + some + ")");
      compare("replace(" + text + ", " + some + ", " + Literal(random_() % 4, "xé") + ")");
      compare(OneOf({"trim", "ltrim", "rtrim"}) + "(" + text + ", " + Literal(random_() % 5, "abé%_B") + ")");
      compare("hex(" + text + ")");
      compare("json_patch(json_object('a', " + text + "), json_object('b', " + some + "))");
      compare("json(json_array(json(json_object('a', " + text + ")), 1))");
      compare("unhex(hex(" + text + ") || '-', '-')");
      compare("length(printf('%" + std::to_string(random_() % 100'000) + "d', 1))");
    }
    compare("instr(NULL, " + large + ")");
    compare("replace(" + large + ", 'b', NULL)");
    compare("trim(" + large + ", NULL)");
    compare("instr(" + large + ", '')");
    compare("replace(" + large + ", '', 'x')");
    compare("trim(" + large + ", '')");
    compare("CAST(x'80' || " + large + " || x'c3' AS TEXT) LIKE '%' || CAST(x'c3' AS TEXT)");
  });
}

TEST_F(FunctionBoundsTest, KeepLikeFromScanningWhereAnIndexWillDo) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t(a TEXT COLLATE NOCASE, b TEXT)");
    Ask(connection, "CREATE INDEX ia ON t(a)");
    Ask(connection, "CREATE INDEX ib ON t(b)");
    using testing::HasSubstr;
    EXPECT_THAT(Ask(connection, "EXPLAIN QUERY PLAN SELECT 1 FROM t WHERE a LIKE 'ab%'"),
                HasSubstr("SEARCH"));
    EXPECT_THAT(Ask(connection, "EXPLAIN QUERY PLAN SELECT 1 FROM t WHERE b GLOB 'ab*'"),
                HasSubstr("SEARCH"));
    Ask(connection, "PRAGMA case_sensitive_like=ON");
    EXPECT_THAT(Ask(connection, "EXPLAIN QUERY PLAN SELECT 1 FROM t WHERE b LIKE 'ab%'"),
                HasSubstr("SEARCH"));
    EXPECT_EQ(Ask(connection, "SELECT 'A' || zeroblob(5000) LIKE 'a%', 'a' LIKE 'A'"), "0|0");
  });
}

TEST_F(FunctionBoundsTest, LetALikeThatTakesForEverBeEndedAndOthersRun) {
  for (const char* pragma : {"SELECT 1", "PRAGMA case_sensitive_like=ON"}) {
    WithConnection([&](Connection& connection) {
      Ask(connection, pragma);
      int looks = 0;
      connection.SetProgress([&]() -> Result<void> {
        runtime::Yield();
        if (++looks < 20) return {};
        return Fail(ErrorKind::kTimeout, "STATEMENT_TIMEOUT", "the statement takes too long");
      });
      const std::string sql =
          "SELECT printf('%.*c', 10000000, 'a') LIKE '%' || printf('%.*c', 800, 'a') || 'b'";
      EXPECT_EQ(CodeOf(connection.Run({.sql = sql})), "STATEMENT_TIMEOUT") << pragma;
      EXPECT_LE(looks, 22) << "it ends at once, and may look once more on its way out";
    });
  }
}

TEST_F(FunctionBoundsTest, EndWhateverTheirArgumentsAre) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "SELECT instr(zeroblob(60000000), zeroblob(30000000) || x'01')"), "0");
    const std::string within = "replace(printf('%.*c', 4000000, 'a'), 'a', CAST(x'80' AS TEXT))";
    EXPECT_EQ(Ask(connection, "SELECT instr('a' || " + within + " || 'b', " + within + ")"), "0");
    EXPECT_EQ(Ask(connection, "SELECT instr(" + within + ", " + within + ")"), "1");
    EXPECT_EQ(
        Ask(connection, "SELECT length(replace(hex(zeroblob(1000000)), hex(zeroblob(500000)) || '1', ''))"),
        "2000000");
    EXPECT_EQ(Ask(connection, "SELECT length(trim(hex(zeroblob(200000)), hex(randomblob(200000))))"), "0");
    const std::string wide =
        "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<60000) "
        "SELECT json_group_object('k' || x, x) FROM c)";
    EXPECT_THAT(Ask(connection, "SELECT length(json_patch(" + wide + ", " + wide + "))"),
                testing::HasSubstr("would take too long"));
    std::string steps;
    for (int step = 0; step < 40'000; ++step) steps += "SELECT new.a,new.b;";
    EXPECT_EQ(Ask(connection, "CREATE TABLE r(a, b)"), "");
    EXPECT_EQ(Ask(connection, "CREATE TRIGGER l AFTER UPDATE ON r BEGIN " + steps + " END"), "");
    EXPECT_THAT(Ask(connection, "ALTER TABLE r RENAME COLUMN a TO c"),
                testing::HasSubstr("would take too long"));
    std::string paths;
    for (int path = 0; path < 400; ++path) paths += ", '$[9999990]'";
    const std::string list = "'[' || replace(printf('%.*c', 10000000, ' '), ' ', '1, ') || '1]'";
    EXPECT_THAT(Ask(connection, "SELECT length(json_extract(" + list + paths + "))"),
                testing::HasSubstr("would take too long"));
    EXPECT_EQ(Ask(connection, "SELECT json_extract(" + list + ", '$[9999990]')"), "1");
  });
}

}  // namespace
}  // namespace tradewind::sqlite

#endif
