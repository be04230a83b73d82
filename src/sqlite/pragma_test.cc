#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "sqlite/connection.h"
#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

using PragmaTest = DatabaseFixture;

TEST_F(PragmaTest, WhatOnlyReadsIsAnswered) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    for (const char* name : {"read_uncommitted",
                             "synchronous",
                             "cache_size",
                             "temp_store",
                             "legacy_alter_table",
                             "locking_mode",
                             "journal_size_limit",
                             "wal_autocheckpoint",
                             "mmap_size",
                             "secure_delete",
                             "max_page_count",
                             "trusted_schema",
                             "automatic_index",
                             "reverse_unordered_selects",
                             "busy_timeout",
                             "journal_mode",
                             "cache_spill",
                             "cell_size_check",
                             "checkpoint_fullfsync",
                             "fullfsync",
                             "hard_heap_limit",
                             "soft_heap_limit",
                             "threads",
                             "writable_schema",
                             "count_changes",
                             "default_cache_size",
                             "empty_result_callbacks",
                             "full_column_names",
                             "short_column_names",
                             "encoding",
                             "page_size",
                             "auto_vacuum",
                             "query_only",
                             "recursive_triggers",
                             "foreign_keys",
                             "user_version",
                             "module_list",
                             "pragma_list"}) {
      EXPECT_NE(Ask(connection, std::string("PRAGMA ") + name), "") << name;
      const auto main = connection.Run({.sql = std::string("PRAGMA main.") + name});
      EXPECT_TRUE(main.has_value() && !main->rows.empty()) << name;
    }
    for (const char* sql : {"SELECT * FROM pragma_table_info('t')", "SELECT name FROM pragma_table_list",
                            "SELECT * FROM pragma_index_list('t')", "SELECT * FROM pragma_journal_mode",
                            "SELECT * FROM pragma_foreign_keys", "SELECT * FROM pragma_read_uncommitted",
                            "SELECT m.name, i.* FROM sqlite_schema m, pragma_table_xinfo(m.name) i"})
      EXPECT_TRUE(connection.Run({.sql = sql}).has_value()) << sql;
  });
}

TEST_F(PragmaTest, WhatDriversSetWhenTheyConnectIsAcceptedAndChangesNothing) {
  WithConnection([](Connection& connection) {
    const std::vector<std::pair<std::string, std::string>> hints{
        {"synchronous", "FULL"},       {"cache_size", "-64000"},    {"temp_store", "FILE"},
        {"mmap_size", "134217728"},    {"busy_timeout", "5000"},    {"journal_size_limit", "67108864"},
        {"wal_autocheckpoint", "100"}, {"cache_spill", "OFF"},      {"threads", "4"},
        {"page_size", "8192"},         {"secure_delete", "OFF"},    {"locking_mode", "NORMAL"},
        {"encoding", "'UTF-8'"},       {"journal_mode", "'wal'"},   {"fullfsync", "1"},
        {"checkpoint_fullfsync", "1"}, {"writable_schema", "FALSE"}};
    for (const auto& [name, value] : hints) {
      const std::string before = Ask(connection, "PRAGMA " + name);
      EXPECT_TRUE(connection.Run({.sql = "PRAGMA " + name + " = " + value}).has_value()) << name;
      EXPECT_TRUE(connection.Run({.sql = "PRAGMA " + name + "(" + value + ")"}).has_value()) << name;
      EXPECT_TRUE(connection.Describe("PRAGMA " + name + " = " + value).has_value()) << name;
      EXPECT_EQ(Ask(connection, "PRAGMA " + name), before) << name;
    }
    EXPECT_TRUE(connection.session().settings.empty());
    EXPECT_TRUE(connection.ResetForReuse());
  });
}

TEST_F(PragmaTest, WhatWouldNotBeSoIsRefused) {
  WithConnection([](Connection& connection) {
    for (const char* sql :
         {"PRAGMA synchronous = OFF", "PRAGMA cache_spill = ON", "PRAGMA secure_delete = ON",
          "PRAGMA secure_delete = FAST", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA encoding = 'UTF-16'",
          "PRAGMA journal_mode = DELETE", "PRAGMA writable_schema = ON", "PRAGMA max_page_count = 10",
          "PRAGMA wal_checkpoint", "PRAGMA temp_store_directory = '/'", "PRAGMA hard_heap_limit = 1",
          "PRAGMA schema_version = 3", "PRAGMA auto_vacuum = FULL", "PRAGMA key = 'secret'"})
      EXPECT_EQ(CodeOf(connection.Run({.sql = sql})), "SQLITE_AUTH") << sql;
  });
}

TEST_F(PragmaTest, FlagsOfTheConnectionAreItsSettings) {
  WithConnection([](Connection& connection) {
    for (const std::string name : {"read_uncommitted", "legacy_alter_table", "reverse_unordered_selects"}) {
      EXPECT_EQ(Ask(connection, "PRAGMA " + name + " = ON"), "");
      EXPECT_EQ(Ask(connection, "PRAGMA " + name), "1");
    }
    EXPECT_EQ(connection.session().settings.size(), 3u);
    EXPECT_FALSE(connection.ResetForReuse());
  });
}

TEST_F(PragmaTest, OptimizeIsAWriter) {
  WithConnection([](Connection& connection) {
    RunScript(connection, "CREATE TABLE t (v); CREATE INDEX i ON t (v); INSERT INTO t VALUES (1)");
    Ask(connection, "SELECT * FROM t WHERE v = 5");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "SELECT * FROM pragma_optimize"})), "SQLITE_AUTH");
    EXPECT_EQ(Ask(connection, "SELECT name FROM sqlite_schema WHERE name = 'sqlite_stat1'"), "");
    bool readonly = true;
    const auto look = [&](const StatementTraits& traits) -> Result<Connection::Decision> {
      readonly = traits.readonly;
      return Connection::Decision::kStep;
    };
    EXPECT_TRUE(connection.Run({.sql = "PRAGMA optimize"}, look).has_value());
    EXPECT_FALSE(readonly);
    EXPECT_EQ(Ask(connection, "SELECT name FROM sqlite_schema WHERE name = 'sqlite_stat1'"), "sqlite_stat1");
  });
}

}  // namespace
}  // namespace tradewind::sqlite
