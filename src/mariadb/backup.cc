#include "mariadb/backup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/off_core.h"
#include "runtime/program_pipe.h"

namespace tradewind::mariadb {
namespace {

// A third of what somebody else has who wants a processor.
constexpr int kCopyNiceness = 5;

}  // namespace

Result<RedoLog> ReadRedoLog(KeptConnection& connection, runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(
      const auto answer,
      connection.Query("SELECT variable_value, @@innodb_log_file_size FROM "
                       "information_schema.global_status WHERE variable_name = 'INNODB_LSN_CURRENT'",
                       deadline));
  RedoLog log;
  const auto read = [&](size_t column, uint64_t& into) {
    if (answer.rows.empty() || answer.rows[0].size() <= column || !answer.rows[0][column]) return false;
    const std::string& text = *answer.rows[0][column];
    return std::from_chars(text.data(), text.data() + text.size(), into).ec == std::errc();
  };
  if (!read(0, log.written_to) || !read(1, log.capacity_bytes))
    return Fail(ErrorKind::kCorrupt, "MYSQL_NO_VALUE", "the server says nothing of its redo log");
  return log;
}

uint64_t DataBytes(runtime::Core& core, const InstanceFolder& folder) {
  namespace fs = std::filesystem;
  return runtime::OffCore(core, [path = folder.data()] {
    uint64_t bytes = 0;
    std::error_code failed;
    for (fs::recursive_directory_iterator entry(path, failed), end; !failed && entry != end;
         entry.increment(failed)) {
      std::error_code gone;
      // The binary log and temporary tables stay, and of the redo log only what is written meanwhile travels.
      const std::string name = entry->path().filename();
      if (name.starts_with("binlog.") || name.starts_with("ib_logfile") || name.starts_with("ibtmp"))
        continue;
      if (const uint64_t size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0; !gone)
        bytes += size;
    }
    return bytes;
  });
}

Result<std::unique_ptr<Backup>> Backup::Start(runtime::Core& core, const BackupPrograms& programs,
                                              Instance& instance, BackupOptions options) {
  TW_TRY_ASSIGN(const std::string login, instance.WriteLogin());
  TW_TRY_ASSIGN(auto output, runtime::MakeProgramPipe(core, "mariadb-backup"));
  TW_TRY_ASSIGN(auto messages, runtime::MakeProgramPipe(core, "mariadb-backup"));
  const InstanceFolder& folder = instance.folder();
  const int64_t interval =
      std::chrono::duration_cast<std::chrono::milliseconds>(options.log_interval).count();
  std::vector<std::string> words{
      programs.backup, "--defaults-file=" + login, "--backup", "--stream=mbstream",
      "--verbose",  // Otherwise it does not say how far it is in the redo log.
      fmt::format("--log-copy-interval={}", interval), "--datadir=" + folder.data(),
      // Not --startup-wait-timeout: with it the tool waits for a look at which no statement runs at all, and an
      // instance in use may never show one.
      "--target-dir=" + folder.temporary(), "--tmpdir=" + folder.temporary()};
  const int niceness = runtime::CanLowerNiceness() ? kCopyNiceness : 0;
  TW_TRY_ASSIGN(auto process, runtime::Process::Start(core, {.words = std::move(words),
                                                             .output = output.its->get(),
                                                             .errors = messages.its->get(),
                                                             .death_signal = SIGKILL,
                                                             .niceness = niceness}));
  std::unique_ptr<Backup> backup(
      new Backup(core, std::move(process), std::move(output.ours), std::move(messages.ours), options));
  Backup* const self = backup.get();
  backup->reader_.Spawn("mariadb-backup", [self] { self->ReadMessages(); });
  return backup;
}

Backup::Backup(runtime::Core& core, std::unique_ptr<runtime::Process> process,
               std::unique_ptr<runtime::Connection> output, std::unique_ptr<runtime::Connection> messages,
               const BackupOptions& options)
    : core_(core),
      process_(std::move(process)),
      output_(std::move(output)),
      messages_(std::move(messages)),
      lock_wait_(options.lock_wait),
      blocked_(options.blocked),
      reader_(core) {}

Backup::~Backup() {
  TW_CHECK(reader_.size() == 0, "a backup was ended before it goes");
}

Result<size_t> Backup::Read(MutableBytes into) {
  while (true) {
    // While it is not in them it waits for its reader at most. Pieces of the redo log may come while it waits for locks.
    output_->SetReadDeadline(std::min(core_.Now() + blocked_, locks_until_));
    const auto got = core_.Now() < locks_until_ ? output_->Read(into) : Blocked();
    if (got && *got > 0) return got;
    if (got) return AtEnd();
    if (got.error().kind != ErrorKind::kTimeout) return Fail(got.error());
    if (final_) return Blocked();
  }
}

// The end of what it said shows the stage that it is in.
Result<size_t> Backup::Blocked() const {
  constexpr size_t kLastWords = 400;
  return Fail(
      ErrorKind::kUnavailable, "BACKUP_BLOCKED",
      fmt::format("the backup does not come to its end: somebody's locks are in its way, or its redo log has "
                  "come round; mariadb-backup said at last:\n{}",
                  said_.substr(said_.size() - std::min(said_.size(), kLastWords))),
      "end long statements and LOCK TABLES");
}

Result<size_t> Backup::AtEnd() {
  process_->AwaitEnd(runtime::TimePoint::max());
  reader_.Join();
  if (process_->status() == 0 && completed_) return size_t{0};
  return Fail(ErrorKind::kUnavailable, "BACKUP_FAILED",
              fmt::format("mariadb-backup ended with {} and said at last:\n{}",
                          process_->status().value_or(-1), said_));
}

void Backup::ReadMessages() {
  std::string line;
  std::array<std::byte, 4096> piece{};
  while (true) {
    const auto got = messages_->Read(piece);
    if (!got || *got == 0) return;
    for (size_t at = 0; at < *got; ++at) {
      const char letter = static_cast<char>(piece[at]);
      if (letter != '\n' && line.size() < limits::kInstanceLogBytes) line += letter;
      if (letter != '\n') continue;
      TakeLine(line);
      line.clear();
    }
  }
}

// "[00] 2026-11-28 10:12:13 >> log scanned up to (12345)"
void Backup::TakeLine(const std::string& line) {
  constexpr std::string_view kScanned = "log scanned up to (";
  if (const size_t at = line.find(kScanned); at != std::string::npos) {
    uint64_t number = 0;
    const char* const from = line.data() + at + kScanned.size();
    if (std::from_chars(from, line.data() + line.size(), number).ec == std::errc()) log_copied_to_ = number;
    return;  // There are many of them.
  }
  // Whoever has tables locked (LOCK TABLES) is in the way of the last stages from their beginning on.
  if (line.find("Starting BACKUP STAGE START") != std::string::npos) {
    locks_until_ = core_.Now() + lock_wait_;
    process_->SetNiceness(0);
  }
  if (line.find("Acquired locks for BACKUP STAGE START") != std::string::npos)
    locks_until_ = runtime::TimePoint::max();
  if (line.find("BACKUP STAGE FLUSH") != std::string::npos) final_ = true;
  if (line.find("completed OK!") != std::string::npos) completed_ = true;
  said_ += line + "\n";
  if (said_.size() > limits::kInstanceLogBytes) said_.erase(0, said_.size() - limits::kInstanceLogBytes);
}

void Backup::End() {
  process_->EndAtOnce();
  output_->Close();
  reader_.Join();
}

}  // namespace tradewind::mariadb
