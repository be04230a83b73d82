// SQL that nobody in his right mind sends, from a seed: virtual tables over views over virtual tables, their
// shadow tables and special commands, what is deep, wide and long. Whatever the answers are, they are answers,
// and the store is free afterwards. The test runs a few rounds; TRADEWIND_ATTACKS sets how many,
// TRADEWIND_ATTACK_SEED the first seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

class Attack {
 public:
  explicit Attack(uint64_t seed) : random_(seed) {}

  std::string Statement() {
    switch (Below(26)) {
      case 0: return "CREATE VIRTUAL TABLE " + Name() + " USING " + Module();
      case 1: return "CREATE VIEW " + View() + " AS " + Select();
      case 2: return "CREATE TABLE " + Name() + " (rowid_ INTEGER PRIMARY KEY, a, b, c UNIQUE)";
      case 3:
        return "CREATE TRIGGER " + Name() + "_tr " + Pick({"AFTER", "BEFORE"}) + " " +
               Pick({"INSERT", "UPDATE", "DELETE"}) + " ON " + Name() + " BEGIN " + Change() + "; " +
               Change() + "; END";
      case 4:
        return "CREATE TRIGGER " + View() + "_tr INSTEAD OF INSERT ON " + View() + " BEGIN " + Change() +
               "; END";
      case 5:
        return "DROP " + Pick({"TABLE ", "VIEW ", "TRIGGER "}) +
               Pick({Name(), View(), Name() + "_tr", Shadow()});
      case 6: return "ALTER TABLE " + Name() + " RENAME TO " + Name();
      case 7:
        return "INSERT INTO " + Name() + "(" + Name() + ") VALUES('" +
               Pick({"rebuild", "optimize", "integrity-check", "delete-all", "merge=16,2", "automerge=0",
                     "flush"}) +
               "')";
      case 8:
        return "INSERT INTO " + Name() + "(" + Name() + ", rank) VALUES(" +
               Pick({"'rank', 'bm25(10,5)'", "'rank', 'x('", "'pgsz', 32", "'pgsz', -1", "'merge', -500",
                     "'crisismerge', 1000000", "'usermerge', 2", "'hashsize', 1", "'delete', 1",
                     "'secure-delete', 1"}) +
               ")";
      case 9:
        return Pick({"INSERT INTO ", "REPLACE INTO "}) + Shadow() + " VALUES(" +
               Pick({"1, x'00ff', 1", "10, x''", "1, 2, 3, 4, 5, 6", "NULL, NULL"}) + ")";
      case 10:
        return "UPDATE " + Shadow() + " SET " + Pick({"block", "data", "root", "nodeno", "sz", "k", "v"}) +
               " = " + Value();
      case 11: return "DELETE FROM " + Shadow();
      case 12:
        return "SELECT " +
               Pick({"snippet", "offsets", "matchinfo", "highlight", "bm25", "rtreecheck", "optimize",
                     "fts5_decode", "fts5", "rtreedepth", "rtreenode", "geopoly_json", "geopoly_blob",
                     "fts3_tokenizer"}) +
               "(" + Name() + Pick({"", ", " + Value(), ", 0, '[', ']'"}) + ") FROM " + Name() + " WHERE " +
               Name() + " MATCH " + Value();
      case 13:
        return "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r, " + Name() + " LIMIT 50) " +
               Select() + " LIMIT 5";
      case 14:
        return "SELECT * FROM " + Pick({"json_each(", "json_tree("}) + Value() + "), " +
               Pick({"pragma_table_info('", "pragma_table_xinfo('", "pragma_index_list('"}) + Name() +
               "') LIMIT 50";
      case 15:
        return "PRAGMA " +
               Pick({"integrity_check", "quick_check", "foreign_key_check", "optimize", "table_list",
                     "foreign_keys=1", "foreign_keys=0", "recursive_triggers=1", "defer_foreign_keys=1",
                     "writable_schema=1", "schema_version=0", "cache_spill=1", "page_size=512",
                     "journal_mode=delete", "locking_mode=exclusive"});
      case 16:
        return Pick(
            {"BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "SAVEPOINT s", "RELEASE s", "ROLLBACK TO s"});
      case 17: return Pick({"VACUUM", "ANALYZE", "REINDEX", "ANALYZE " + Name()});
      case 18:
        return "SELECT printf('%" + Pick({"999999999", "-2147483648", ".*", "*.*"}) + "d', " + Value() +
               ", 2147483647, -2147483648)";
      case 19:
        return "SELECT length(" +
               Pick({"zeroblob(2147483647)", "randomblob(70000000)",
                     "replace(hex(zeroblob(10000)), '0', hex(zeroblob(10000)))",
                     "group_concat(a, hex(zeroblob(1000)))", "quote(zeroblob(1000000))"}) +
               ") FROM " + Name();
      case 20:
        return "SELECT json_valid('" + Repeat(Pick({"[", "{\"a\":"}), 1 + Below(5000)) +
               "'), json_extract('[1]', '$" + Repeat("[0]", Below(500)) + "')";
      case 21: return "SELECT " + Repeat(Pick({"(", "-", "NOT ", "abs("}), 1 + Below(400)) + "1";
      case 22: return "EXPLAIN " + Pick({"", "QUERY PLAN "}) + Change();
      case 23:
        return "SELECT rowid, * FROM " + Name() + " WHERE " + Name() + " MATCH " + Value() + " ORDER BY rank";
      case 24: return Select();
      default: return Change();
    }
  }

 private:
  size_t Below(size_t most) { return std::uniform_int_distribution<size_t>(0, most - 1)(random_); }
  std::string Pick(std::vector<std::string> of) { return of[Below(of.size())]; }
  static std::string Repeat(const std::string& text, size_t times) {
    std::string out;
    for (; times > 0; --times) out += text;
    return out;
  }
  std::string Name() { return Pick({"f", "g", "h", "r", "t"}); }
  std::string View() { return Pick({"v", "w", "x"}); }
  std::string Source() { return Below(2) == 0 ? Name() : View(); }
  std::string Shadow() {
    return Name() + Pick({"_data", "_idx", "_content", "_docsize", "_config", "_segments", "_segdir", "_stat",
                          "_node", "_rowid", "_parent"});
  }
  std::string Module() {
    const std::string content = Pick({"", ", content=''", ", content='" + Source() + "'",
                                      ", content='" + Source() + "', content_rowid='rowid'"});
    return Pick(
        {"fts5(a, b" + content + ")", "fts4(a, b" + content + ")", "fts3(a, b)",
         "fts5(a" + content + ", detail=none)", "fts5(a, columnsize=0" + content + ", prefix='1 2 3')",
         "fts4(a, matchinfo=fts3" + content + ")", "rtree(id, a, b, c, d, +e)", "rtree_i32(id, a, b)",
         "geopoly(a, b)", "fts5vocab('" + Name() + "', 'row')", "fts5vocab('" + Name() + "', 'instance')",
         "fts4aux(" + Name() + ")", "fts3tokenize(simple)", "dbstat(main)", "sqlite_stmt()"});
  }
  std::string Value() {
    return Pick({"NULL",
                 "0",
                 "-1",
                 "9223372036854775807",
                 "1e400",
                 "'x'",
                 "'x*'",
                 "'\"'",
                 "'a AND NOT'",
                 "'NEAR(x y, 999999999)'",
                 "'a:x'",
                 "'((((('",
                 "x'80ff'",
                 "zeroblob(100000)",
                 "'[1,2,[3,{\"a\":null}]]'",
                 "'{'",
                 "'$[#-1]'",
                 "'*'",
                 "hex(zeroblob(5000))",
                 "char(0)",
                 "char(55296, 1114111)",
                 "'[[0,0],[1,0],[1,1],[0,0]]'",
                 "'abc' || char(0) || 'def'"});
  }
  std::string Select() {
    return "SELECT " +
           Pick({"*", "rowid, a", "rowid, a, b", "count(*), a", "max(a), b, rowid",
                 "1 AS rowid, 'x' AS a, 'y' AS b"}) +
           " FROM " + Source() +
           Pick({"", " WHERE rowid = 1", " WHERE a MATCH 'x'", ", " + Source(),
                 " LEFT JOIN " + Source() + " USING (a)", " WHERE a IN (SELECT a FROM " + Source() + ")",
                 " GROUP BY a", " ORDER BY a LIMIT 3"});
  }
  std::string Change() {
    switch (Below(4)) {
      case 0:
        return "INSERT INTO " + Source() + "(" + Pick({"rowid, a", "docid, a", "a", "a, b", "id, a, b"}) +
               ") VALUES(" + Pick({"1, 'x'", "2, 'x y'", Value() + ", " + Value(), "1, 2, 3", "'x'"}) + ")";
      case 1: return "UPDATE " + Source() + " SET a = " + Value() + Pick({"", " WHERE rowid = 1"});
      case 2: return "DELETE FROM " + Source() + Pick({"", " WHERE rowid = 1", " WHERE a MATCH 'x'"});
      default:
        return "INSERT OR " + Pick({"REPLACE", "IGNORE", "ROLLBACK", "FAIL"}) + " INTO " + Source() +
               "(rowid, a) " + "SELECT rowid, a FROM " + Source() + " LIMIT 20";
    }
  }

  std::mt19937_64 random_;
};

class AttackTest : public DatabaseFixture {};

TEST_F(AttackTest, WhateverIsSentTheAnswersAreAnswersAndTheStoreIsFree) {
  const char* const asked = std::getenv("TRADEWIND_ATTACKS");
  const uint64_t rounds = asked ? std::strtoull(asked, nullptr, 10) : 25;
  const char* const from = std::getenv("TRADEWIND_ATTACK_SEED");
  uint64_t first = from ? std::strtoull(from, nullptr, 10) : 1;
  size_t ran = 0, failed = 0;
  for (uint64_t seed = first; seed < first + rounds && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    core_.Run([&] {
      const std::string file = std::to_string(seed) + ".db";
      const auto store = OpenStore(file);
      const auto anchor = Connect(*store);
      Attack attack(seed);
      for (int client = 0; client < 4; ++client) {
        const auto connection = Connect(*store);
        size_t left = 20'000;  // Progress calls, so that no statement is for ever.
        connection->SetProgress([&left]() -> Result<void> {
          if (--left > 0) return {};
          left = 20'000;
          return Fail(ErrorKind::kTimeout, "LONG_ENOUGH", "");
        });
        for (int step = 0; step < 60; ++step) {
          const std::string sql = attack.Statement();
          left = 20'000;
          const auto result = connection->Run({.sql = sql});
          ++ran;
          failed += result ? 0 : 1;
          // Nothing that was left in the middle keeps a snapshot, which the next client of a pool would read.
          EXPECT_TRUE(!connection->autocommit() || connection->transaction_state() == TransactionState::kNone)
              << sql;
        }
      }
      EXPECT_TRUE(anchor->Checkpoint(CheckpointMode::kTruncate));
      EXPECT_EQ(store->log().frames(), 0u);
      const auto other = Connect(*store);
      EXPECT_EQ(Ask(*other, "CREATE TABLE afterwards (v)"), "");
    });
  }
  EXPECT_GT(ran - failed, ran / 10) << "hardly any statement is one";
}

}  // namespace
}  // namespace tradewind::sqlite
