#include "catalog/catalog_tables.h"

#include <array>
#include <optional>

#include "catalog/catalog_rows.h"
#include "catalog/record_check.h"
#include "runtime/random_id.h"

namespace tradewind::catalog {

namespace {

// Format 1 had no draining nodes and no options of moves, format 2 no objectives of tenants, format 3 no
// identity of the cluster and of the nodes' folders, format 4 no versions of SQLite, format 5 no quotas of tenants.
constexpr int64_t kFormat = 6;

// epochs outlives tenants, so that a name's epochs only grow. A move's number grows with each that begins.
constexpr std::array<std::string_view, 6> kTables = {
    "CREATE TABLE format(version INTEGER NOT NULL)",
    "CREATE TABLE cluster(id TEXT NOT NULL)",
    "CREATE TABLE nodes(name TEXT PRIMARY KEY, url TEXT NOT NULL, draining INTEGER NOT NULL DEFAULT 0, "
    "folder TEXT NOT NULL DEFAULT '', registered_at_ms INTEGER NOT NULL DEFAULT 0, "
    "sqlite INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
    "CREATE TABLE epochs(name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE tenants(name TEXT PRIMARY KEY, engine TEXT NOT NULL, owner TEXT NOT NULL, "
    "epoch INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, move TEXT NOT NULL, "
    "objective TEXT NOT NULL DEFAULT '', sqlite INTEGER NOT NULL DEFAULT 0, quotas TEXT NOT NULL DEFAULT '') "
    "WITHOUT ROWID",
    "CREATE TABLE moves(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, "
    "source TEXT NOT NULL, destination TEXT NOT NULL, method TEXT NOT NULL, epoch_before INTEGER NOT NULL, "
    "state TEXT NOT NULL, receipt TEXT NOT NULL, started_at_ms INTEGER NOT NULL, ended_at_ms INTEGER NOT "
    "NULL, options TEXT NOT NULL DEFAULT '')",
};

constexpr std::array<std::string_view, 2> kUpgradeFromFormat1 = {
    "ALTER TABLE nodes ADD COLUMN draining INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE moves ADD COLUMN options TEXT NOT NULL DEFAULT ''",
};

constexpr std::string_view kUpgradeFromFormat2 =
    "ALTER TABLE tenants ADD COLUMN objective TEXT NOT NULL DEFAULT ''";

// A folder that an earlier version registered gets its identity when it registers next.
constexpr std::array<std::string_view, 3> kUpgradeFromFormat3 = {
    "CREATE TABLE cluster(id TEXT NOT NULL)",
    "ALTER TABLE nodes ADD COLUMN folder TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE nodes ADD COLUMN registered_at_ms INTEGER NOT NULL DEFAULT 0",
};

// A version is known once its node registers next.
constexpr std::array<std::string_view, 2> kUpgradeFromFormat4 = {
    "ALTER TABLE nodes ADD COLUMN sqlite INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE tenants ADD COLUMN sqlite INTEGER NOT NULL DEFAULT 0",
};

constexpr std::string_view kUpgradeFromFormat5 =
    "ALTER TABLE tenants ADD COLUMN quotas TEXT NOT NULL DEFAULT ''";

// Every look-up that is not by a primary key or a move's id.
constexpr std::array<std::string_view, 4> kIndexes = {
    "CREATE INDEX IF NOT EXISTS tenants_by_owner ON tenants(owner)",
    "CREATE INDEX IF NOT EXISTS live_moves ON moves(number) WHERE ended_at_ms = 0",
    "CREATE INDEX IF NOT EXISTS objectives ON tenants(name) WHERE objective <> ''",
    "CREATE INDEX IF NOT EXISTS quotas ON tenants(name) WHERE quotas <> ''",
};

// What must not be found: a sentence, and the query of the rows that it is true of.
struct Contradiction {
  std::string_view what;
  std::string_view query;
};
constexpr std::array<Contradiction, 5> kContradictions = {{
    {"a tenant is in a move that is not there, is over, or is another tenant's",
     "SELECT 1 FROM tenants t LEFT JOIN moves m ON m.id = t.move "
     "WHERE t.move <> '' AND (m.id IS NULL OR m.ended_at_ms <> 0 OR m.tenant <> t.name)"},
    {"a move is on of which its tenant knows nothing",
     "SELECT 1 FROM moves m LEFT JOIN tenants t ON t.name = m.tenant "
     "WHERE m.ended_at_ms = 0 AND (t.name IS NULL OR t.move <> m.id)"},
    {"a tenant in a move is owned by neither of its nodes, or at an epoch before it",
     "SELECT 1 FROM moves m JOIN tenants t ON t.name = m.tenant WHERE m.ended_at_ms = 0 AND "
     "(t.owner NOT IN (m.source, m.destination) OR t.epoch < m.epoch_before)"},
    {"a tenant's owner, or an end of a move that is on, is no node",
     "SELECT owner FROM tenants WHERE owner NOT IN (SELECT name FROM nodes) UNION ALL "
     "SELECT id FROM moves WHERE ended_at_ms = 0 AND (source NOT IN (SELECT name FROM nodes) OR "
     "destination NOT IN (SELECT name FROM nodes))"},
    {"a tenant is at an epoch that its name has had before",
     "SELECT 1 FROM tenants t JOIN epochs e ON e.name = t.name WHERE e.epoch >= t.epoch"},
}};

Result<std::optional<int64_t>> FormatOfFile(const CatalogQuery& run) {
  TW_TRY_ASSIGN(const auto tables,
                run("SELECT 1 FROM sqlite_schema WHERE type='table' AND name='format'", {}));
  if (tables.empty()) {
    TW_TRY_ASSIGN(const auto others, run("SELECT 1 FROM sqlite_schema", {}));
    if (!others.empty()) return RowIsCorrupt("the number of its format is missing");
    return std::optional<int64_t>();
  }
  TW_TRY_ASSIGN(const auto format, run("SELECT version FROM format", {}));
  // The tables and the format's number are made in one transaction.
  if (format.size() != 1) return RowIsCorrupt("the number of its format is missing");
  Columns columns(format[0]);
  const int64_t number = columns.Integer(0);
  TW_TRY(columns.Check());
  if (number < 1) return RowIsCorrupt("the number of its format is none");
  return std::optional<int64_t>(number);
}

}  // namespace

Result<void> PrepareTables(runtime::Core& core, const CatalogQuery& run, const std::string& path) {
  const auto run_all = [&](const auto& statements) -> Result<void> {
    for (const std::string_view statement : statements) TW_TRY(run(statement, {}));
    return {};
  };
  TW_TRY_ASSIGN(const std::optional<int64_t> format, FormatOfFile(run));
  if (format == kFormat) return {};
  if (format && *format > kFormat)
    return Fail(ErrorKind::kCorrupt, std::string(kCatalogFormatCode),
                "the catalog file " + path + " has format " + std::to_string(*format) +
                    ", and this program reads formats up to " + std::to_string(kFormat),
                "run the version of tradewind that wrote it");
  if (!format) TW_TRY(run_all(kTables));
  if (format == 1) TW_TRY(run_all(kUpgradeFromFormat1));
  if (format && *format <= 2) TW_TRY(run(kUpgradeFromFormat2, {}));
  if (format && *format <= 3) TW_TRY(run_all(kUpgradeFromFormat3));
  if (format && *format <= 4) TW_TRY(run_all(kUpgradeFromFormat4));
  if (format) TW_TRY(run(kUpgradeFromFormat5, {}));
  if (!format || *format <= 3) TW_TRY(run("INSERT INTO cluster VALUES(?1)", {runtime::RandomId(core)}));
  TW_TRY(run_all(kIndexes));
  TW_TRY(run("DELETE FROM format", {}));
  TW_TRY(run("INSERT INTO format VALUES(?1)", {kFormat}));
  return {};
}

Result<void> CheckRows(const CatalogQuery& run) {
  TW_TRY(ClusterIdIn(run));
  TW_TRY_ASSIGN(const auto nodes, run(kNodeColumns, {}));
  TW_TRY(AllOf<NodeRecord>(nodes, NodeOf));
  TW_TRY_ASSIGN(const auto holders, run("SELECT folder, registered_at_ms FROM nodes", {}));
  for (const auto& row : holders) {
    Columns columns(row);
    const bool sound = IsSoundText(columns.Text(0));
    columns.TimeAt(1);
    TW_TRY(columns.Check());
    if (!sound) return RowIsCorrupt("a row of its table nodes has a folder that nobody wrote");
  }
  TW_TRY_ASSIGN(const auto tenants, run(kTenantColumns, {}));
  TW_TRY(AllOf<TenantRecord>(tenants, TenantOf));
  TW_TRY_ASSIGN(const auto moves, run(kMoveColumns, {}));
  TW_TRY(AllOf<MoveRecord>(moves, MoveOf));
  TW_TRY_ASSIGN(const auto epochs, run("SELECT name, epoch FROM epochs", {}));
  for (const auto& row : epochs) {
    Columns columns(row);
    columns.NameAt(0);
    columns.EpochAt(1);
    TW_TRY(columns.Check());
  }
  for (const Contradiction& contradiction : kContradictions) {
    TW_TRY_ASSIGN(const auto found, run(std::string(contradiction.query) + " LIMIT 1", {}));
    if (!found.empty()) return RowIsCorrupt(contradiction.what);
  }
  return {};
}

Result<std::string> ClusterIdIn(const CatalogQuery& run) {
  TW_TRY_ASSIGN(const auto rows, run("SELECT id FROM cluster", {}));
  if (rows.size() != 1) return RowIsCorrupt("the identity of its cluster is missing");
  Columns columns(rows[0]);
  std::string id = columns.NameAt(0);
  TW_TRY(columns.Check());
  return id;
}

}  // namespace tradewind::catalog
