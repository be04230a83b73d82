// What an instance's tables hold, as sums, at one moment of its history: a snapshot (START TRANSACTION WITH CONSISTENT
// SNAPSHOT) and its GTID, and then the rows of each table, as of that moment, while the instance is written to.
//
// CHECKSUM TABLE would be one long statement that uses a processor of the server for as long as it takes. So the rows are read
// here, as fast as whoever wants the sums takes them: the server waits for its reader. They come in the binary form of
// prepared statements, in which equal bytes are equal values; generated columns that no disk has are left out. A table's sum
// is over its rows in any order, as two copies that hold the same may differ in how they hold it.
//
// A table that is read is not altered meanwhile: who wants to waits, and whoever comes behind that one does too. So each is
// let go once it was read (a savepoint before it), there is no holding back while somebody waits, and after
// limits::kChecksumGivesWay the table is left to whoever it is. If that one waits on nevertheless, it was for somebody else's
// table: this one is read again, and for longer and longer nobody is looked at. The same for who wants to write to a table of
// an engine that has no snapshots.
//
// What has no sum as of that moment says so: a table that was altered, truncated or dropped before it was read, or left; one
// of an engine without snapshots (MyISAM, Aria) of an instance in which anything was committed meanwhile; one in memory. A
// table that cannot be read has the error as its sum. System-versioned tables and sequences are not summed up.
//
// One core only. Each call suspends.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "mariadb/gtid_position.h"
#include "mariadb/instance.h"
#include "mariadb/kept_connection.h"
#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::mariadb {

using TableSums = std::map<std::string, std::optional<uint64_t>>;  // By `database`.`table`.
// No table that has a sum in both has another in the other, and none that has one is missing there.
bool Agree(const TableSums& one, const TableSums& other);

// How fast rows are taken.
class RowPace {
 public:
  virtual ~RowPace() = default;
  // So many bytes of rows have come. May suspend until more are wanted, as long as nobody waits for the table. False: nobody
  // wants the sums.
  virtual bool Take(uint64_t bytes) = 0;
  // So many of them were for nothing: they will be read again.
  virtual void Forget(uint64_t bytes) = 0;
  // Whether somebody waits for a table that is read. Take() returns at once as long as that is so. Does not suspend.
  virtual void SetWaitedFor(bool is_waited_for) = 0;
};

class Checksums {
 public:
  Checksums(runtime::Core& core, Instance& instance)
      : core_(core), instance_(instance), connection_(core, instance), look_(core, instance) {}

  // Opens the snapshot, and returns what it is of: the last transaction that it has. Of an instance that has logged none it
  // is empty. The errors of KeptConnection.
  Result<GtidPosition> OpenSnapshot();
  // Reads all of it. CHECKSUMS_GIVEN_UP (kUnavailable): nobody wants the sums, or the snapshot was lost. It is closed then,
  // and after any error.
  Result<TableSums> Read(RowPace& pace);
  void Close() { connection_.Close(); }

 private:
  struct Table {
    std::string engine;
    std::string columns;  // Quoted, those that a disk has.
    bool operator==(const Table&) const = default;
  };
  class Rows;

  Result<GtidPosition> Open();
  Result<void> OpenOnce();
  Result<std::map<std::string, Table>> ListTables();
  Result<TableSums> ReadAll(RowPace& pace);
  Result<std::optional<uint64_t>> ReadTable(const std::string& name, const Table& table, Rows& rows);
  Result<bool> IsUnchanged();
  Result<bool> LetGo();
  Result<bool> IsWaitedFor();
  Result<std::string> CountAlterations();
  Result<void> GiveWay();
  void Watch(RowPace& pace, runtime::Event& over);

  runtime::Core& core_;
  Instance& instance_;
  KeptConnection connection_;
  KeptConnection look_;    // At who waits.
  uint64_t of_start_ = 0;  // Of the server whose snapshot it is.
  // Those of the snapshot; nothing: when it was made, altered or dropped nobody knows.
  std::map<std::string, std::optional<Table>> tables_;
  GtidPosition position_;  // Of the snapshot.
  std::string number_;     // Of its connection, at the server.
  bool gave_way_ = false;  // The reading was ended for whoever waits.
  // As that was in vain, nobody is looked at until then; and the next time for so long.
  runtime::TimePoint unheard_until_{};
  runtime::Duration unheard_{};
};

}  // namespace tradewind::mariadb
