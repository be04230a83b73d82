// With real servers.
#include "mariadb/checksums.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mariadb/servers_fixture.h"
#include "mariadb/test_row_pace.h"

namespace tradewind::mariadb {
namespace {

class ChecksumsTest : public ServersTest {
 protected:
  // With one instance, that takes writes and has a database `shop` with an empty table `t`.
  void With(const std::function<void(Instance& instance)>& body) {
    Run([&] {
      const auto instance = OpenWritable("only", 64u << 20);
      ASSERT_NE(instance, nullptr);
      body(*instance);
      Stop(*instance);
    });
  }
  TableSums Read(Checksums& checksums, TestRowPace::Function take) {
    TestRowPace pace(std::move(take));
    auto sums = checksums.Read(pace);
    if (!sums) ADD_FAILURE() << Describe(sums.error());
    return sums ? std::move(*sums) : TableSums{};
  }
  TableSums Sums(Instance& instance) {
    Checksums checksums(*core_, instance);
    const auto at = checksums.OpenSnapshot();
    if (!at) ADD_FAILURE() << Describe(at.error());
    return Read(checksums, [](uint64_t, bool) { return true; });
  }
  std::string Kills(Instance& instance) {
    return Ask(
        instance,
        "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'COM_KILL'");
  }
  // That many rows have come; and not that a table begins.
  static bool IsOfRows(uint64_t bytes) { return bytes >= 64u << 10; }
  // A reader who takes a piece now and then, until the statement whose rows they are was ended.
  using SlowReader = TestRowPace::Function;
  SlowReader ReadSlowly(Instance& instance) {
    return [this, &instance, ended = false](uint64_t bytes, bool is_waited_for) mutable {
      if (!IsOfRows(bytes) || ended) return true;
      do {
        runtime::SleepFor(limits::kChecksumLook);
        ended = Kills(instance) != "0";
      } while (is_waited_for && !ended);
      return true;
    };
  }
  std::optional<uint64_t> SumOf(Instance& instance, const std::string& name) {
    const TableSums sums = Sums(instance);
    const auto found = sums.find(name);
    if (found == sums.end()) ADD_FAILURE() << name << " has no sum";
    return found == sums.end() ? std::nullopt : found->second;
  }
};

TEST_F(ChecksumsTest, WhateverAColumnHasIsInTheSum) {
  With([&](Instance& instance) {
    // What each is changed to differs from what it had by as little as its type can.
    const std::vector<std::array<std::string, 3>> columns = {
        {"BIGINT UNSIGNED", "18446744073709551614", "18446744073709551615"},
        {"FLOAT", "16777214", "16777215"},
        {"DOUBLE", "0.1", "0.30000000000000004 - 0.2"},
        {"DECIMAL(65, 30)", "1.000000000000000000000000000001", "1.000000000000000000000000000002"},
        {"VARCHAR(20) CHARACTER SET latin1", "'a'", "'A'"},
        {"VARCHAR(20)", "'a'", "'a '"},
        {"TEXT", "''", "NULL"},
        {"VARBINARY(20)", "x'00'", "x'0000'"},
        {"BIT(9)", "b'100000000'", "b'100000001'"},
        {"DATETIME(6)", "'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"},
        {"TIMESTAMP(6) NULL", "'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"},
        {"TIME(6)", "'-00:00:00.000001'", "'00:00:00.000001'"},
        {"YEAR", "2026", "2027"},
        {"ENUM('a', 'b')", "'a'", "'b'"},
        {"SET('a', 'b')", "'a'", "'a,b'"},
        {"JSON", "'{\"a\": 1}'", "'{\"a\":1}'"},
        {"UUID", "'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"},
        {"INET6", "'::1'", "'::2'"},
        {"POINT", "ST_PointFromText('POINT(1 1)')", "ST_PointFromText('POINT(1 2)')"},
        {"LONGBLOB", "REPEAT('x', 65536)", "CONCAT(REPEAT('x', 65535), 'y')"},
        {"LONGTEXT", "REPEAT('x', 1000000)", "REPEAT('x', 1000001)"},
        {"INT INVISIBLE", "1", "2"},
    };
    std::string create = "CREATE TABLE shop.c (id INT PRIMARY KEY";
    std::string insert = "INSERT INTO shop.c (id";
    std::string values;
    for (size_t i = 0; i < columns.size(); ++i) {
      create += fmt::format(", c{} {}", i, columns[i][0]);
      insert += fmt::format(", c{}", i);
      values += ", " + columns[i][1];
    }
    Ask(instance, create + ")");
    Ask(instance, insert + ") VALUES (1" + values + ")");
    std::optional<uint64_t> before = SumOf(instance, "`shop`.`c`");
    EXPECT_EQ(SumOf(instance, "`shop`.`c`"), before);
    for (size_t i = 0; i < columns.size(); ++i) {
      SCOPED_TRACE(columns[i][0]);
      Ask(instance, fmt::format("UPDATE shop.c SET c{} = {}", i, columns[i][2]));
      const auto after = SumOf(instance, "`shop`.`c`");
      EXPECT_TRUE(after);
      EXPECT_NE(after, before);
      before = after;
    }
  });
}

TEST_F(ChecksumsTest, RowsHaveTheSameSumInAnyOrderAndOneTwiceAnother) {
  With([&](Instance& instance) {
    for (const char* const table : {"a", "b", "twice"})
      Ask(instance, fmt::format("CREATE TABLE shop.{} (n INT, text TEXT)", table));
    Ask(instance, "INSERT INTO shop.a VALUES (1, 'x'), (2, 'y'), (3, NULL)");
    Ask(instance, "INSERT INTO shop.b VALUES (3, NULL), (1, 'x'), (2, 'y')");
    Ask(instance, "INSERT INTO shop.twice VALUES (3, NULL), (1, 'x'), (2, 'y'), (2, 'y')");
    const TableSums sums = Sums(instance);
    EXPECT_TRUE(sums.at("`shop`.`a`"));
    EXPECT_EQ(sums.at("`shop`.`a`"), sums.at("`shop`.`b`"));
    EXPECT_NE(sums.at("`shop`.`a`"), sums.at("`shop`.`twice`"));
    EXPECT_EQ(sums.at("`shop`.`t`"), 0u) << "it is empty";
  });
}

// More than a packet has.
TEST_F(ChecksumsTest, TheLastByteOfALongRowIsInTheSum) {
  With([&](Instance& instance) {
    Ask(instance, "CREATE TABLE shop.long_rows (a LONGTEXT, b LONGTEXT)");
    Ask(instance, "INSERT INTO shop.long_rows VALUES (REPEAT('x', 12000000), '')");
    Ask(instance, "UPDATE shop.long_rows SET b = REPEAT('y', 12000000)");
    const auto before = SumOf(instance, "`shop`.`long_rows`");
    Ask(instance, "UPDATE shop.long_rows SET b = CONCAT(SUBSTR(b, 2), 'z')");
    EXPECT_NE(SumOf(instance, "`shop`.`long_rows`"), before);
  });
}

TEST_F(ChecksumsTest, NamesAndGeneratedColumnsAreNoMatter) {
  With([&](Instance& instance) {
    Ask(instance, "CREATE TABLE shop.T (n INT)");
    Ask(instance, "INSERT INTO shop.T VALUES (1)");
    Ask(instance, "CREATE DATABASE `a``b c`");
    Ask(instance,
        "CREATE TABLE `a``b c`.`ü ``?` (`n ``` INT, v VARCHAR(99) AS (CONCAT(n, CURRENT_USER())) VIRTUAL, "
        "s INT AS (n + 1) STORED, n INT)");
    Ask(instance, "INSERT INTO `a``b c`.`ü ``?` (`n ```, n) VALUES (1, 2)");
    const TableSums sums = Sums(instance);
    EXPECT_EQ(sums.at("`shop`.`t`"), 0u);
    EXPECT_NE(sums.at("`shop`.`T`").value(), 0u);
    EXPECT_NE(sums.at("`a``b c`.`ü ``?`").value(), 0u);
  });
}

TEST_F(ChecksumsTest, WhatAnOperatorHasSetForAllSessionsIsNoMatter) {
  With([&](Instance& instance) {
    Ask(instance, "CREATE TABLE shop.w (t TIMESTAMP NULL, c CHAR(9), n INT)");
    Ask(instance, "INSERT INTO shop.w VALUES ('2026-01-01', 'a', 1), ('2026-01-02', 'b', 2), (NULL, 'c', 3)");
    const TableSums before = Sums(instance);
    Ask(instance,
        "SET GLOBAL time_zone = '+05:00', sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES', "
        "character_set_results = 'ucs2', sql_select_limit = 1, "
        "sql_big_selects = 0, max_join_size = 1, net_write_timeout = 1, idle_readonly_transaction_timeout = "
        "1");
    EXPECT_EQ(Sums(instance), before);
  });
}

TEST_F(ChecksumsTest, ATableThatHasBeenReadMayBeAlteredWhileOthersAreRead) {
  With([&](Instance& instance) {
    Ask(instance, "CREATE TABLE shop.a (n INT)");
    Ask(instance, "INSERT INTO shop.a VALUES (1)");
    Insert(instance, 4, 100'000);
    Checksums checksums(*core_, instance);
    ASSERT_TRUE(checksums.OpenSnapshot());
    int pieces = 0;
    const TableSums sums = Read(checksums, [&](uint64_t bytes, bool) {
      // In the middle of `t`, which comes after it.
      if (IsOfRows(bytes) && ++pieces == 2) Ask(instance, "ALTER TABLE shop.a ADD COLUMN m INT");
      return true;
    });
    EXPECT_GT(pieces, 2);
    EXPECT_TRUE(sums.at("`shop`.`a`"));
    EXPECT_TRUE(sums.at("`shop`.`t`"));
  });
}

TEST_F(ChecksumsTest, ATableThatIsReadIsLeftToWhoWaitsForIt) {
  With([&](Instance& instance) {
    Insert(instance, 60, 1'000'000);
    Checksums checksums(*core_, instance);
    ASSERT_TRUE(checksums.OpenSnapshot());
    runtime::TaskGroup alters(*core_);
    bool began = false;
    SlowReader reader = ReadSlowly(instance);
    const TableSums sums = Read(checksums, [&](uint64_t bytes, bool is_waited_for) {
      if (IsOfRows(bytes) && !std::exchange(began, true))
        alters.Spawn("alters", [&] { Ask(instance, "ALTER TABLE shop.t ADD COLUMN m INT"); });
      return reader(bytes, is_waited_for);
    });
    alters.Join();
    EXPECT_EQ(sums.at("`shop`.`t`"), std::nullopt);
  });
}

// Whoever waits to write to it, as it has no snapshots.
TEST_F(ChecksumsTest, ATableWithoutSnapshotsIsLeftToWhoWritesToIt) {
  With([&](Instance& instance) {
    Ask(instance, "CREATE TABLE shop.m (n INT, text LONGTEXT) ENGINE = MyISAM");
    for (int row = 0; row < 60; ++row) Ask(instance, "INSERT INTO shop.m VALUES (1, REPEAT('x', 1000000))");
    Checksums checksums(*core_, instance);
    ASSERT_TRUE(checksums.OpenSnapshot());
    runtime::TaskGroup writes(*core_);
    bool began = false;
    SlowReader reader = ReadSlowly(instance);
    const TableSums sums = Read(checksums, [&](uint64_t bytes, bool is_waited_for) {
      if (IsOfRows(bytes) && !std::exchange(began, true))
        writes.Spawn("writes", [&] { Ask(instance, "UPDATE shop.m SET n = 2"); });
      return reader(bytes, is_waited_for);
    });
    writes.Join();
    EXPECT_EQ(sums.at("`shop`.`m`"), std::nullopt);
  });
}

TEST_F(ChecksumsTest, WhoWaitsForSomebodyElsesTableIsNoMatter) {
  With([&](Instance& instance) {
    Insert(instance, 60, 1'000'000);
    Ask(instance, "CREATE TABLE shop.locked (n INT)");
    const TableSums before = Sums(instance);
    const auto holder = Connect(instance);
    Ask(*holder, "BEGIN");
    Ask(*holder, "SELECT * FROM shop.locked");
    runtime::TaskGroup alters(*core_);
    alters.Spawn("alters", [&] { Ask(instance, "ALTER TABLE shop.locked ADD COLUMN m INT"); });
    while (
        Ask(instance,
            "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'Waiting for table metadata "
            "lock'") != "1")
      runtime::Yield();
    Checksums checksums(*core_, instance);
    ASSERT_TRUE(checksums.OpenSnapshot());
    const TableSums sums = Read(checksums, ReadSlowly(instance));
    EXPECT_NE(Kills(instance), "0") << "it could have been this one that was waited for";
    EXPECT_EQ(sums.at("`shop`.`t`"), before.at("`shop`.`t`"));
    EXPECT_EQ(sums.at("`shop`.`locked`"), std::nullopt);
    Ask(*holder, "COMMIT");
    alters.Join();
  });
}

TEST_F(ChecksumsTest, WhatChangedBeforeItWasReadHasNoSum) {
  With([&](Instance& instance) {
    const std::vector<std::pair<std::string, std::string>> tables = {
        {"altered", "ALTER TABLE shop.altered MODIFY COLUMN n BIGINT"},
        {"lost_a_column", "ALTER TABLE shop.lost_a_column ADD COLUMN m INT, DROP COLUMN n"},
        {"dropped", "DROP TABLE shop.dropped"},
        {"truncated", "TRUNCATE TABLE shop.truncated"},
        {"renamed", "RENAME TABLE shop.renamed TO shop.renamed_to"},
        {"made_anew", "CREATE OR REPLACE TABLE shop.made_anew (n INT)"},
    };
    for (const auto& [name, statement] : tables) {
      Ask(instance, fmt::format("CREATE TABLE shop.{} (n INT)", name));
      Ask(instance, fmt::format("INSERT INTO shop.{} VALUES (1)", name));
    }
    Ask(instance, "CREATE TABLE shop.got_a_column (n INT)");
    Ask(instance, "INSERT INTO shop.got_a_column VALUES (1)");
    const TableSums before = Sums(instance);
    Checksums checksums(*core_, instance);
    ASSERT_TRUE(checksums.OpenSnapshot());
    for (const auto& [name, statement] : tables) Ask(instance, statement);
    // That leaves what was there.
    Ask(instance, "ALTER TABLE shop.got_a_column ADD COLUMN m INT DEFAULT 7");
    const TableSums sums = Read(checksums, [](uint64_t, bool) { return true; });
    EXPECT_EQ(sums.size(), 2 + tables.size());
    EXPECT_EQ(sums.at("`shop`.`got_a_column`"), before.at("`shop`.`got_a_column`"));
    EXPECT_TRUE(sums.at("`shop`.`t`"));
    for (const auto& [name, statement] : tables)
      EXPECT_EQ(sums.at(fmt::format("`shop`.`{}`", name)), std::nullopt) << name;
  });
}

TEST_F(ChecksumsTest, ATableWithoutSnapshotsHasASumOnlyWhileNothingIsCommitted) {
  With([&](Instance& instance) {
    Ask(instance, "CREATE TABLE shop.m (n INT) ENGINE = MyISAM");
    Ask(instance, "INSERT INTO shop.m VALUES (1)");
    const TableSums before = Sums(instance);
    EXPECT_TRUE(before.at("`shop`.`m`"));
    EXPECT_EQ(Sums(instance), before);
    Checksums checksums(*core_, instance);
    ASSERT_TRUE(checksums.OpenSnapshot());
    Ask(instance, "INSERT INTO shop.m VALUES (2)");
    const TableSums after = Read(checksums, [](uint64_t, bool) { return true; });
    EXPECT_EQ(after.at("`shop`.`m`"), std::nullopt);
    EXPECT_TRUE(after.at("`shop`.`t`"));
    EXPECT_TRUE(Agree(before, after));
  });
}

TEST_F(ChecksumsTest, ATableThatNobodyCanReadHasASumAndOneInMemoryHasNone) {
  With([&](Instance& instance) {
    Ask(instance, "CREATE TABLE shop.child (n INT) ENGINE = MyISAM");
    Ask(instance, "CREATE TABLE shop.merged (n INT) ENGINE = MERGE UNION = (shop.child)");
    Ask(instance, "DROP TABLE shop.child");
    Ask(instance, "CREATE TABLE shop.fleeting (n INT) ENGINE = MEMORY");
    const TableSums sums = Sums(instance);
    EXPECT_TRUE(sums.at("`shop`.`merged`"));
    EXPECT_NE(sums.at("`shop`.`merged`"), 0u) << "not as if it were empty";
    EXPECT_EQ(sums.at("`shop`.`fleeting`"), std::nullopt);
    EXPECT_EQ(Sums(instance), sums);
  });
}

TEST(TableSumsTest, AgreeWhereNoneHasASumThatTheOtherHasNot) {
  const TableSums one{{"a", 1}, {"b", 2}};
  EXPECT_TRUE(Agree(one, one));
  EXPECT_TRUE(Agree(one, {{"a", 1}, {"b", std::nullopt}}));
  EXPECT_TRUE(Agree({{"a", 1}, {"b", 2}, {"made later", std::nullopt}}, one));
  EXPECT_FALSE(Agree(one, {{"a", 1}, {"b", 3}}));
  EXPECT_FALSE(Agree(one, {{"a", 1}}));
  EXPECT_FALSE(Agree({{"a", 1}}, one));
  EXPECT_TRUE(Agree({}, {}));
}

}  // namespace
}  // namespace tradewind::mariadb
