// A database file of another program, read as that program's own SQLite would read it.
//
// A database is more than one file: its newest commits may be in FILE-wal, and FILE-journal may say what of
// FILE to take back. And others may be writing. So SQLite itself opens it, by its own VFS, whose locks all
// programs know, and holds a read transaction:
//
//   - a log with something in it: the state that the transaction sees is copied by SQLite's backup into a
//     temporary file without a name (in TMPDIR, else /var/tmp), and that is read; writers go on meanwhile;
//   - no log: the file itself is that state for as long as the transaction is held, and is read as it is, so
//     that a file of any size needs no room. Writers of a file with a rollback journal wait;
//   - a journal of a program that was interrupted, or a state that cannot be told: refused.
//
// Nothing of the file, its log or its journal is changed.
//
// No types of SQLite here, so that cli/ may use it. Calls of SQLite block the core: for a program of one fiber.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace tradewind::outside {

class OutsideDatabase {
 public:
  // Fails with FILE_UNREADABLE, IMPORT_EMPTY, NOT_A_DATABASE, DATABASE_DAMAGED, DATABASE_INTERRUPTED,
  // DATABASE_HAS_OTHER_NAMES (all kInvalid), DATABASE_IN_USE (kUnavailable), DISK_FULL (of the temporary
  // file).
  static Result<std::unique_ptr<OutsideDatabase>> Open(const std::string& path);
  virtual ~OutsideDatabase() = default;

  virtual uint64_t size_bytes() const = 0;
  // Fills `into` from `offset`; returns how many bytes there were.
  virtual Result<size_t> Read(uint64_t offset, MutableBytes into) = 0;
};

}  // namespace tradewind::outside
