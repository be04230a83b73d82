// A connection to an instance as its control account, which stays open between requests, so that one takes no login. When
// it breaks, or the server was started again, the next request opens another.
//
// One core only; one request at a time, the others wait for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "mariadb/instance.h"
#include "mysql/server_connection.h"
#include "runtime/fair_lock.h"

namespace tradewind::mariadb {

class KeptConnection {
 public:
  KeptConnection(runtime::Core& core, Instance& instance) : instance_(instance), lock_(core) {}

  // Each suspends. The errors of Instance::Connect() and ServerConnection::Query(); after one of them that is final, whether
  // the server did what it was asked for is not known.
  Result<mysql::ServerAnswer> Query(std::string_view sql, runtime::TimePoint deadline);
  Result<mysql::ServerAnswer> Ask(const mysql::ServerRequest& request, runtime::TimePoint deadline);
  // As mysql::Queries has it. What it fails with closes the connection, if that is final.
  Result<mysql::ServerAnswer> Stream(const mysql::ServerRequest& request, mysql::RowStream& rows,
                                     runtime::TimePoint open_deadline);
  // The first value of the answer; empty for NULL. MYSQL_NO_VALUE (kCorrupt).
  Result<std::string> QueryValue(std::string_view sql, runtime::TimePoint deadline);
  // Whatever holds only as long as the connection (a stage of a backup, a transaction) ends.
  void Close() { connection_.reset(); }
  bool is_open() const { return connection_ != nullptr; }

 private:
  // Requires: the lock is held.
  Result<void> Open(runtime::TimePoint deadline);

  Instance& instance_;
  runtime::FairLock lock_;
  std::unique_ptr<mysql::ServerConnection> connection_;
  uint64_t of_start_ = 0;  // Of the server that it is open to.
};

}  // namespace tradewind::mariadb
