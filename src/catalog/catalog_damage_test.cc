// An embedded catalog whose file is in order for SQLite, and holds what nobody wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "catalog/catalog_rows.h"
#include "catalog/catalog_service.h"
#include "catalog/remote_catalog.h"
#include "catalog/test_catalog.h"
#include "sqlite/connection.h"
#include "sqlite/page_store.h"

namespace tradewind::catalog {
namespace {

using testing::HasSubstr;

class CatalogDamage : public testing::Test {
 protected:
  // Two nodes; tenant a is in move m2, b was in m1, c is deleted.
  CatalogDamage() {
    WithCatalog(*core_, path_, [](EmbeddedCatalog& catalog) {
      for (const std::string node : {"n1", "n2"})
        Need(catalog.RegisterNode({{node, "http://" + node}, node + "-folder"}));
      for (const char* tenant : {"a", "b", "c"}) Need(catalog.CreateTenant(tenant, "sqlite", "n1"));
      Need(catalog.DeleteTenant("c", {"n1", Epoch{1}}));
      MoveRecord move = MoveOfB("m1");
      Need(catalog.BeginMove(move));
      Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kCancelled, "{}"));
      move.id = "m2";
      move.tenant = "a";
      Need(catalog.BeginMove(move));
      Need(catalog.SetObjective("b", "p95:5ms"));
    });
    std::filesystem::remove(path_ + "-seal");
    std::filesystem::copy_file(path_, whole_);
  }

  static MoveRecord MoveOfB(const MoveId& id) {
    MoveRecord move;
    move.id = id;
    move.tenant = "b";
    move.source = "n1";
    move.destination = "n2";
    move.method = "zephyr";
    move.epoch_before = Epoch{1};
    move.options = "{}";
    return move;
  }

  void PutWholeBack() {
    std::filesystem::copy_file(whole_, path_, std::filesystem::copy_options::overwrite_existing);
    for (const char* suffix : {"-seal", "-wal"}) std::filesystem::remove(path_ + suffix);
  }

  // Requires a fiber.
  void Damage(const std::vector<std::string>& statements) {
    auto store = Need(sqlite::PageStore::Open(*core_, path_, runtime::OpenMode::kExisting));
    ASSERT_TRUE(store);
    auto connection = Need(sqlite::Connection::Open(*store));
    ASSERT_TRUE(connection);
    for (const std::string& sql : statements) {
      sql::Statement statement;
      statement.sql = sql;
      const auto result = connection->Run(statement);
      ASSERT_TRUE(result) << sql << ": " << Describe(result.error());
    }
    Need(connection->Checkpoint(sqlite::CheckpointMode::kTruncate));
  }

  // What opening says of the whole file after these statements.
  std::string CodeAfter(const std::vector<std::string>& statements) {
    PutWholeBack();
    Damage(statements);
    auto catalog = EmbeddedCatalog::Open(*core_, path_);
    if (catalog) (*catalog)->Close();
    if (catalog) return "no error";
    EXPECT_THAT(catalog.error().message, HasSubstr(path_)) << "it names the file";
    EXPECT_FALSE(catalog.error().action.empty());
    return catalog.error().code;
  }

  TestFolder folder_;
  std::string path_ = folder_.File("catalog");
  std::string whole_ = folder_.File("whole");
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
};

struct Column {
  std::string table;
  std::string name;
  std::vector<std::string> wrong;  // Values that it never has, beside those of another type.
};

const std::string kLong = "'" + std::string(64, 'a') + "'";

const std::vector<Column>& AllColumns() {
  static const std::vector<std::string> names = {"''", "'A b'", "'../x'", "'a' || char(0)", kLong};
  static const std::vector<std::string> epochs = {"0", "-1", "9007199254740993", "9223372036854775807"};
  static const std::vector<std::string> times = {"-1", "253402300800000", "9223372036854775807"};
  static const std::vector<std::string> objects = {"'{'", "'[]'", "'{}x'", "'7'"};
  static const std::vector<Column> columns = {
      {"format", "version", {"0", "-4"}},
      {"cluster", "id", names},
      {"nodes", "name", names},
      {"nodes", "url", {"''", "'ftp://n1'", "'http://n1' || char(10)", "'http://n 1'"}},
      {"nodes", "draining", {"2", "-1"}},
      {"nodes", "folder", {"'a' || char(7)", "'\xc3\xa4'"}},
      {"nodes", "registered_at_ms", times},
      {"nodes", "sqlite", {"-1", "2999999", "10000000"}},
      {"epochs", "name", names},
      {"epochs", "epoch", epochs},
      {"tenants", "name", names},
      {"tenants", "engine", {"''", "'sqlitf'", "'SQLITE'"}},
      {"tenants", "owner", names},
      {"tenants", "epoch", epochs},
      {"tenants", "created_at_ms", times},
      {"tenants", "move", {"'A b'", "'m3'", "'m1'", kLong}},
      {"tenants", "objective", {"'p95'", "'p95:'", "'p95:0ms'", "'p95:5' || char(1)"}},
      {"tenants", "sqlite", {"-1", "2999999", "10000000"}},
      {"tenants", "quotas", objects},
      {"moves", "id", names},
      {"moves", "tenant", names},
      {"moves", "source", names},
      {"moves", "destination", {"''", "'A b'", "'n1'"}},
      {"moves", "method", {"'zephyr' || char(0)"}},
      {"moves", "epoch_before", epochs},
      {"moves", "state", {"''", "'forwarb'", "'FORWARD'", "'done '"}},
      {"moves", "receipt", objects},
      {"moves", "started_at_ms", times},
      {"moves", "ended_at_ms", times},
      {"moves", "options", objects},
  };
  return columns;
}

// The same table without types and constraints, as a flipped bit may leave it.
std::vector<std::string> Loosened(const std::string& table) {
  return {"CREATE TABLE loose AS SELECT * FROM " + table, "DROP TABLE " + table,
          "ALTER TABLE loose RENAME TO " + table};
}

TEST_F(CatalogDamage, EachColumnThatHoldsWhatNobodyWroteIsFound) {
  core_->RunUntilReturned("test", [&] {
    for (const Column& column : AllColumns()) {
      std::vector<std::string> wrong = column.wrong;
      for (const char* value : {"NULL", "x'61'"}) wrong.push_back(value);
      const bool any_text = column.name == "folder" || column.name == "method";
      if (!any_text) wrong.insert(wrong.end(), {"1.5", "'no number'"});
      const std::string where =
          column.table == "format" || column.table == "cluster" || column.table == "epochs"
              ? ""
              : " WHERE rowid = (SELECT max(rowid) FROM " + column.table + ")";
      for (const std::string& value : wrong) {
        std::vector<std::string> statements = Loosened(column.table);
        statements.push_back("UPDATE " + column.table + " SET " + column.name + "=" + value + where);
        EXPECT_EQ(CodeAfter(statements), kCatalogCorruptCode)
            << column.table << "." << column.name << "=" << value;
      }
    }
    for (const char* table : {"format", "cluster", "nodes", "epochs", "tenants", "moves"})
      EXPECT_EQ(CodeAfter(Loosened(table)), "no error") << table << ": that alone is not what is found";
  });
}

TEST_F(CatalogDamage, RowsThatContradictEachOtherAreFound) {
  core_->RunUntilReturned("test", [&] {
    const std::vector<std::vector<std::string>> damages = {
        {"DELETE FROM moves WHERE id='m2'"},
        {"UPDATE tenants SET move='' WHERE name='a'"},
        {"UPDATE tenants SET move='m2' WHERE name='b'"},
        {"UPDATE moves SET tenant='b' WHERE id='m2'"},
        {"UPDATE moves SET state='done' WHERE id='m2'"},
        {"UPDATE moves SET ended_at_ms=5 WHERE id='m2'"},
        {"UPDATE moves SET ended_at_ms=0, state='forward' WHERE id='m1'"},
        {"UPDATE moves SET epoch_before=7 WHERE id='m2'"},
        {"DELETE FROM tenants WHERE name='a'"},
        {"UPDATE tenants SET owner='n3' WHERE name='b'"},
        {"UPDATE moves SET destination='n3' WHERE id='m2'"},
        {"DELETE FROM nodes WHERE name='n2'"},
        {"INSERT INTO epochs VALUES('a', 1)"},
        {"DELETE FROM cluster"},
        {"INSERT INTO cluster SELECT id FROM cluster"},
        {"DELETE FROM format"},
        {"INSERT INTO format VALUES(4)"},
        {"UPDATE format SET version=3"},
        {"DROP TABLE format"},
        {"DROP TABLE tenants"},
        {"ALTER TABLE moves DROP COLUMN options"},
    };
    for (const auto& damage : damages) EXPECT_EQ(CodeAfter(damage), kCatalogCorruptCode) << damage[0];
    EXPECT_EQ(CodeAfter({}), "no error");
    EXPECT_EQ(CodeAfter({"UPDATE format SET version=7"}), "CATALOG_FORMAT");
  });
}

TEST_F(CatalogDamage, AFileThatIsRefusedStaysAsItIs) {
  core_->RunUntilReturned("test", [&] {
    PutWholeBack();
    Damage({"UPDATE tenants SET epoch=-1 WHERE name='a'"});
    const auto size = std::filesystem::file_size(path_);
    for (int opening = 1; opening <= 2; ++opening)
      EXPECT_EQ(CodeOf(EmbeddedCatalog::Open(*core_, path_)), kCatalogCorruptCode);
    EXPECT_EQ(std::filesystem::file_size(path_), size);
    EXPECT_FALSE(std::filesystem::exists(path_ + "-seal"));
  });
}

TEST_F(CatalogDamage, WhatACallerGivesIsRefusedBeforeItIsWritten) {
  WithCatalog(*core_, path_, [](EmbeddedCatalog& embedded) {
    RemoteCatalog remote([&](std::string_view operation, const std::string& request) {
      return Result<std::string>(AnswerCatalogCall(embedded, operation, request));
    });
    for (Catalog* catalog : {static_cast<Catalog*>(&embedded), static_cast<Catalog*>(&remote)}) {
      const std::string code = "CATALOG_FIELD_INVALID";
      EXPECT_EQ(CodeOf(catalog->RegisterNode({{"n3", "gopher://n3"}, "three"})), code);
      EXPECT_EQ(CodeOf(catalog->RegisterNode({{"n3", "http://n3"}, "three\n"})), code);
      EXPECT_EQ(CodeOf(catalog->CreateTenant("d", "duckdb", "n1")), code);
      EXPECT_EQ(CodeOf(catalog->SetObjective("b", "soon")), code);
      EXPECT_EQ(CodeOf(catalog->SaveReceipt("m1", "{")), code);
      EXPECT_EQ(CodeOf(catalog->SetMoveOptions("m1", "[]")), code);
      EXPECT_EQ(CodeOf(catalog->SetMoveState("m2", MoveState::kForward, MoveState::kCancelled, "{")), code);
      EXPECT_EQ(CodeOf(catalog->BeginMove(MoveOfB("../m3"))), code);
      EXPECT_EQ(Need(catalog->GetTenant("b")).objective, "p95:5ms");
      EXPECT_EQ(Need(catalog->GetMove("m2")).state, MoveState::kForward);
    }
  });
}

TEST_F(CatalogDamage, AnAnswerWithARecordThatCannotBeIsNotBelieved) {
  const std::string tenant =
      R"({"name":"a","engine":"sqlite","owner":"n1","epoch":1,"created_at_ms":1,"move":"","objective":""})";
  core_->RunUntilReturned("test", [&] {
    const auto answer_with = [&](std::string from, std::string to) {
      std::string record = tenant;
      if (!from.empty()) record.replace(record.find(from), from.size(), to);
      RemoteCatalog remote([&](std::string_view, const std::string&) {
        return Result<std::string>(R"({"result":)" + record + "}");
      });
      return CodeOf(remote.GetTenant("a"));
    };
    EXPECT_EQ(answer_with("", ""), "no error");
    EXPECT_EQ(answer_with(R"("a")", R"("../../a")"), "CATALOG_MESSAGE");
    EXPECT_EQ(answer_with(R"("n1")", R"("N 1")"), "CATALOG_MESSAGE");
    EXPECT_EQ(answer_with("\"epoch\":1", "\"epoch\":9223372036854775807"), "CATALOG_MESSAGE");
    EXPECT_EQ(answer_with("\"epoch\":1", "\"epoch\":0"), "CATALOG_MESSAGE");
    EXPECT_EQ(answer_with("\"move\":\"\"", "\"move\":\"/etc\""), "CATALOG_MESSAGE");
    EXPECT_EQ(answer_with("\"created_at_ms\":1", "\"created_at_ms\":-1"), "CATALOG_MESSAGE");
  });
}

}  // namespace
}  // namespace tradewind::catalog
