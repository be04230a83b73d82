// What an instance's tables hold, as sums, at one moment of its history: a snapshot (START TRANSACTION WITH CONSISTENT
// SNAPSHOT) and its GTID, and then CHECKSUM TABLE of each table, as of that moment, while the instance is written to.
//
// Tables of engines without snapshots (MyISAM, Aria) are summed up as they are when they are read: such a table that is
// written to has no sum that another copy could have. Two copies that hold the same may differ in how they hold it: the sums
// are over rows.
//
// One core only. Each call suspends.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "mariadb/gtid_position.h"
#include "mariadb/instance.h"
#include "mariadb/kept_connection.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

using TableSums = std::map<std::string, uint64_t>;  // By `database`.`table`.

class Checksums {
 public:
  Checksums(runtime::Core& core, Instance& instance)
      : core_(core), instance_(instance), connection_(core, instance) {}

  // Opens the snapshot, and returns what it is of: the last transaction that it has. Of an instance that has logged none it
  // is empty. The errors of KeptConnection.
  Result<GtidPosition> OpenSnapshot();
  // Reads all of it. `before_table` is told how many bytes a table has, before it is read; it may suspend, and ends it by
  // returning false: CHECKSUMS_GIVEN_UP (kUnavailable). The snapshot is closed then, and after any error.
  Result<TableSums> Read(const std::function<bool(uint64_t bytes)>& before_table);
  void Close() { connection_.Close(); }

 private:
  Result<TableSums> ReadAll(const std::function<bool(uint64_t bytes)>& before_table);

  runtime::Core& core_;
  Instance& instance_;
  KeptConnection connection_;
  uint64_t of_start_ = 0;  // Of the server whose snapshot it is.
};

}  // namespace tradewind::mariadb
