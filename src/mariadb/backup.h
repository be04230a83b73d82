// A copy of an instance that is used, as a stream of bytes: what `mariadb-backup --backup --stream=mbstream` writes.
//
// Three traps lie in that, all seen (each freezes the instance, or makes the copy worthless):
//
//   1. The tool copies the redo log in rounds, and waits for the end of one while it keeps every commit waiting. By default
//      a round takes a second. Here it takes limits::kBackupLogInterval.
//   2. In its last stages the tool keeps commits waiting while it writes what is left. Who reads slowly then keeps
//      them waiting as long: from in_final_stages() on the stream is to be read as fast as it comes.
//   3. The copier of the redo log writes to the same stream. Who reads more slowly than the log grows lets the log
//      come round: the copy fails, and says so only at its end. log_copied_to(), beside the log's own figures (RedoLog),
//      says how near that is.
//
// It stands back behind others for processors until its last stages, for which others wait; where it could not be taken
// back then (runtime/process.h), it never does.
//
// The tool is killed with this process. One core only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "mariadb/instance.h"
#include "mariadb/kept_connection.h"
#include "mariadb/programs.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "runtime/network.h"
#include "runtime/process.h"

namespace tradewind::mariadb {

struct RedoLog {
  uint64_t written_to = 0;  // Its sequence number (LSN), which counts bytes.
  uint64_t capacity_bytes = 0;
};
// Suspends. The errors of KeptConnection.
Result<RedoLog> ReadRedoLog(KeptConnection& connection, runtime::TimePoint deadline);
// What the instance's tables, logs and the like have on disk: roughly what a backup will be. Suspends.
uint64_t DataBytes(runtime::Core& core, const InstanceFolder& folder);

struct BackupOptions {
  // For tests: other ones.
  runtime::Duration log_interval = limits::kBackupLogInterval;
  runtime::Duration lock_wait = limits::kBackupLockWait;
  runtime::Duration blocked =
      limits::kBackupBlocked;  // More than `log_interval`, which it may last by itself.
};

class Backup {
 public:
  // Suspends. PIPE_NOT_MADE, PROCESS_NOT_STARTED, DISK_FULL, DISK_IO.
  static Result<std::unique_ptr<Backup>> Start(runtime::Core& core, const BackupPrograms& programs,
                                               Instance& instance, BackupOptions options = {});
  ~Backup();  // Requires: End() has returned.
  Backup(const Backup&) = delete;
  Backup& operator=(const Backup&) = delete;

  // Suspends until something has come, and returns how much; 0: it is whole, the tool says so. BACKUP_FAILED
  // (kUnavailable) with what the tool said: a try later may succeed. BACKUP_BLOCKED (kUnavailable): in its last stages
  // nothing has come for `blocked`, and others wait for it: locks are in its way, or its log is lost;
  // or it waits for locks longer than `lock_wait`, before them.
  Result<size_t> Read(MutableBytes into);
  bool in_final_stages() const { return final_; }
  // To where the redo log is in the stream, as far as the tool has said.
  std::optional<uint64_t> log_copied_to() const { return log_copied_to_; }
  // Kills the tool, if it still runs: what it holds at the server is free then. Suspends.
  void End();

 private:
  Backup(runtime::Core& core, std::unique_ptr<runtime::Process> process,
         std::unique_ptr<runtime::Connection> output, std::unique_ptr<runtime::Connection> messages,
         const BackupOptions& options);
  void ReadMessages();
  void TakeLine(const std::string& line);
  Result<size_t> AtEnd();
  Result<size_t> Blocked() const;

  runtime::Core& core_;
  const std::unique_ptr<runtime::Process> process_;
  const std::unique_ptr<runtime::Connection> output_;
  const std::unique_ptr<runtime::Connection> messages_;
  const runtime::Duration lock_wait_;
  const runtime::Duration blocked_;
  runtime::TimePoint locks_until_ = runtime::TimePoint::max();  // While it waits for them.
  bool final_ = false;
  bool completed_ = false;  // It says that it is.
  std::optional<uint64_t> log_copied_to_;
  std::string said_;  // The end of it.
  runtime::TaskGroup reader_;
};

}  // namespace tradewind::mariadb
