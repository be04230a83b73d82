// A stream of a backup becomes a data folder: mbstream unpacks it, then mariadb-backup --prepare applies the redo log that
// came with it. Both are killed with this process.
//
// Preparing reads and writes much at once, and would be felt by all who share the disk. So it gets an allowance of bytes,
// and is stopped (SIGSTOP; nobody waits for it) while it has used it up. It stands back behind others for processors.
//
// One core only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "mariadb/gtid_position.h"
#include "mariadb/programs.h"
#include "runtime/core.h"
#include "runtime/file_descriptor.h"
#include "runtime/network.h"
#include "runtime/process.h"

namespace tradewind::mariadb {

class Unpacking {
 public:
  // Into an empty folder. Suspends. PIPE_NOT_MADE, PROCESS_NOT_STARTED.
  static Result<std::unique_ptr<Unpacking>> Start(runtime::Core& core, const BackupPrograms& programs,
                                                  const std::string& folder);
  // Suspends until the program has taken all of it. UNPACKING_FAILED (kIo): it has ended.
  Result<void> Write(Bytes bytes);
  // No more comes. Suspends until all of it is in files. UNPACKING_FAILED (kIo). That the stream was whole, only its sender
  // knows.
  Result<void> Finish();
  // Kills the program, if it still runs. Suspends.
  void End();

 private:
  Unpacking(std::unique_ptr<runtime::Process> process, std::unique_ptr<runtime::Connection> input,
            std::unique_ptr<runtime::FileDescriptor> messages);
  Error Failure();

  const std::unique_ptr<runtime::Process> process_;
  const std::unique_ptr<runtime::Connection> input_;
  const std::unique_ptr<runtime::FileDescriptor> messages_;  // What it has said.
};

// How much a preparation may use of the disk.
class Allowance {
 public:
  virtual ~Allowance() = default;
  // Bytes that it may have read and written in all by now.
  virtual uint64_t allowed() const = 0;
  // It has used so much. May ask for more.
  virtual void NoteUsed(uint64_t bytes) = 0;
  // Nobody wants the copy any more.
  virtual bool given_up() const = 0;
};

// Suspends until the folder is one that a server can start with. PREPARE_FAILED (kIo) with what the program said;
// PREPARE_GIVEN_UP (kUnavailable).
Result<void> PrepareData(runtime::Core& core, const BackupPrograms& programs, const std::string& folder,
                         uint64_t memory_bytes, Allowance& allowance);

// Where in its source's binary log a prepared copy is. Suspends. BACKUP_POSITION_UNKNOWN (kCorrupt).
Result<GtidPosition> ReadBackupPosition(runtime::Core& core, const std::string& folder);

}  // namespace tradewind::mariadb
