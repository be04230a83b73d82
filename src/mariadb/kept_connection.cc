#include "mariadb/kept_connection.h"

#include <string>
#include <utility>

namespace tradewind::mariadb {

// With the lock.
Result<void> KeptConnection::Open(runtime::TimePoint deadline) {
  if (connection_ && of_start_ == instance_.starts()) return {};
  connection_.reset();
  const uint64_t start = instance_.starts();
  TW_TRY_ASSIGN(connection_, instance_.Connect(deadline));
  of_start_ = start;
  return {};
}

Result<mysql::ServerAnswer> KeptConnection::Query(std::string_view sql, runtime::TimePoint deadline) {
  const runtime::FairLock::Hold turn(lock_);
  TW_TRY(Open(deadline));
  auto answer = connection_->Query(sql, deadline);
  if (!answer && mysql::IsFinal(answer.error())) connection_.reset();
  return answer;
}

Result<std::string> KeptConnection::QueryValue(std::string_view sql, runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(auto answer, Query(sql, deadline));
  if (answer.rows.empty() || answer.rows.front().empty())
    return Fail(ErrorKind::kCorrupt, "MYSQL_NO_VALUE", "the server has no answer to: " + std::string(sql));
  return std::move(answer.rows.front().front()).value_or("");
}

}  // namespace tradewind::mariadb
