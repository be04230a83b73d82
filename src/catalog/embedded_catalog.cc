#include "catalog/embedded_catalog.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "catalog/catalog_rows.h"
#include "catalog/catalog_seal.h"
#include "catalog/catalog_tables.h"
#include "catalog/record_check.h"
#include "catalog/registration.h"

namespace tradewind::catalog {

namespace {

constexpr uint64_t kCheckedBytes = 64u << 20;  // A longer file is checked as it is read.

sql::Value ValueOf(Epoch epoch) {
  return static_cast<int64_t>(epoch.value);
}
sql::Value ValueOf(std::string_view text) {
  return std::string(text);
}

Error Corrupt(const std::string& path, const Error& cause) {
  return Error{ErrorKind::kCorrupt, std::string(kCatalogCorruptCode),
               "the catalog " + path + " is damaged: " + cause.message,
               "stop its node, keep the file, and put a copy from before the damage in its place"};
}

tl::unexpected<Error> OwnerChanged(const TenantRecord& now) {
  return Fail(ErrorKind::kRefused, "OWNER_CHANGED",
              "tenant " + now.name + " is owned by " + now.ownership.owner + " at epoch " +
                  std::to_string(now.ownership.epoch.value) + " by now",
              "look at the tenant again and repeat the command");
}

// Of what a caller gave: the file would be taken for damaged with it.
tl::unexpected<Error> CannotKeep(std::string_view field) {
  return Fail(ErrorKind::kInvalid, "CATALOG_FIELD_INVALID",
              "the catalog cannot keep this " + std::string(field),
              "run the same version of tradewind on every node");
}

tl::unexpected<Error> MoveInProgress(const TenantRecord& tenant) {
  return Fail(ErrorKind::kRefused, "MOVE_IN_PROGRESS", "tenant " + tenant.name + " is in move " + tenant.move,
              "wait until it ends, or cancel it");
}

}  // namespace

Result<std::unique_ptr<EmbeddedCatalog>> EmbeddedCatalog::Open(runtime::Core& core, const std::string& path) {
  std::unique_ptr<EmbeddedCatalog> catalog(new EmbeddedCatalog(core));
  const Result<void> opened = catalog->OpenFile(path);
  if (opened) return catalog;
  catalog->Close(/*seal=*/false);
  if (opened.error().kind == ErrorKind::kCorrupt && opened.error().code != kCatalogFormatCode &&
      opened.error().code != kCatalogCorruptCode)
    return Fail(Corrupt(path, opened.error()));
  return Fail(opened.error());
}

Result<void> EmbeddedCatalog::OpenFile(const std::string& path) {
  CatalogSeal seal(core_, path);
  const Result<void> whole = seal.Check();
  if (!whole && whole.error().code == kCatalogMissingCode) return whole;
  if (!whole) return Fail(Corrupt(path, whole.error()));
  TW_TRY_ASSIGN(store_, sqlite::PageStore::Open(core_, path, runtime::OpenMode::kCreate));
  TW_TRY(seal.Break());
  TW_TRY_ASSIGN(connection_, sqlite::Connection::Open(*store_));
  connection_->SetResponseBytes(UINT64_MAX);  // Of 100,000 tenants it lists them all.
  // What a crash left in the WAL goes into the main file: the store knows only frames that it saw written.
  TW_TRY(connection_->Checkpoint(sqlite::CheckpointMode::kTruncate));
  TW_TRY(CheckContent());
  return PrepareContent();
}

// A flipped bit that SQLite would read over: in an index, in the order of keys, in what holds a page together.
Result<void> EmbeddedCatalog::CheckContent() {
  TW_TRY(store_->ReadGeometry());
  if (store_->page_size() == 0 || uint64_t{store_->page_size()} * store_->page_count() > kCheckedBytes)
    return {};
  TW_TRY_ASSIGN(const Rows rows, Run("PRAGMA integrity_check(1)"));
  const auto* answer = rows.empty() || rows[0].empty() ? nullptr : std::get_if<std::string>(&rows[0][0]);
  if (answer && *answer == "ok") return {};
  return Fail(ErrorKind::kCorrupt, "SQLITE_CORRUPT", answer ? *answer : "its check says nothing");
}

EmbeddedCatalog::~EmbeddedCatalog() {
  TW_CHECK(connection_ == nullptr && calls_ == 0, "a catalog must be closed");
}

void EmbeddedCatalog::Close() {
  Close(/*seal=*/!down_);
}

void EmbeddedCatalog::Close(bool seal) {
  if (!down_)
    down_ = Error{ErrorKind::kUnavailable, std::string(kCatalogDownCode), "the catalog is closed", ""};
  runtime::WaitFor(calls_ended_, [this] { return calls_ == 0; });
  const std::string path = store_ ? store_->path() : "";
  connection_.reset();
  store_.reset();
  if (!seal || path.empty()) return;
  if (const Result<void> sealed = CatalogSeal(core_, path).Put(); !sealed)
    log::warn("the catalog was not sealed: {}", Describe(sealed.error()));
}

Result<void> EmbeddedCatalog::PrepareContent() {
  const bool is_long = uint64_t{store_->page_size()} * store_->page_count() > kCheckedBytes;
  return Change<void>([&]() -> Result<void> {
    const CatalogQuery run = [this](std::string_view sql, Row arguments) {
      return Run(sql, std::move(arguments));
    };
    TW_TRY(PrepareTables(core_, run, store_->path()));
    return is_long ? Result<void>() : CheckRows(run);
  });
}

template <typename T>
Result<T> EmbeddedCatalog::Change(std::function<Result<T>()> body) {
  return Read<T>([&]() -> Result<T> {
    TW_TRY(Run("BEGIN IMMEDIATE"));
    Result<T> outcome = body();
    if (!outcome) {
      if (const Result<void> rolled_back = connection_->Rollback(); !rolled_back)
        return Fail(Down(rolled_back.error()).error());
      return Fail(NotWritten(outcome.error()));
    }
    TW_TRY(Commit());
    return outcome;
  });
}

template <typename T>
Result<T> EmbeddedCatalog::Read(std::function<Result<T>()> body) {
  ++calls_;
  Result<T> outcome = [&]() -> Result<T> {
    core_.AssertHere();
    const runtime::FairLock::Hold turn(turn_);
    TW_TRY(CheckUp());
    return body();
  }();
  // What a damaged file answers is not believed any more.
  if (!outcome && outcome.error().kind == ErrorKind::kCorrupt && !down_ &&
      outcome.error().code != kCatalogFormatCode)
    outcome = Fail(Down(outcome.error()).error());
  // Errors wait as well: they may be about a change that is not synced yet. Outside the turn, so that one
  // sync serves everyone who changed something meanwhile.
  if (!down_)
    if (const Result<void> durable = store_->log().WaitDurable(); !durable)
      outcome = Fail(Down(durable.error()).error());
  if (--calls_ == 0) calls_ended_.NotifyAll();
  return outcome;
}

// A write that fails, since the disk is full, was rolled back when this returns, and the next change may succeed.
Result<void> EmbeddedCatalog::Commit() {
  if (auto committed = Run("COMMIT"); !committed) {
    if (const Result<void> rolled_back = connection_->Rollback(); !rolled_back)
      return Down(rolled_back.error());
    return Fail(NotWritten(committed.error()));
  }
  CheckpointIfLong();
  return {};
}

// Nothing was done: whoever asked may ask again.
Error EmbeddedCatalog::NotWritten(const Error& cause) {
  if (cause.kind != ErrorKind::kTooLarge && cause.kind != ErrorKind::kIo) return cause;
  return Error{ErrorKind::kUnavailable, "CATALOG_NOT_WRITTEN",
               "the catalog could not be written: " + cause.message,
               "free space on the disk of the node that hosts the catalog; this is tried again"};
}

Result<void> EmbeddedCatalog::Down(const Error& cause) {
  if (cause.kind == ErrorKind::kCorrupt) {
    down_ = Corrupt(store_->path(), cause);
    return Fail(*down_);
  }
  down_ =
      Error{ErrorKind::kIo, std::string(kCatalogDownCode), "the catalog's disk failed: " + Describe(cause),
            "mend the disk of the node that hosts the catalog and restart that node"};
  return Fail(*down_);
}

Result<void> EmbeddedCatalog::CheckUp() const {
  if (down_) return Fail(*down_);
  return {};
}

void EmbeddedCatalog::CheckpointIfLong() {
  if (store_->log().frames() <= limits::kCheckpointFrames) return;
  // A failure does no harm to what is committed, and shows at the next commit if it lasts.
  static_cast<void>(connection_->Checkpoint(sqlite::CheckpointMode::kTruncate));
}

Result<EmbeddedCatalog::Rows> EmbeddedCatalog::Run(std::string_view sql, Row arguments) {
  sql::Statement statement;
  statement.sql = sql;
  statement.arguments = std::move(arguments);
  Result<sql::StatementResult> result = connection_->Run(statement);
  // No statement here is wrong by itself, so the file has not the tables that it should have.
  if (!result && result.error().kind == ErrorKind::kInvalid)
    return RowIsCorrupt("its tables are not as they were made: " + result.error().message);
  if (!result) return Fail(std::move(result).error());
  return std::move(result->rows);
}

Result<NodeRecord> EmbeddedCatalog::FindNode(const NodeName& name) {
  TW_TRY_ASSIGN(const Rows rows, Run(fmt::format("{} WHERE name=?1", kNodeColumns), {name}));
  if (rows.empty())
    return Fail(ErrorKind::kNotFound, "NODE_NOT_FOUND", "there is no node " + name,
                "tradewind node list shows the nodes");
  return NodeOf(rows[0]);
}

Result<TenantRecord> EmbeddedCatalog::FindTenant(const TenantName& name) {
  TW_TRY_ASSIGN(const Rows rows, Run(fmt::format("{} WHERE name=?1", kTenantColumns), {name}));
  if (rows.empty()) return Fail(NoSuchTenant(name));
  TW_TRY_ASSIGN(TenantRecord tenant, TenantOf(rows[0]));
  if (tenant.move.empty()) return tenant;
  TW_TRY_ASSIGN(const Rows move, Run("SELECT 1 FROM moves WHERE id=?1 AND tenant=?2 AND ended_at_ms = 0",
                                     {tenant.move, tenant.name}));
  if (move.empty()) return RowIsCorrupt("a tenant is in a move that is not there, is over, or is another's");
  return tenant;
}

Result<MoveRecord> EmbeddedCatalog::FindMove(const MoveId& id) {
  TW_TRY_ASSIGN(const Rows rows, Run(fmt::format("{} WHERE id=?1", kMoveColumns), {id}));
  if (rows.empty())
    return Fail(ErrorKind::kNotFound, "MOVE_NOT_FOUND", "there is no move " + id,
                "tradewind move list shows the moves");
  return MoveOf(rows[0]);
}

// -- Nodes

Result<Membership> EmbeddedCatalog::RegisterNode(const Registration& registration) {
  return Change<Membership>([&]() -> Result<Membership> {
    const NodeRecord& node = registration.node;
    if (!IsValidName(node.name))
      return Fail(ErrorKind::kInvalid, "NAME_INVALID", "'" + node.name + "' cannot name a node",
                  "use lower-case letters, digits, '-' and '_', at most 63, a letter or digit first");
    if (const auto field = UnsoundField(registration); !field.empty()) return CannotKeep(field);
    Membership membership;
    TW_TRY_ASSIGN(membership.cluster, ClusterIdIn([this](std::string_view sql, Row arguments) {
                    return Run(sql, std::move(arguments));
                  }));
    if (!registration.cluster.empty() && registration.cluster != membership.cluster)
      return Fail(OtherCluster(registration, membership.cluster));
    TW_TRY_ASSIGN(const Rows known, Run("SELECT url, folder, registered_at_ms, (SELECT count(*) FROM tenants "
                                        "WHERE owner=?1), sqlite FROM nodes WHERE name=?1",
                                        {node.name}));
    bool is_new = known.empty();
    if (!is_new) {
      Columns columns(known[0]);
      const NameHolder holder{columns.Text(0), columns.Text(1), columns.TimeAt(2), columns.Integer(3)};
      membership.sqlite = columns.Integer(4);
      TW_TRY(columns.Check());
      membership.url = holder.url;
      is_new = holder.folder != registration.folder;
      if (is_new && !holder.folder.empty() && !registration.replace)
        return Fail(NameTaken(node.name, holder));
    }
    if (known.empty() && !registration.cluster.empty()) return Fail(Forgotten(registration));
    if (registration.dry_run) return membership;
    TW_TRY(
        Run("INSERT INTO nodes(name, url, sqlite) VALUES(?1, ?2, ?3) ON CONFLICT(name) DO UPDATE SET "
            "url=excluded.url, sqlite=excluded.sqlite",
            {node.name, node.url, node.sqlite}));
    TW_TRY(Run("UPDATE tenants SET sqlite=?2 WHERE owner=?1 AND engine='sqlite' AND sqlite<?2",
               {node.name, node.sqlite}));
    if (is_new)
      TW_TRY(Run("UPDATE nodes SET folder=?2, registered_at_ms=?3 WHERE name=?1",
                 {node.name, registration.folder, core_.UnixMilliseconds()}));
    return membership;
  });
}

Result<void> EmbeddedCatalog::SetDraining(const NodeName& name, bool draining) {
  return Change<void>([&]() -> Result<void> {
    TW_TRY(FindNode(name));
    TW_TRY(Run("UPDATE nodes SET draining=?2 WHERE name=?1", {name, int64_t{draining}}));
    return {};
  });
}

Result<std::vector<NodeRecord>> EmbeddedCatalog::Nodes() {
  return Read<std::vector<NodeRecord>>([&]() -> Result<std::vector<NodeRecord>> {
    TW_TRY_ASSIGN(const Rows rows, Run(fmt::format("{} ORDER BY name", kNodeColumns)));
    return AllOf<NodeRecord>(rows, NodeOf);
  });
}

Result<uint64_t> EmbeddedCatalog::ForgetNode(const NodeName& name, bool delete_tenants) {
  return Change<uint64_t>([&]() -> Result<uint64_t> {
    TW_TRY(FindNode(name));
    TW_TRY_ASSIGN(const Rows rows,
                  Run(fmt::format("{} WHERE owner=?1 ORDER BY name", kTenantColumns), {name}));
    TW_TRY_ASSIGN(const std::vector<TenantRecord> tenants, AllOf<TenantRecord>(rows, TenantOf));
    if (!tenants.empty() && !delete_tenants) return Fail(NodeHasTenants(name, tenants));
    for (const TenantRecord& tenant : tenants) {
      if (!tenant.move.empty()) {
        TW_TRY_ASSIGN(const MoveRecord move, FindMove(tenant.move));
        TW_TRY(EndMove(move, MoveState::kCancelled));
      }
      TW_TRY(Drop(tenant));
    }
    TW_TRY_ASSIGN(
        const Rows live,
        Run(fmt::format("{} WHERE ended_at_ms = 0 AND (source=?1 OR destination=?1) LIMIT 1", kMoveColumns),
            {name}));
    if (!live.empty()) {
      TW_TRY_ASSIGN(const MoveRecord move, MoveOf(live[0]));
      return Fail(NodeInMove(name, move));
    }
    TW_TRY(Run("DELETE FROM nodes WHERE name=?1", {name}));
    return uint64_t{tenants.size()};
  });
}

// -- Tenants

Result<TenantRecord> EmbeddedCatalog::CreateTenant(const TenantName& name, const std::string& engine,
                                                   const NodeName& owner) {
  return Change<TenantRecord>([&]() -> Result<TenantRecord> {
    if (!IsValidName(name))
      return Fail(ErrorKind::kInvalid, "NAME_INVALID", "'" + name + "' cannot name a tenant",
                  "use lower-case letters, digits, '-' and '_', at most 63, a letter or digit first");
    TW_TRY_ASSIGN(const NodeRecord node, FindNode(owner));
    TW_TRY_ASSIGN(const Rows existing, Run("SELECT 1 FROM tenants WHERE name=?1", {name}));
    if (!existing.empty())
      return Fail(ErrorKind::kExists, "TENANT_EXISTS", "there is a tenant " + name + " already",
                  "choose another name, or delete it first");
    TW_TRY_ASSIGN(const Rows last, Run("SELECT epoch FROM epochs WHERE name=?1", {name}));
    Epoch epoch{1};
    if (!last.empty()) {
      Columns columns(last[0]);
      epoch = columns.EpochAt(0).Next();
      TW_TRY(columns.Check());
    }
    // What SQLite has written matters to SQLite's tenants alone.
    TenantRecord tenant{
        name, engine, {owner, epoch}, core_.UnixMilliseconds(), "", "", engine == "sqlite" ? node.sqlite : 0,
        ""};
    if (const auto field = UnsoundField(tenant); !field.empty()) return CannotKeep(field);
    TW_TRY(Run("INSERT INTO tenants VALUES(?1, ?2, ?3, ?4, ?5, '', '', ?6, '')",
               {name, engine, owner, ValueOf(epoch), tenant.created_at_ms, tenant.sqlite}));
    return tenant;
  });
}

Result<TenantRecord> EmbeddedCatalog::GetTenant(const TenantName& name) {
  return Read<TenantRecord>([&] { return FindTenant(name); });
}

Result<std::vector<TenantRecord>> EmbeddedCatalog::ListTenants() {
  return Read<std::vector<TenantRecord>>([&]() -> Result<std::vector<TenantRecord>> {
    TW_TRY_ASSIGN(const Rows rows, Run(fmt::format("{} ORDER BY name", kTenantColumns)));
    return AllOf<TenantRecord>(rows, TenantOf);
  });
}

Result<std::vector<TenantRecord>> EmbeddedCatalog::ListObjectives() {
  return ListWith("objective");
}

Result<TenantRecord> EmbeddedCatalog::SetObjective(const TenantName& name, const std::string& objective) {
  return SetText(name, "objective", &TenantRecord::objective, objective);
}

Result<std::vector<TenantRecord>> EmbeddedCatalog::ListQuotas() {
  return ListWith("quotas");
}

Result<TenantRecord> EmbeddedCatalog::SetQuotas(const TenantName& name, const std::string& quotas) {
  return SetText(name, "quotas", &TenantRecord::quotas, quotas);
}

Result<std::vector<TenantRecord>> EmbeddedCatalog::ListWith(const char* column) {
  return Read<std::vector<TenantRecord>>([&]() -> Result<std::vector<TenantRecord>> {
    TW_TRY_ASSIGN(const Rows rows,
                  Run(fmt::format("{} WHERE {} <> '' ORDER BY name", kTenantColumns, column)));
    return AllOf<TenantRecord>(rows, TenantOf);
  });
}

Result<TenantRecord> EmbeddedCatalog::SetText(const TenantName& name, const char* column,
                                              std::string TenantRecord::*field, const std::string& text) {
  return Change<TenantRecord>([&]() -> Result<TenantRecord> {
    TW_TRY_ASSIGN(TenantRecord tenant, FindTenant(name));
    tenant.*field = text;
    if (const auto unsound = UnsoundField(tenant); !unsound.empty()) return CannotKeep(unsound);
    TW_TRY(Run(fmt::format("UPDATE tenants SET {}=?2 WHERE name=?1", column), {name, text}));
    return tenant;
  });
}

Result<std::map<NodeName, uint64_t>> EmbeddedCatalog::TenantCounts() {
  using Counts = std::map<NodeName, uint64_t>;
  return Read<Counts>([&]() -> Result<Counts> {
    TW_TRY_ASSIGN(const Rows rows, Run("SELECT owner, count(*) FROM tenants GROUP BY owner"));
    Counts counts;
    for (const Row& row : rows) {
      Columns columns(row);
      counts[columns.NameAt(0)] = static_cast<uint64_t>(columns.Integer(1));
      TW_TRY(columns.Check());
    }
    return counts;
  });
}

Result<void> EmbeddedCatalog::DeleteTenant(const TenantName& name, const Ownership& expected) {
  return Change<void>([&]() -> Result<void> {
    TW_TRY_ASSIGN(const TenantRecord tenant, FindTenant(name));
    // First: whoever asks again since it saw no answer may find another's tenant of that name, which may be moving.
    if (tenant.ownership != expected) return OwnerChanged(tenant);
    if (!tenant.move.empty()) return MoveInProgress(tenant);
    return Drop(tenant);
  });
}

Result<void> EmbeddedCatalog::DeleteInMove(const TenantName& name, const Ownership& expected,
                                           const MoveId& move) {
  return Change<void>([&]() -> Result<void> {
    TW_TRY_ASSIGN(const TenantRecord tenant, FindTenant(name));
    if (tenant.ownership != expected || tenant.move != move) return OwnerChanged(tenant);
    TW_TRY_ASSIGN(const MoveRecord record, FindMove(move));
    TW_TRY(EndMove(record, MoveState::kCancelled));
    return Drop(tenant);
  });
}

Result<void> EmbeddedCatalog::Drop(const TenantRecord& tenant) {
  TW_TRY(Run("INSERT INTO epochs VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET epoch=excluded.epoch",
             {tenant.name, ValueOf(tenant.ownership.epoch)}));
  TW_TRY(Run("DELETE FROM tenants WHERE name=?1", {tenant.name}));
  return {};
}

Result<void> EmbeddedCatalog::SetOwnership(const TenantName& name, const Ownership& ownership) {
  TW_TRY(
      Run("UPDATE tenants SET owner=?2, epoch=?3, sqlite=CASE engine WHEN 'sqlite' THEN max(sqlite, "
          "ifnull((SELECT n.sqlite FROM nodes n WHERE n.name=?2), 0)) ELSE 0 END WHERE name=?1",
          {name, ownership.owner, ValueOf(ownership.epoch)}));
  return {};
}

Result<SwapOutcome> EmbeddedCatalog::Swap(const TenantName& name, const Ownership& from, const NodeName& to,
                                          const MoveId& move) {
  return Change<SwapOutcome>([&]() -> Result<SwapOutcome> {
    TW_TRY_ASSIGN(TenantRecord tenant, FindTenant(name));
    if (tenant.ownership != from || tenant.move != move) return SwapOutcome{false, std::move(tenant)};
    TW_TRY(SetOwnership(name, {to, from.epoch.Next()}));
    TW_TRY_ASSIGN(tenant, FindTenant(name));
    TW_CHECK(from.epoch < tenant.ownership.epoch, "a tenant has changed hands within an epoch");
    return SwapOutcome{true, std::move(tenant)};
  });
}

Result<SwapOutcome> EmbeddedCatalog::Fence(const TenantName& name, const Ownership& from,
                                           const MoveId& move) {
  return Change<SwapOutcome>([&]() -> Result<SwapOutcome> {
    TW_TRY_ASSIGN(TenantRecord tenant, FindTenant(name));
    if (tenant.ownership != from) return SwapOutcome{false, std::move(tenant)};
    TW_TRY(SetOwnership(name, {from.owner, from.epoch.Next()}));
    if (!move.empty() && tenant.move == move) {
      TW_TRY_ASSIGN(const MoveRecord record, FindMove(move));
      if (record.state == MoveState::kForward) TW_TRY(EndMove(record, MoveState::kCancelled));
    }
    TW_TRY_ASSIGN(tenant, FindTenant(name));
    TW_CHECK(from.epoch < tenant.ownership.epoch, "a fence has not raised the epoch");
    return SwapOutcome{true, std::move(tenant)};
  });
}

// -- Moves

Result<MoveRecord> EmbeddedCatalog::BeginMove(const MoveRecord& move) {
  return Change<MoveRecord>([&]() -> Result<MoveRecord> {
    TW_TRY_ASSIGN(const TenantRecord tenant, FindTenant(move.tenant));
    if (!tenant.move.empty() && tenant.move != move.id) return MoveInProgress(tenant);
    TW_TRY_ASSIGN(const Rows existing, Run("SELECT 1 FROM moves WHERE id=?1", {move.id}));
    if (!existing.empty()) return FindMove(move.id);
    TW_TRY_ASSIGN(const NodeRecord destination, FindNode(move.destination));
    if (tenant.ownership != Ownership{move.source, move.epoch_before}) return OwnerChanged(tenant);
    if (move.source == move.destination)
      return Fail(ErrorKind::kRefused, "ALREADY_THERE",
                  "tenant " + move.tenant + " is on node " + move.destination + " already",
                  "name another node");
    if (destination.draining)
      return Fail(ErrorKind::kRefused, "NODE_DRAINING",
                  "node " + move.destination + " is being drained, and takes no tenants",
                  "name another node, or end that with: tradewind node undrain " + move.destination);
    if (destination.sqlite < tenant.sqlite) return Fail(SqliteOlder(tenant, destination));
    MoveRecord fresh = move;
    fresh.state = MoveState::kForward;
    fresh.receipt.clear();
    fresh.started_at_ms = core_.UnixMilliseconds();
    fresh.ended_at_ms = 0;
    if (const auto field = UnsoundField(fresh); !field.empty()) return CannotKeep(field);
    TW_TRY(Run("INSERT INTO moves VALUES(NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, '', ?8, 0, ?9)",
               {move.id, move.tenant, move.source, move.destination, move.method, ValueOf(move.epoch_before),
                ValueOf(MoveStateName(fresh.state)), fresh.started_at_ms, move.options}));
    TW_TRY(Run("UPDATE tenants SET move=?2 WHERE name=?1", {move.tenant, move.id}));
    TW_TRY(ForgetOldMoves());
    return fresh;
  });
}

// What has a low number and is still there is over and goes now, or is one of the few that are on: cheap.
Result<void> EmbeddedCatalog::ForgetOldMoves() {
  TW_TRY(Run("DELETE FROM moves WHERE number <= (SELECT max(number) FROM moves) - ?1 AND ended_at_ms != 0",
             {static_cast<int64_t>(limits::kKeptMoves)}));
  return {};
}

Result<void> EmbeddedCatalog::EndMove(const MoveRecord& move, MoveState state) {
  TW_CHECK(IsOver(state), "a move ends in a state in which it goes on");
  TW_TRY(Run("UPDATE moves SET state=?2, ended_at_ms=?3 WHERE id=?1",
             {move.id, ValueOf(MoveStateName(state)), core_.UnixMilliseconds()}));
  TW_TRY(Run("UPDATE tenants SET move='' WHERE name=?1", {move.tenant}));
  return {};
}

Result<MoveOutcome> EmbeddedCatalog::SetMoveState(const MoveId& id, MoveState from, MoveState to,
                                                  const std::string& receipt) {
  return Change<MoveOutcome>([&]() -> Result<MoveOutcome> {
    TW_TRY_ASSIGN(MoveRecord move, FindMove(id));
    if (move.state != from) return MoveOutcome{false, std::move(move)};
    TW_TRY_ASSIGN(const TenantRecord tenant, FindTenant(move.tenant));
    if (!IsLegal(from, to, tenant.ownership.owner == move.destination))
      return Fail(ErrorKind::kRefused, "MOVE_STEP_ILLEGAL",
                  "move " + id + " cannot go from " + std::string(MoveStateName(from)) + " to " +
                      std::string(MoveStateName(to)) + " while " + tenant.ownership.owner +
                      " owns the tenant");
    if (IsOver(to))
      TW_TRY(EndMove(move, to));
    else
      TW_TRY(Run("UPDATE moves SET state=?2 WHERE id=?1", {id, ValueOf(MoveStateName(to))}));
    if (!receipt.empty()) TW_TRY(PutReceipt(move, receipt));
    TW_TRY_ASSIGN(move, FindMove(id));
    return MoveOutcome{true, std::move(move)};
  });
}

Result<void> EmbeddedCatalog::SaveReceipt(const MoveId& id, const std::string& receipt) {
  return Change<void>([&]() -> Result<void> {
    TW_TRY_ASSIGN(const MoveRecord move, FindMove(id));
    return PutReceipt(move, receipt);
  });
}

Result<void> EmbeddedCatalog::PutReceipt(MoveRecord move, const std::string& receipt) {
  move.receipt = receipt;
  if (const auto field = UnsoundField(move); !field.empty()) return CannotKeep(field);
  TW_TRY(Run("UPDATE moves SET receipt=?2 WHERE id=?1", {move.id, receipt}));
  return {};
}

Result<void> EmbeddedCatalog::SetMoveOptions(const MoveId& id, const std::string& options) {
  return Change<void>([&]() -> Result<void> {
    TW_TRY_ASSIGN(MoveRecord move, FindMove(id));
    move.options = options;
    if (const auto field = UnsoundField(move); !field.empty()) return CannotKeep(field);
    TW_TRY(Run("UPDATE moves SET options=?2 WHERE id=?1", {id, options}));
    return {};
  });
}

Result<MoveRecord> EmbeddedCatalog::GetMove(const MoveId& id) {
  return Read<MoveRecord>([&] { return FindMove(id); });
}

Result<std::vector<MoveRecord>> EmbeddedCatalog::ListMoves() {
  return Read<std::vector<MoveRecord>>([&]() -> Result<std::vector<MoveRecord>> {
    TW_TRY_ASSIGN(const Rows rows, Run(fmt::format("{} ORDER BY number DESC LIMIT ?1", kMoveColumns),
                                       {static_cast<int64_t>(limits::kListedMoves)}));
    return AllOf<MoveRecord>(rows, MoveOf);
  });
}

Result<std::vector<MoveRecord>> EmbeddedCatalog::ListLiveMoves() {
  return Read<std::vector<MoveRecord>>([&]() -> Result<std::vector<MoveRecord>> {
    TW_TRY_ASSIGN(const Rows rows,
                  Run(fmt::format("{} WHERE ended_at_ms = 0 ORDER BY number DESC", kMoveColumns)));
    return AllOf<MoveRecord>(rows, MoveOf);
  });
}

}  // namespace tradewind::catalog
