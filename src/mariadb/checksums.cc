#include "mariadb/checksums.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "mysql/server_connection.h"

namespace tradewind::mariadb {
namespace {

// Whatever an operator of the instance has set for all sessions.
// To let go of a table that was read is allowed to what is not logged.
constexpr std::string_view kSettings =
    "SET SESSION time_zone = '+00:00', sql_mode = '', character_set_results = NULL, "
    "sql_log_bin = 0, lock_wait_timeout = 1, group_concat_max_len = 67108864, sql_select_limit = "
    "18446744073709551615, "
    "sql_big_selects = 1, max_statement_time = 0, "
    "net_write_timeout = 31536000, wait_timeout = 31536000, idle_transaction_timeout = 0, "
    "idle_readonly_transaction_timeout = 0";
constexpr std::string_view kSelect = "SELECT SQL_NO_CACHE";
constexpr std::string_view kInterrupted = "MYSQL_1317";  // ER_QUERY_INTERRUPTED
constexpr std::string_view kWithSnapshots = "InnoDB";
constexpr size_t kBlockBytes =
    64u << 10;  // Of a row that is longer, which is summed up in so many at a time.

// Of a table that is not what it was at the snapshot any more, or is gone, or that somebody waits for in order to alter it,
// behind whom a reader would wait.
bool IsChanged(const Error& error) {
  constexpr std::string_view kCodes[] = {
      "MYSQL_1412",  // ER_TABLE_DEF_CHANGED
      "MYSQL_1146",  // ER_NO_SUCH_TABLE
      "MYSQL_1054",  // ER_BAD_FIELD_ERROR
      "MYSQL_1049",  // ER_BAD_DB_ERROR
      "MYSQL_1615",  // ER_NEED_REPREPARE
      "MYSQL_1205",  // ER_LOCK_WAIT_TIMEOUT
  };
  return std::find(std::begin(kCodes), std::end(kCodes), error.code) != std::end(kCodes);
}

}  // namespace

bool Agree(const TableSums& one, const TableSums& other) {
  const auto covers = [](const TableSums& these, const TableSums& those) {
    return std::all_of(these.begin(), these.end(), [&](const auto& table) {
      if (!table.second) return true;
      const auto found = those.find(table.first);
      return found != those.end() && (!found->second || found->second == table.second);
    });
  };
  return covers(one, other) && covers(other, one);
}

// The rows of one table after the other.
class Checksums::Rows final : public mysql::RowStream {
 public:
  Rows(runtime::Core& core, RowPace& pace) : core_(core), pace_(pace) {}

  void Begin() {
    sum_ = hash_ = 0;
    block_.clear();
  }
  uint64_t sum() const { return sum_; }

  void OnRowPiece(std::string_view piece, bool ends) override {
    if (block_.empty() && ends && piece.size() < kBlockBytes) return EndRow(piece);
    while (!piece.empty()) {
      const size_t part = std::min(piece.size(), kBlockBytes - block_.size());
      block_ += piece.substr(0, part);
      piece.remove_prefix(part);
      if (block_.size() < kBlockBytes) continue;
      hash_ = Hash(block_);
      block_.clear();
    }
    if (!ends) return;
    EndRow(block_);
    block_.clear();
  }

  Result<runtime::TimePoint> AwaitTurn(size_t came) override {
    came_ += came;
    // A part of a piece is for others as well as a piece is.
    runtime::Yield();
    // By the block, and at the beginning of a table, and at the end of all.
    if (came_ < kBlockBytes && came > 0) return core_.Now() + limits::kChecksumRows;
    if (!pace_.Take(std::exchange(came_, 0)))
      return Fail(ErrorKind::kUnavailable, "CHECKSUMS_GIVEN_UP", "nobody wants the sums any more");
    return core_.Now() + limits::kChecksumRows;
  }

 private:
  uint64_t Hash(std::string_view block) const { return Hash64(std::as_bytes(std::span(block)), hash_); }
  void EndRow(std::string_view rest) {
    sum_ += Hash(rest);
    hash_ = 0;
  }

  runtime::Core& core_;
  RowPace& pace_;
  size_t came_ = 0;
  std::string block_;  // Of a long row, what has come and is not in `hash_`.
  uint64_t hash_ = 0;
  uint64_t sum_ = 0;
};

Result<GtidPosition> Checksums::OpenSnapshot() {
  connection_.Close();
  tables_.clear();
  others_.clear();
  gave_way_ = false;
  of_start_ = instance_.starts();
  auto position = Open();
  if (!position) Close();
  return position;
}

// What tables there are is not of the snapshot: which were made or dropped beside it is not known.
Result<GtidPosition> Checksums::Open() {
  TW_TRY(connection_.Query(kSettings, core_.Now() + limits::kInstanceAnswer));
  TW_TRY_ASSIGN(number_,
                connection_.QueryValue("SELECT CONNECTION_ID()", core_.Now() + limits::kInstanceAnswer));
  TW_TRY_ASSIGN(const auto before, ListTables());
  const auto deadline = core_.Now() + limits::kInstanceAnswer;
  TW_TRY(connection_.Query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", deadline));
  TW_TRY(connection_.Query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", deadline));
  // Where the snapshot is in the binary log, by the server's own account of it.
  TW_TRY_ASSIGN(
      const std::string text,
      connection_.QueryValue(
          "SELECT BINLOG_GTID_POS(MAX(IF(variable_name = 'BINLOG_SNAPSHOT_FILE', variable_value, NULL)), "
          "MAX(IF(variable_name = 'BINLOG_SNAPSHOT_POSITION', variable_value, NULL))) FROM "
          "information_schema.session_status WHERE variable_name LIKE 'BINLOG\\_SNAPSHOT\\_%'",
          deadline));
  const auto position = GtidPosition::Parse(text);
  if (!position)
    return Fail(ErrorKind::kCorrupt, "MYSQL_NO_VALUE", "the server does not say of what its snapshot is");
  position_ = *position;
  TW_TRY_ASSIGN(const auto after, ListTables());
  TW_TRY(connection_.Query("SAVEPOINT tables_free", core_.Now() + limits::kInstanceAnswer));
  for (const auto* listed : {&before, &after})
    for (const auto& [name, table] : *listed) {
      const auto then = before.find(name);
      const bool stayed = then != before.end() && after.contains(name) && after.at(name) == then->second;
      tables_[name] = stayed ? std::optional(table) : std::nullopt;
    }
  return position_;
}

// Names that differ in case alone are different ones, which the server's own lists are not told.
Result<std::map<std::string, Checksums::Table>> Checksums::ListTables() {
  constexpr std::string_view kOthers =
      "table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')";
  const auto deadline = core_.Now() + limits::kChecksumTable;
  TW_TRY_ASSIGN(
      const auto engines,
      connection_.Query(fmt::format("SELECT table_schema, table_name, engine FROM information_schema.tables "
                                    "WHERE table_type = 'BASE TABLE' AND {}",
                                    kOthers),
                        deadline));
  TW_TRY_ASSIGN(
      const auto columns,
      connection_.Query(
          fmt::format("SELECT table_schema, table_name, GROUP_CONCAT('`', REPLACE(column_name, '`', "
                      "'``'), '`' ORDER BY ordinal_position SEPARATOR ', ') FROM "
                      "information_schema.columns WHERE extra NOT LIKE '%VIRTUAL%' AND {} GROUP BY "
                      "BINARY table_schema, BINARY table_name",
                      kOthers),
          deadline));
  const auto name_of = [](const mysql::ServerAnswer::Row& row) {
    return fmt::format("{}.{}", mysql::QuotedIdentifier(row.at(0).value_or("")),
                       mysql::QuotedIdentifier(row.at(1).value_or("")));
  };
  std::map<std::string, Table> tables;
  for (const auto& row : engines.rows) tables[name_of(row)].engine = row.at(2).value_or("");
  for (const auto& row : columns.rows)
    if (const auto found = tables.find(name_of(row)); found != tables.end())
      found->second.columns = row.at(2).value_or("");
  return tables;
}

Result<TableSums> Checksums::Read(RowPace& pace) {
  runtime::Event over;
  runtime::TaskGroup watch(core_);
  watch.Spawn("who waits for a checksum", [&] { Watch(pace, over); });
  auto sums = ReadAll(pace);
  Close();
  over.Set();
  watch.Join();
  // A server that was started again has no snapshot.
  if (sums && instance_.starts() != of_start_)
    return Fail(ErrorKind::kUnavailable, "CHECKSUMS_GIVEN_UP", "the snapshot was lost");
  return sums;
}

// Where the server cannot be asked, somebody may wait.
void Checksums::Watch(RowPace& pace, runtime::Event& over) {
  std::optional<runtime::TimePoint> since;
  while (!over.is_set()) {
    const auto waiting = FindWaiting();
    const bool is_waited_for = !waiting || !waiting->empty();
    pace.SetWaitedFor(is_waited_for);
    if (!is_waited_for || gave_way_) since.reset();
    if (is_waited_for && !gave_way_ && !since) since = core_.Now();
    if (since && core_.Now() - *since >= limits::kChecksumGivesWay) {
      since.reset();
      if (const auto done = GiveWay(); !done)
        log::warn("a table of an instance is read, and somebody waits for it: {}", Describe(done.error()));
    }
    over.WaitUntil(core_.Now() + limits::kChecksumLook);
  }
  look_.Close();
}

Result<std::set<std::string>> Checksums::FindWaiting() {
  TW_TRY_ASSIGN(
      const auto answer,
      look_.Query(
          "SELECT id FROM information_schema.processlist WHERE state = 'Waiting for table metadata lock'",
          core_.Now() + limits::kInstanceAnswer));
  std::set<std::string> waiting;
  for (const auto& row : answer.rows)
    if (const std::string id = row.at(0).value_or(""); id != number_) waiting.insert(id);
  // What they wait for next may be what is read.
  std::erase_if(others_, [&](const std::string& id) { return !waiting.contains(id); });
  std::erase_if(waiting, [&](const std::string& id) { return others_.contains(id); });
  return waiting;
}

// By the number of the statement: that of the connection could be another by now.
Result<void> Checksums::GiveWay() {
  const auto deadline = core_.Now() + limits::kInstanceAnswer;
  TW_TRY_ASSIGN(
      const auto running,
      look_.Query(fmt::format("SELECT query_id FROM information_schema.processlist WHERE id = {} AND "
                              "info LIKE '{}%'",
                              number_, kSelect),
                  deadline));
  if (running.rows.empty()) return {};
  gave_way_ = true;
  TW_TRY(look_.Query("KILL QUERY ID " + running.rows[0].at(0).value_or("0"), deadline));
  return {};
}

// Whether whoever waited has what it waited for. Whoever has not waits for somebody else.
Result<bool> Checksums::LetGo() {
  TW_TRY(connection_.Query("ROLLBACK TO SAVEPOINT tables_free", core_.Now() + limits::kChecksumRows));
  if (!gave_way_) return true;
  const runtime::TimePoint until = core_.Now() + limits::kChecksumGivesWay;
  TW_TRY_ASSIGN(auto waiting, FindWaiting());
  while (!waiting.empty() && core_.Now() < until) {
    runtime::SleepFor(limits::kFreezeStep);
    TW_TRY_ASSIGN(waiting, FindWaiting());
  }
  gave_way_ = false;
  others_.insert(waiting.begin(), waiting.end());
  return waiting.empty();
}

Result<TableSums> Checksums::ReadAll(RowPace& pace) {
  if (!connection_.is_open())
    return Fail(ErrorKind::kUnavailable, "CHECKSUMS_GIVEN_UP", "the snapshot was lost");
  Rows rows(core_, pace);
  TableSums sums;
  size_t without = 0;
  for (const auto& [name, table] : tables_) {
    auto& sum = sums[name];
    if (table) {
      TW_TRY_ASSIGN(sum, ReadTable(name, *table, rows));
    }
    if (!sum) ++without;
  }
  TW_TRY(rows.AwaitTurn(0));
  if (without > 0)
    log::info("{} of {} tables changed before they were read, or were wanted: they have no sums", without,
              sums.size());
  return sums;
}

Result<std::optional<uint64_t>> Checksums::ReadTable(const std::string& name, const Table& table,
                                                     Rows& rows) {
  const auto soon = [&] { return core_.Now() + limits::kChecksumRows; };
  const auto prepared = connection_.Ask(
      mysql::ServerRequest::Prepare(fmt::format("{} {} FROM {}", kSelect, table.columns, name)), soon());
  if (!prepared && IsChanged(prepared.error())) {
    TW_TRY(LetGo());
    return std::nullopt;
  }
  if (!prepared) return Fail(prepared.error());
  if (!prepared->prepared) return Fail(ErrorKind::kCorrupt, "MYSQL_NO_VALUE", "a server prepares nothing");
  const uint32_t statement = prepared->prepared->statement;
  Result<mysql::ServerAnswer> read;
  bool again = true;
  while (again) {
    rows.Begin();
    read = connection_.Stream(mysql::ServerRequest::Execute(statement), rows, soon());
    const bool left = !read && read.error().code == kInterrupted && gave_way_;
    if (!read && !left && !IsChanged(read.error())) return Fail(read.error());
    TW_TRY_ASSIGN(const bool was_waited_for, LetGo());
    again = left && !was_waited_for;
  }
  TW_TRY(connection_.Ask(mysql::ServerRequest::CloseStatement(statement), soon()));
  if (!read) return std::nullopt;
  if (table.engine != kWithSnapshots) {
    TW_TRY_ASSIGN(const bool unchanged, IsUnchanged());
    if (!unchanged) return std::nullopt;
  }
  return rows.sum();
}

// An engine without snapshots shows what is there now, which is of the snapshot as long as nothing came after it.
Result<bool> Checksums::IsUnchanged() {
  TW_TRY_ASSIGN(const std::string now, connection_.QueryValue("SELECT @@GLOBAL.gtid_binlog_pos",
                                                              core_.Now() + limits::kInstanceAnswer));
  return GtidPosition::Parse(now) == position_;
}

}  // namespace tradewind::mariadb
