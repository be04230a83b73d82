#include "mariadb/kept_connection.h"

#include <span>
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
  return Ask(mysql::ServerRequest::Query(sql), deadline);
}

Result<mysql::ServerAnswer> KeptConnection::Ask(const mysql::ServerRequest& request,
                                                runtime::TimePoint deadline) {
  const runtime::FairLock::Hold turn(lock_);
  TW_TRY(Open(deadline));
  auto answer = std::move(connection_->queries().AskAll(std::span(&request, 1), deadline).front());
  if (!answer && mysql::IsFinal(answer.error())) connection_.reset();
  return answer;
}

Result<mysql::ServerAnswer> KeptConnection::Stream(const mysql::ServerRequest& request,
                                                   mysql::RowStream& rows, runtime::TimePoint open_deadline) {
  const runtime::FairLock::Hold turn(lock_);
  TW_TRY(Open(open_deadline));
  auto answer = connection_->queries().Stream(request, rows);
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
