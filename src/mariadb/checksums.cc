#include "mariadb/checksums.h"

#include <fmt/format.h>

#include <charconv>

#include "base/limits.h"
#include "mysql/server_connection.h"

namespace tradewind::mariadb {
namespace {

// Nothing where it is no number: of a view that has become one meanwhile, CHECKSUM TABLE says NULL.
uint64_t ToNumber(const std::optional<std::string>& text) {
  uint64_t number = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

}  // namespace

Result<GtidPosition> Checksums::OpenSnapshot() {
  const auto deadline = core_.Now() + limits::kInstanceAnswer;
  connection_.Close();
  of_start_ = instance_.starts();
  TW_TRY(connection_.Query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", deadline));
  TW_TRY(connection_.Query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", deadline));
  // Where the snapshot is in the binary log, by the server's own account of it.
  const auto answer = connection_.Query(
      "SELECT BINLOG_GTID_POS(MAX(IF(variable_name = 'BINLOG_SNAPSHOT_FILE', variable_value, NULL)), "
      "MAX(IF(variable_name = 'BINLOG_SNAPSHOT_POSITION', variable_value, NULL))) FROM "
      "information_schema.session_status WHERE variable_name LIKE 'BINLOG\\_SNAPSHOT\\_%'",
      deadline);
  if (!answer) {
    Close();
    return Fail(answer.error());
  }
  const auto position =
      answer->rows.empty() ? std::nullopt : GtidPosition::Parse(answer->rows[0].at(0).value_or("?"));
  if (position) return *position;
  Close();
  return Fail(ErrorKind::kCorrupt, "MYSQL_NO_VALUE", "the server does not say of what its snapshot is");
}

Result<TableSums> Checksums::Read(const std::function<bool(uint64_t bytes)>& before_table) {
  auto sums = ReadAll(before_table);
  Close();
  // A server that was started again has no snapshot.
  if (sums && instance_.starts() != of_start_)
    return Fail(ErrorKind::kUnavailable, "CHECKSUMS_GIVEN_UP", "the snapshot was lost");
  return sums;
}

Result<TableSums> Checksums::ReadAll(const std::function<bool(uint64_t bytes)>& before_table) {
  if (!connection_.is_open())
    return Fail(ErrorKind::kUnavailable, "CHECKSUMS_GIVEN_UP", "the snapshot was lost");
  TW_TRY_ASSIGN(
      const auto tables,
      connection_.Query("SELECT table_schema, table_name, data_length FROM information_schema.tables "
                        "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', "
                        "'information_schema', 'performance_schema')",
                        core_.Now() + limits::kChecksumTable));
  TableSums sums;
  for (const auto& row : tables.rows) {
    if (!before_table(ToNumber(row.at(2))))
      return Fail(ErrorKind::kUnavailable, "CHECKSUMS_GIVEN_UP", "nobody wants the sums any more");
    const std::string name = fmt::format("{}.{}", mysql::QuotedIdentifier(row.at(0).value_or("")),
                                         mysql::QuotedIdentifier(row.at(1).value_or("")));
    TW_TRY_ASSIGN(const auto sum, connection_.Query(fmt::format("CHECKSUM TABLE {} EXTENDED", name),
                                                    core_.Now() + limits::kChecksumTable));
    // Of a table that was dropped meanwhile there is none.
    if (!sum.rows.empty() && sum.rows[0].size() > 1 && sum.rows[0][1]) sums[name] = ToNumber(sum.rows[0][1]);
  }
  return sums;
}

}  // namespace tradewind::mariadb
