#include "mariadb/checksums.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
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
constexpr std::string_view kInMemory = "MEMORY";
constexpr uint64_t kTableBytes = 16u << 10;  // That a table counts for, beside its rows.
constexpr int kMostUnheard = 3;              // For that many times, of one table.
constexpr int kOpenings = 5;                 // Of a snapshot, beside which tables come and go.
constexpr size_t kBlockBytes =
    64u << 10;  // Of a row that is longer, which is summed up in so many at a time.

bool IsOneOf(const Error& error, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), error.code) != codes.end();
}

// Of a table that is not what it was at the snapshot any more, or is gone, or that somebody waits for in order to alter it,
// behind whom a reader would wait.
bool IsChanged(const Error& error) {
  return IsOneOf(error, {
                            "MYSQL_1412",  // ER_TABLE_DEF_CHANGED
                            "MYSQL_1146",  // ER_NO_SUCH_TABLE
                            "MYSQL_1054",  // ER_BAD_FIELD_ERROR
                            "MYSQL_1049",  // ER_BAD_DB_ERROR
                            "MYSQL_1615",  // ER_NEED_REPREPARE
                            "MYSQL_1205",  // ER_LOCK_WAIT_TIMEOUT
                        });
}

// Of a table that nobody could read, before the move or after it.
bool IsUnreadable(const Error& error) {
  return IsOneOf(error, {
                            "MYSQL_1017",  // ER_FILE_NOT_FOUND
                            "MYSQL_1033",  // ER_NOT_FORM_FILE
                            "MYSQL_1168",  // ER_WRONG_MRG_TABLE
                            "MYSQL_1194",  // ER_CRASHED_ON_USAGE
                            "MYSQL_1195",  // ER_CRASHED_ON_REPAIR
                            "MYSQL_1286",  // ER_UNKNOWN_STORAGE_ENGINE
                            "MYSQL_1814",  // ER_TABLESPACE_DISCARDED
                            "MYSQL_1932",  // ER_NO_SUCH_TABLE_IN_ENGINE
                        });
}

uint64_t SumOf(const Error& error) {
  return Hash64(std::as_bytes(std::span(error.code)));
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
    came_ += kTableBytes;
    of_table_ = 0;
  }
  // What came of the table comes again.
  void BeginAgain() {
    const uint64_t untold = std::min(came_, of_table_);
    came_ -= untold;
    pace_.Forget(of_table_ - untold);
    Begin();
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
    of_table_ += came;
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
  uint64_t came_ = 0;      // That the pace was not told of.
  uint64_t of_table_ = 0;  // That has come.
  std::string block_;      // Of a long row, what has come and is not in `hash_`.
  uint64_t hash_ = 0;
  uint64_t sum_ = 0;
};

Result<GtidPosition> Checksums::OpenSnapshot() {
  connection_.Close();
  tables_.clear();
  gave_way_ = false;
  unheard_until_ = {};
  of_start_ = instance_.starts();
  auto position = Open();
  if (!position) Close();
  return position;
}

// What tables there are is not of the snapshot: which were made or dropped beside it is not known. One that was both is in no
// list.
Result<GtidPosition> Checksums::Open() {
  TW_TRY(connection_.Query(kSettings, core_.Now() + limits::kInstanceAnswer));
  std::string altered;
  std::string now;
  for (int opening = 0; opening < kOpenings && (opening == 0 || altered != now); ++opening) {
    TW_TRY_ASSIGN(altered, CountAlterations());
    TW_TRY(OpenOnce());
    TW_TRY_ASSIGN(now, CountAlterations());
  }
  TW_TRY(connection_.Query("SAVEPOINT tables_free", core_.Now() + limits::kInstanceAnswer));
  return position_;
}

Result<std::string> Checksums::CountAlterations() {
  return connection_.QueryValue(
      "SELECT SUM(variable_value) FROM information_schema.global_status WHERE variable_name IN "
      "('COM_ALTER_TABLE', 'COM_DROP_DB', 'COM_DROP_TABLE', 'COM_RENAME_TABLE')",
      core_.Now() + limits::kInstanceAnswer);
}

Result<void> Checksums::OpenOnce() {
  TW_TRY(connection_.Query("ROLLBACK", core_.Now() + limits::kInstanceAnswer));
  tables_.clear();
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
  for (const auto* listed : {&before, &after})
    for (const auto& [name, table] : *listed) {
      const auto then = before.find(name);
      const bool stayed = then != before.end() && after.contains(name) && after.at(name) == then->second;
      tables_[name] = stayed ? std::optional(table) : std::nullopt;
    }
  return {};
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
  constexpr runtime::TimePoint kNever = runtime::TimePoint::max();
  runtime::TimePoint since = kNever;
  while (!over.is_set()) {
    const bool is_waited_for = IsWaitedFor().value_or(true) && core_.Now() >= unheard_until_;
    pace.SetWaitedFor(is_waited_for);
    if (!is_waited_for || gave_way_)
      since = kNever;
    else
      since = std::min(since, core_.Now());
    if (since != kNever && core_.Now() - since >= limits::kChecksumGivesWay) {
      since = kNever;
      if (const auto done = GiveWay(); !done)
        log::warn("a table of an instance is read, and somebody waits for it: {}", Describe(done.error()));
    }
    over.WaitUntil(core_.Now() + limits::kChecksumLook);
  }
  look_.Close();
}

Result<bool> Checksums::IsWaitedFor() {
  const auto waiting = look_.QueryValue(
      fmt::format("SELECT COUNT(*) FROM information_schema.processlist WHERE state IN ('Waiting for table "
                  "metadata lock', 'Waiting for table level lock') AND id <> {}",
                  number_),
      core_.Now() + limits::kInstanceAnswer);
  if (!waiting) return Fail(waiting.error());
  return *waiting != "0";
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
  const auto killed = look_.Query("KILL QUERY ID " + running.rows[0].at(0).value_or("0"), deadline);
  if (killed) return {};
  gave_way_ = false;
  return Fail(killed.error());
}

// Whether whoever waited has what it waited for. Whoever has not waits for somebody else.
Result<bool> Checksums::LetGo() {
  TW_TRY(connection_.Query("ROLLBACK TO SAVEPOINT tables_free", core_.Now() + limits::kChecksumRows));
  if (!gave_way_) return true;
  const runtime::TimePoint until = core_.Now() + limits::kChecksumGivesWay;
  TW_TRY_ASSIGN(bool waits, IsWaitedFor());
  while (waits && core_.Now() < until) {
    runtime::SleepFor(limits::kFreezeStep);
    TW_TRY_ASSIGN(waits, IsWaitedFor());
  }
  gave_way_ = false;
  if (!waits) return true;
  unheard_until_ = core_.Now() + unheard_;
  unheard_ *= 4;
  return false;
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
  unheard_ = limits::kChecksumGivesWay;
  if (table.engine == kInMemory) return std::nullopt;
  if (table.columns.empty()) return SumOf(Error{});
  const bool has_snapshots = table.engine == kWithSnapshots;
  // Before it is read too: whoever writes to it waits for that.
  if (!has_snapshots) {
    TW_TRY_ASSIGN(const bool unchanged, IsUnchanged());
    if (!unchanged) return std::nullopt;
  }
  const auto soon = [&] { return core_.Now() + limits::kChecksumRows; };
  const auto is_left = [&](const Error& error) { return error.code == kInterrupted && gave_way_; };
  const auto prepared = connection_.Ask(
      mysql::ServerRequest::Prepare(fmt::format("{} {} FROM {}", kSelect, table.columns, name)), soon());
  if (!prepared && IsUnreadable(prepared.error())) return SumOf(prepared.error());
  if (!prepared && (IsChanged(prepared.error()) || is_left(prepared.error()))) {
    TW_TRY(LetGo());
    return std::nullopt;
  }
  if (!prepared) return Fail(prepared.error());
  if (!prepared->prepared) return Fail(ErrorKind::kCorrupt, "MYSQL_NO_VALUE", "a server prepares nothing");
  const auto execute = mysql::ServerRequest::Execute(prepared->prepared->statement);
  rows.Begin();
  auto read = connection_.Stream(execute, rows, soon());
  for (int unheard = 0; !read && is_left(read.error()); ++unheard) {
    TW_TRY_ASSIGN(const bool was_waited_for, LetGo());
    if (was_waited_for || unheard == kMostUnheard) break;
    rows.BeginAgain();
    read = connection_.Stream(execute, rows, soon());
  }
  const bool left = !read && read.error().code == kInterrupted;
  if (!read && !left && !IsChanged(read.error()) && !IsUnreadable(read.error())) return Fail(read.error());
  TW_TRY(LetGo());
  TW_TRY(connection_.Ask(mysql::ServerRequest::CloseStatement(prepared->prepared->statement), soon()));
  if (!read && IsUnreadable(read.error())) return SumOf(read.error());
  if (!read) return std::nullopt;
  if (!has_snapshots) {
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
