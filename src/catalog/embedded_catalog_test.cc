// The embedded catalog's file: what survives, and who waits for whom.
#include "catalog/embedded_catalog.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>

#include "base/hash.h"
#include "base/limits.h"
#include "catalog/test_catalog.h"
#include "runtime/test_core.h"

namespace tradewind::catalog {
namespace {

class EmbeddedCatalogFile : public testing::Test {
 protected:
  void Run(const std::function<void(EmbeddedCatalog&)>& body) { WithCatalog(*core_, path_, body); }

  TestFolder folder_;
  std::string path_ = folder_.File("catalog");
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
};

TEST_F(EmbeddedCatalogFile, KeepsEverythingOverAReopening) {
  std::vector<NodeRecord> nodes;
  std::vector<TenantRecord> tenants;
  std::vector<MoveRecord> moves;
  Run([&](EmbeddedCatalog& catalog) {
    Need(catalog.RegisterNode({"n1", "http://127.0.0.1:1"}));
    Need(catalog.RegisterNode({"n2", "http://127.0.0.1:2"}));
    Need(catalog.CreateTenant("t", "sqlite", "n1"));
    Need(catalog.CreateTenant("u", "sqlite", "n2"));
    Need(catalog.DeleteTenant("u", {"n2", Epoch{1}}));
    MoveRecord move;
    move.id = "m1";
    move.tenant = "t";
    move.source = "n1";
    move.destination = "n2";
    move.method = "zephyr";
    move.epoch_before = Epoch{1};
    Need(catalog.BeginMove(move));
    Need(catalog.Swap("t", {"n1", Epoch{1}}, "n2", "m1"));
    Need(catalog.SaveReceipt("m1", "{}"));
    nodes = Need(catalog.Nodes());
    tenants = Need(catalog.ListTenants());
    moves = Need(catalog.ListMoves());
  });
  ASSERT_EQ(moves.size(), 1u);
  Run([&](EmbeddedCatalog& catalog) {
    EXPECT_EQ(Need(catalog.Nodes()), nodes);
    EXPECT_EQ(Need(catalog.ListTenants()), tenants);
    EXPECT_EQ(Need(catalog.ListMoves()), moves);
    EXPECT_EQ(Need(catalog.CreateTenant("u", "sqlite", "n1")).ownership.epoch, Epoch{2});
  });
}

TEST_F(EmbeddedCatalogFile, IsRecoveredFromItsLogAfterACrash) {
  Run([&](EmbeddedCatalog& catalog) {
    Need(catalog.RegisterNode({"n1", "http://127.0.0.1:1"}));
    Need(catalog.CreateTenant("t", "sqlite", "n1"));
    // What a crash at this moment would leave.
    const std::string copy = folder_.File("copy");
    ASSERT_TRUE(std::filesystem::exists(path_ + "-wal"));
    for (const std::string suffix : {"", "-wal"}) std::filesystem::copy_file(path_ + suffix, copy + suffix);
    auto recovered = EmbeddedCatalog::Open(*core_, copy);
    ASSERT_TRUE(recovered) << Describe(recovered.error());
    EXPECT_EQ(Need((*recovered)->GetTenant("t")).ownership, (Ownership{"n1", Epoch{1}}));
    (*recovered)->Close();
  });
}

TEST_F(EmbeddedCatalogFile, DoesNotLetItsLogGrowForEver) {
  Run([&](EmbeddedCatalog& catalog) {
    constexpr uint32_t kWriters = 100;
    runtime::TaskGroup writers(*core_);
    for (uint32_t writer = 0; writer < kWriters; ++writer)
      writers.Spawn("writer", [&, writer] {
        for (uint32_t i = 0; i <= limits::kCheckpointFrames / kWriters; ++i)
          Need(catalog.RegisterNode({"n" + std::to_string(writer), "http://127.0.0.1:" + std::to_string(i)}));
      });
    writers.Join();
    EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), uint64_t{limits::kCheckpointFrames} * 4096);
    EXPECT_EQ(Need(catalog.Nodes()).size(), kWriters);
  });
}

// Runs statements on a catalog's file while no catalog has it open.
Result<std::vector<std::vector<sql::Value>>> RunOnFile(runtime::Core& core, const std::string& path,
                                                       const std::vector<std::string>& statements) {
  TW_TRY_ASSIGN(auto store, sqlite::PageStore::Open(core, path, runtime::OpenMode::kCreate));
  TW_TRY_ASSIGN(auto connection, sqlite::Connection::Open(*store));
  TW_TRY(connection->Checkpoint(sqlite::CheckpointMode::kTruncate));
  std::vector<std::vector<sql::Value>> rows;
  for (const std::string& sql : statements) {
    sql::Statement statement;
    statement.sql = sql;
    TW_TRY_ASSIGN(sql::StatementResult result, connection->Run(statement));
    rows = std::move(result.rows);
  }
  TW_TRY(store->log().WaitDurable());
  return rows;
}

TEST_F(EmbeddedCatalogFile, ListsMoreTenantsThanAClientMayBeSentRows) {
  Run([&](EmbeddedCatalog& catalog) {
    Need(catalog.RegisterNode({"n1", "http://127.0.0.1:1"}));
    Need(catalog.CreateTenant("t", "sqlite", "n1"));
  });
  core_->RunUntilReturned("test", [&] {
    ASSERT_TRUE(core_->disk().Remove(path_ + "-seal"));  // Of a file that nothing else has changed.
    Need(RunOnFile(
        *core_, path_,
        {"INSERT INTO tenants WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < "
         "40000) SELECT printf('t-%d', x), engine, owner, epoch, created_at_ms, move, objective, sqlite, "
         "quotas "
         "FROM tenants, c"}));
  });
  Run([&](EmbeddedCatalog& catalog) { EXPECT_EQ(Need(catalog.ListTenants()).size(), 40'001u); });
}

TEST_F(EmbeddedCatalogFile, OfTheFirstFormatIsBroughtUpToDate) {
  core_->RunUntilReturned("test", [&] {
    Need(RunOnFile(
        *core_, path_,
        {"CREATE TABLE format(version INTEGER NOT NULL)", "INSERT INTO format VALUES(1)",
         "CREATE TABLE nodes(name TEXT PRIMARY KEY, url TEXT NOT NULL) WITHOUT ROWID",
         "INSERT INTO nodes VALUES('n1', 'http://127.0.0.1:1')",
         "CREATE TABLE epochs(name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID",
         "INSERT INTO epochs VALUES('gone', 7)",
         "CREATE TABLE tenants(name TEXT PRIMARY KEY, engine TEXT NOT NULL, owner TEXT NOT NULL, epoch "
         "INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, move TEXT NOT NULL) WITHOUT ROWID",
         "INSERT INTO tenants VALUES('t', 'sqlite', 'n1', 3, 99, '')",
         "CREATE TABLE moves(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, "
         "source TEXT NOT NULL, destination TEXT NOT NULL, method TEXT NOT NULL, epoch_before INTEGER NOT "
         "NULL, state TEXT NOT NULL, receipt TEXT NOT NULL, started_at_ms INTEGER NOT NULL, ended_at_ms "
         "INTEGER NOT NULL)",
         "INSERT INTO moves VALUES(NULL, 'm1', 't', 'n2', 'n1', 'zephyr', 2, 'done', '{}', 5, 6)"}));
  });
  for (int opening = 1; opening <= 2; ++opening)
    Run([&](EmbeddedCatalog& catalog) {
      EXPECT_EQ(Need(catalog.Nodes()), (std::vector<NodeRecord>{{"n1", "http://127.0.0.1:1", opening == 2}}));
      EXPECT_EQ(Need(catalog.GetTenant("t")).ownership, (Ownership{"n1", Epoch{3}}));
      EXPECT_EQ(Need(catalog.GetMove("m1")).options, opening == 2 ? "{}" : "");
      EXPECT_EQ(Need(catalog.GetTenant("t")).objective, opening == 2 ? "p95:5ms" : "");
      EXPECT_EQ(Need(catalog.GetTenant("t")).sqlite, 0) << "nobody has said it";
      Need(catalog.SetDraining("n1", true));
      Need(catalog.SetMoveOptions("m1", "{}"));
      Need(catalog.SetObjective("t", "p95:5ms"));
      EXPECT_EQ(Need(catalog.GetTenant("t")).quotas, opening == 2 ? R"({"streams":4})" : "");
      Need(catalog.SetQuotas("t", R"({"streams":4})"));
    });
  Run([](EmbeddedCatalog& catalog) {
    EXPECT_EQ(Need(catalog.CreateTenant("gone", "sqlite", "n1")).ownership.epoch, Epoch{8});
  });
}

TEST_F(EmbeddedCatalogFile, IsBackedUpWhileItIsUsedToAFileThatIsACatalog) {
  const std::string copy = path_ + "-copy";
  Run([&](EmbeddedCatalog& catalog) {
    Need(catalog.RegisterNode({{"n1", "http://127.0.0.1:1"}}));
    for (int i = 0; i < 300; ++i) Need(catalog.CreateTenant("before-" + std::to_string(i), "sqlite", "n1"));
    runtime::TaskGroup others(*core_);
    bool done = false;
    others.Spawn("use", [&] {
      for (int i = 0; !done; ++i) Need(catalog.CreateTenant("after-" + std::to_string(i), "sqlite", "n1"));
    });
    Need(catalog.BackUpTo(copy));
    done = true;
    others.Join();
    EXPECT_EQ(CodeOf(catalog.BackUpTo(copy)), "FILE_EXISTS") << "nothing is written over";
    Need(catalog.SetQuotas("before-1", R"({"streams":4})"));
  });
  path_ = copy;
  Run([&](EmbeddedCatalog& catalog) {
    EXPECT_GE(Need(catalog.ListTenants()).size(), 300u);
    EXPECT_EQ(Need(catalog.GetTenant("before-299")).ownership.owner, "n1");
    EXPECT_EQ(Need(catalog.GetTenant("before-1")).quotas, "") << "that came later";
    Need(catalog.CreateTenant("new", "sqlite", "n1"));
  });
}

TEST_F(EmbeddedCatalogFile, OfALaterFormatIsRefusedAndLeftAlone) {
  core_->RunUntilReturned("test", [&] {
    Need(RunOnFile(*core_, path_,
                   {"CREATE TABLE format(version INTEGER NOT NULL)", "INSERT INTO format VALUES(7)"}));
    const auto opened = EmbeddedCatalog::Open(*core_, path_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "CATALOG_FORMAT");
    EXPECT_THAT(opened.error().message, testing::HasSubstr("format 7"));
    EXPECT_EQ(Need(RunOnFile(*core_, path_, {"SELECT count(*) FROM sqlite_schema"}))[0][0],
              sql::Value(int64_t{1}));
  });
}

TEST_F(EmbeddedCatalogFile, ForgetsMovesThatAreOverAndFarBack) {
  Run([&](EmbeddedCatalog& catalog) {
    for (const char* node : {"n1", "n2"}) Need(catalog.RegisterNode({node, "http://127.0.0.1:1"}));
    const auto begin = [&](const MoveId& id, const TenantName& tenant) {
      MoveRecord move;
      move.id = id;
      move.tenant = tenant;
      move.source = "n1";
      move.destination = "n2";
      move.epoch_before = Epoch{1};
      Need(catalog.BeginMove(move));
    };
    const auto end = [&](const MoveId& id) {
      Need(catalog.SetMoveState(id, MoveState::kForward, MoveState::kCancelled, ""));
    };
    Need(catalog.CreateTenant("slow", "sqlite", "n1"));
    begin("slow", "slow");
    // All at once, so that they share syncs.
    runtime::TaskGroup group(*core_);
    constexpr size_t kTenants = 100;
    for (size_t tenant = 0; tenant < kTenants; ++tenant)
      group.Spawn("moves", [&, tenant] {
        const TenantName name = "t" + std::to_string(tenant);
        Need(catalog.CreateTenant(name, "sqlite", "n1"));
        for (size_t i = 0; i <= limits::kKeptMoves / kTenants; ++i) {
          const MoveId id = name + "-" + std::to_string(i);
          begin(id, name);
          end(id);
        }
      });
    group.Join();
    EXPECT_EQ(CodeOf(catalog.GetMove("t0-0")), "MOVE_NOT_FOUND");
    EXPECT_EQ(Need(catalog.GetMove("t0-1")).state, MoveState::kCancelled);
    EXPECT_EQ(Need(catalog.GetMove("slow")).state, MoveState::kForward);
    EXPECT_EQ(Need(catalog.ListLiveMoves()).size(), 1u);
    EXPECT_EQ(Need(catalog.ListMoves()).size(), limits::kListedMoves);
  });
}

TEST_F(EmbeddedCatalogFile, LooksUpMovesAndOwnersByAnIndex) {
  Run([](EmbeddedCatalog& catalog) { Need(catalog.RegisterNode({"n1", "http://127.0.0.1:1"})); });
  core_->RunUntilReturned("test", [&] {
    for (const std::string query :
         {"SELECT * FROM moves WHERE id='m'",
          "SELECT * FROM moves WHERE ended_at_ms = 0 ORDER BY number DESC",
          "SELECT * FROM moves ORDER BY number DESC LIMIT 1000",
          "SELECT owner, count(*) FROM tenants GROUP BY owner",
          "DELETE FROM moves WHERE number <= (SELECT max(number) FROM moves) - 1 AND ended_at_ms != 0"}) {
      const auto plan = Need(RunOnFile(*core_, path_, {"EXPLAIN QUERY PLAN " + query}));
      for (const auto& row : plan) {
        const std::string step = std::get<std::string>(row.back());
        EXPECT_FALSE(step.starts_with("USE TEMP")) << query << ": " << step;
        const bool walks_all = step.starts_with("SCAN") && step.find("USING") == std::string::npos;
        EXPECT_TRUE(!walks_all || query.ends_with("LIMIT 1000")) << query << ": " << step;
      }
    }
  });
}

// A catalog whose disk can be held or broken.
class CatalogOnAGatedDisk : public EmbeddedCatalogFile {
 protected:
  void RunGated(const std::function<void(EmbeddedCatalog&)>& body) {
    gated_.Run([&] {
      auto catalog = EmbeddedCatalog::Open(gated_, path_);
      ASSERT_TRUE(catalog) << Describe(catalog.error());
      Need((*catalog)->RegisterNode({"n1", "http://127.0.0.1:1"}));
      body(**catalog);
      (*catalog)->Close();
    });
  }

  void AwaitSync() {
    for (int turn = 0; turn < 1000 && syncs_.waiting == 0; ++turn) runtime::Yield();
    EXPECT_GT(syncs_.waiting, 0u) << "nobody syncs";
  }
  size_t begun_syncs() const { return syncs_.done + syncs_.waiting; }

  runtime::TestCore gated_;
  runtime::CallControl& syncs_ = gated_.syncs;
};

TEST_F(CatalogOnAGatedDisk, AnswersNothingBeforeItIsOnDisk) {
  RunGated([&](EmbeddedCatalog& catalog) {
    syncs_.held = true;
    bool created = false;
    bool seen = false;
    bool refused = false;
    runtime::TaskGroup group(gated_);
    group.Spawn("create", [&] {
      Need(catalog.CreateTenant("t", "sqlite", "n1"));
      created = true;
    });
    AwaitSync();
    group.Spawn("read", [&] {
      Need(catalog.GetTenant("t"));
      seen = true;
    });
    group.Spawn("create again", [&] {
      EXPECT_EQ(CodeOf(catalog.CreateTenant("t", "sqlite", "n1")), "TENANT_EXISTS");
      refused = true;
    });
    for (int turn = 0; turn < 100; ++turn) runtime::Yield();
    EXPECT_FALSE(created) << "the change itself";
    EXPECT_FALSE(seen) << "a read of it";
    EXPECT_FALSE(refused) << "an error that is about it";
    syncs_.Release();
    group.Join();
    EXPECT_TRUE(created && seen && refused);
  });
}

TEST_F(CatalogOnAGatedDisk, SharesOneSyncAmongThoseThatWait) {
  RunGated([&](EmbeddedCatalog& catalog) {
    syncs_.held = true;
    size_t most_waiting = 0;
    runtime::TaskGroup group(gated_);
    for (int i = 0; i < 10; ++i)
      group.Spawn("create", [&, i] { Need(catalog.CreateTenant("t" + std::to_string(i), "sqlite", "n1")); });
    AwaitSync();
    for (int turn = 0; turn < 100; ++turn) {
      runtime::Yield();
      most_waiting = std::max(most_waiting, syncs_.waiting);
    }
    EXPECT_EQ(most_waiting, 1u);
    const size_t begun = begun_syncs();
    syncs_.Release();
    group.Join();
    // All others were written while the first was waiting for its sync.
    EXPECT_EQ(begun_syncs(), begun + 1);
    EXPECT_EQ(Need(catalog.ListTenants()).size(), 10u);
  });
}

TEST_F(CatalogOnAGatedDisk, ClosesNothingWhileACallWaitsForItsSync) {
  RunGated([&](EmbeddedCatalog& catalog) {
    syncs_.held = true;
    bool answered = false;
    bool closed = false;
    runtime::TaskGroup group(gated_);
    group.Spawn("create", [&] {
      Need(catalog.CreateTenant("t", "sqlite", "n1"));
      answered = true;
    });
    AwaitSync();
    group.Spawn("close", [&] {
      catalog.Close();
      EXPECT_TRUE(answered);
      closed = true;
    });
    for (int turn = 0; turn < 100; ++turn) runtime::Yield();
    EXPECT_FALSE(closed);
    EXPECT_EQ(syncs_.waiting, 1u) << "closing has begun to write";
    EXPECT_EQ(CodeOf(catalog.Nodes()), kCatalogDownCode) << "a new call";
    syncs_.Release();
    group.Join();
    EXPECT_TRUE(closed);
  });
  Run([&](EmbeddedCatalog& catalog) { Need(catalog.GetTenant("t")); });
}

TEST_F(CatalogOnAGatedDisk, IsDownAfterAFailedSync) {
  RunGated([&](EmbeddedCatalog& catalog) {
    syncs_.failing = true;
    const Result<TenantRecord> created = catalog.CreateTenant("t", "sqlite", "n1");
    EXPECT_EQ(CodeOf(created), kCatalogDownCode);
    EXPECT_TRUE(OutcomeIsUnknown(created.error()));
    syncs_.failing = false;
    EXPECT_EQ(CodeOf(catalog.Nodes()), kCatalogDownCode);
    EXPECT_EQ(CodeOf(catalog.CreateTenant("u", "sqlite", "n1")), kCatalogDownCode);
  });
}

TEST_F(EmbeddedCatalogFile, RefusesAFileThatIsNoCatalog) {
  std::filesystem::create_directory(path_);
  core_->RunUntilReturned("test", [&] { EXPECT_FALSE(EmbeddedCatalog::Open(*core_, path_)); });
}

std::string ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void SetContentOf(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

// What is known to be in the catalog that MakeContent makes, or the code of the refusal.
std::string WhatItSays(runtime::Core& core, const std::string& path) {
  auto catalog = EmbeddedCatalog::Open(core, path);
  if (!catalog) return catalog.error().code;
  std::string said;
  const auto tenants = (*catalog)->ListTenants();
  const auto nodes = (*catalog)->Nodes();
  const auto moves = (*catalog)->ListMoves();
  const auto counts = (*catalog)->TenantCounts();
  for (const Error* error : {tenants ? nullptr : &tenants.error(), nodes ? nullptr : &nodes.error(),
                             moves ? nullptr : &moves.error(), counts ? nullptr : &counts.error()})
    if (error && said.empty()) said = error->code;
  if (said.empty()) {
    for (const auto& tenant : *tenants)
      said += tenant.name + "=" + tenant.ownership.owner + std::to_string(tenant.ownership.epoch.value) + " ";
    for (const auto& node : *nodes) said += node.name + "@" + node.url + " ";
    for (const auto& move : *moves) said += move.id + ":" + move.source + ">" + move.destination;
  }
  (*catalog)->Close();
  return said;
}

void MakeContent(runtime::Core& core, const std::string& path) {
  auto catalog = EmbeddedCatalog::Open(core, path);
  ASSERT_TRUE(catalog);
  for (const char* node : {"n1", "n2"}) Need((*catalog)->RegisterNode({node, std::string("http://") + node}));
  for (const char* tenant : {"a", "b", "c"}) Need((*catalog)->CreateTenant(tenant, "sqlite", "n1"));
  MoveRecord move;
  move.id = "m1";
  move.tenant = "b";
  move.source = "n1";
  move.destination = "n2";
  move.epoch_before = Epoch{1};
  Need((*catalog)->BeginMove(move));
  (*catalog)->Close();
}

TEST_F(EmbeddedCatalogFile, OneFlippedBitOfAClosedCatalogIsFound) {
  core_->RunUntilReturned("test", [&] {
    MakeContent(*core_, path_);
    const std::string whole = ContentOf(path_);
    const std::string seal = ContentOf(path_ + "-seal");
    for (size_t byte = 0; byte < whole.size(); byte += 41) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << byte % 8));
      SetContentOf(path_, flipped);
      ASSERT_EQ(WhatItSays(*core_, path_), "CATALOG_CORRUPT") << byte;
      ASSERT_EQ(ContentOf(path_), flipped) << "it is kept";
    }
    SetContentOf(path_, whole.substr(0, whole.size() / 2));
    EXPECT_EQ(WhatItSays(*core_, path_), "CATALOG_CORRUPT");
    SetContentOf(path_, "");
    EXPECT_EQ(WhatItSays(*core_, path_), "CATALOG_FILE_MISSING");
    std::filesystem::remove(path_);
    EXPECT_EQ(WhatItSays(*core_, path_), "CATALOG_FILE_MISSING");
    EXPECT_FALSE(std::filesystem::exists(path_)) << "none is made";
    const std::string right = "a=n11 b=n11 c=n11 n1@http://n1 n2@http://n2 m1:n1>n2";
    for (size_t byte = 0; byte < seal.size(); ++byte) {
      SetContentOf(path_, whole);
      std::string flipped = seal;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << byte % 8));
      SetContentOf(path_ + "-seal", flipped);
      ASSERT_EQ(WhatItSays(*core_, path_), right) << "the catalog is whole, whatever its seal";
    }
  });
}

TEST_F(EmbeddedCatalogFile, TheSealOfAnEarlierVersionIsBelievedAndThatOfALaterOneIsNot) {
  core_->RunUntilReturned("test", [&] {
    MakeContent(*core_, path_);
    std::istringstream words(ContentOf(path_ + "-seal"));
    std::string format, number, size, hash;
    words >> format >> number >> size >> hash;
    ASSERT_EQ(format + " " + number, "format 2:");
    const auto hash_of = [](const std::string& text) { return Hash64(std::as_bytes(std::span(text))); };
    const auto first = [&] {
      const std::string text = size + " " + hash;
      return fmt::format("{} {:016x}\n", text, hash_of(text));
    };
    const auto later = [&] {
      const std::string text = "format 3: " + size + " " + hash;
      return fmt::format("{} {:016x}\n", text, hash_of(text + "\n"));
    };
    const std::string whole = ContentOf(path_);
    SetContentOf(path_ + "-seal", first());
    EXPECT_EQ(WhatItSays(*core_, path_).find("CATALOG"), std::string::npos);
    hash.back() = hash.back() == '0' ? '1' : '0';
    SetContentOf(path_, whole);
    SetContentOf(path_ + "-seal", first());
    EXPECT_EQ(WhatItSays(*core_, path_), "CATALOG_CORRUPT");
    SetContentOf(path_, whole);
    SetContentOf(path_ + "-seal", later());
    EXPECT_EQ(WhatItSays(*core_, path_).find("CATALOG"), std::string::npos);
  });
}

// As after a kill: without a seal SQLite's check is all, and finds what does not fit together.
TEST_F(EmbeddedCatalogFile, AFlippedBitOfACatalogThatWasNotClosedNeverLosesATenantSilently) {
  core_->RunUntilReturned("test", [&] {
    MakeContent(*core_, path_);
    const std::string whole = ContentOf(path_);
    std::filesystem::remove(path_ + "-seal");
    size_t refused = 0;
    for (size_t byte = 0; byte < whole.size(); byte += 97) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << byte % 8));
      SetContentOf(path_, flipped);
      std::filesystem::remove(path_ + "-seal");
      const std::string said = WhatItSays(*core_, path_);
      if (said.find('=') == std::string::npos) {
        ++refused;
        continue;
      }
      ASSERT_EQ(std::count(said.begin(), said.end(), '='), 3) << byte << ": " << said;
      ASSERT_EQ(std::count(said.begin(), said.end(), '@'), 2) << byte << ": " << said;
    }
    EXPECT_GT(refused, 10u);
  });
}

TEST_F(EmbeddedCatalogFile, AFullDiskFailsAChangeAndTheNextGoesThroughWhenThereIsRoom) {
  runtime::TestCore core;
  core.Run([&] {
    auto catalog = EmbeddedCatalog::Open(core, core.folder() + "/catalog.db");
    ASSERT_TRUE(catalog);
    Need((*catalog)->RegisterNode({"n1", "http://n1"}));
    core.disk_full = true;
    Result<TenantRecord> made;
    int count = 0;
    while ((made = (*catalog)->CreateTenant("t" + std::to_string(count), "sqlite", "n1")))
      ASSERT_LT(++count, 5000);
    EXPECT_EQ(CodeOf(made), "CATALOG_NOT_WRITTEN");
    EXPECT_FALSE(OutcomeIsUnknown(made.error()));
    EXPECT_EQ(Need((*catalog)->ListTenants()).size(), static_cast<size_t>(count))
        << "it is read all the while";
    EXPECT_EQ(CodeOf((*catalog)->CreateTenant("u", "sqlite", "n1")), "CATALOG_NOT_WRITTEN");
    core.disk_full = false;
    Need((*catalog)->CreateTenant("u", "sqlite", "n1"));
    (*catalog)->Close();
    catalog = EmbeddedCatalog::Open(core, core.folder() + "/catalog.db");
    ASSERT_TRUE(catalog);
    EXPECT_EQ(Need((*catalog)->ListTenants()).size(), static_cast<size_t>(count) + 1);
    (*catalog)->Close();
  });
}

TEST_F(EmbeddedCatalogFile, FailsCallsOnceItIsClosed) {
  core_->RunUntilReturned("test", [&] {
    auto catalog = EmbeddedCatalog::Open(*core_, path_);
    ASSERT_TRUE(catalog);
    (*catalog)->Close();
    EXPECT_EQ(CodeOf((*catalog)->Nodes()), kCatalogDownCode);
  });
}

}  // namespace
}  // namespace tradewind::catalog
