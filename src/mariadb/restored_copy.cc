#include "mariadb/restored_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "runtime/fiber.h"
#include "runtime/off_core.h"
#include "runtime/program_pipe.h"

namespace tradewind::mariadb {
namespace {

using runtime::FileDescriptor;

// A third of what somebody else has who wants a processor: with much less a move would not end on a machine that is busy.
constexpr int kPrepareNiceness = 5;

std::string TailOf(const FileDescriptor& messages) {
  const std::string all = runtime::ReadFrom(messages);
  return all.substr(all.size() - std::min(all.size(), limits::kInstanceLogBytes));
}

}  // namespace

Result<std::unique_ptr<Unpacking>> Unpacking::Start(runtime::Core& core, const BackupPrograms& programs,
                                                    const std::string& folder) {
  TW_TRY_ASSIGN(auto input, runtime::MakeProgramPipe(core, "mbstream"));
  auto messages = std::make_unique<FileDescriptor>(memfd_create("messages", MFD_CLOEXEC));
  TW_TRY_ASSIGN(auto process, runtime::Process::Start(core, {.words = {programs.mbstream, "-x", "-C", folder},
                                                             .input = input.its->get(),
                                                             .output = messages->get(),
                                                             .errors = messages->get(),
                                                             .death_signal = SIGKILL}));
  return std::unique_ptr<Unpacking>(
      new Unpacking(std::move(process), std::move(input.ours), std::move(messages)));
}

Unpacking::Unpacking(std::unique_ptr<runtime::Process> process, std::unique_ptr<runtime::Connection> input,
                     std::unique_ptr<FileDescriptor> messages)
    : process_(std::move(process)), input_(std::move(input)), messages_(std::move(messages)) {}

Error Unpacking::Failure() {
  return {
      ErrorKind::kIo, "UNPACKING_FAILED",
      fmt::format("mbstream ended with {} and said: {}", process_->status().value_or(-1), TailOf(*messages_)),
      "look whether the node's disk is full"};
}

Result<void> Unpacking::Write(Bytes bytes) {
  if (input_->Write(bytes)) return {};
  End();
  return Fail(Failure());
}

Result<void> Unpacking::Finish() {
  input_->Close();
  process_->AwaitEnd(runtime::TimePoint::max());
  if (process_->status() == 0) return {};
  return Fail(Failure());
}

void Unpacking::End() {
  process_->EndAtOnce();
}

Result<void> PrepareData(runtime::Core& core, const BackupPrograms& programs, const std::string& folder,
                         uint64_t memory_bytes, Allowance& allowance) {
  const FileDescriptor messages(memfd_create("messages", MFD_CLOEXEC));
  TW_TRY_ASSIGN(const auto process,
                runtime::Process::Start(
                    core, {.words = {programs.backup, "--no-defaults", "--prepare",
                                     fmt::format("--use-memory={}", memory_bytes), "--target-dir=" + folder},
                           .output = messages.get(),
                           .errors = messages.get(),
                           .death_signal = SIGKILL,
                           .niceness = kPrepareNiceness}));
  bool stopped = false;
  while (!process->AwaitEnd(core.Now() + limits::kPrepareLook)) {
    if (allowance.given_up()) {
      process->EndAtOnce();
      return Fail(ErrorKind::kUnavailable, "PREPARE_GIVEN_UP", "the copy is not wanted any more");
    }
    const uint64_t used = process->disk_bytes().value_or(0);
    allowance.NoteUsed(used);
    if (const bool stop = used > allowance.allowed(); stop != std::exchange(stopped, stop))
      process->Signal(stop ? SIGSTOP : SIGCONT);
  }
  if (process->status() == 0) return {};
  return Fail(ErrorKind::kIo, "PREPARE_FAILED",
              fmt::format("mariadb-backup --prepare ended with {} and said at last:\n{}",
                          process->status().value_or(-1), TailOf(messages)),
              "the copy is made anew");
}

// "binlog.000002\t1234\t0-1-100", and no third field where nothing was ever written.
Result<GtidPosition> ReadBackupPosition(runtime::Core& core, const std::string& folder) {
  const std::string text = runtime::OffCore(core, [&]() -> std::string {
    for (const char* const name : {"/xtrabackup_binlog_info", "/mariadb_backup_binlog_info"}) {
      const FileDescriptor file(open((folder + name).c_str(), O_RDONLY | O_CLOEXEC));
      if (file.get() >= 0) return runtime::ReadFrom(file);
    }
    return {};
  });
  std::vector<std::string> fields(1);
  for (const char letter : text.substr(0, text.find('\n')))
    if (letter == '\t')
      fields.emplace_back();
    else
      fields.back() += letter;
  const auto position =
      fields.size() < 2 ? std::nullopt : GtidPosition::Parse(fields.size() > 2 ? fields[2] : "");
  if (position) return *position;
  return Fail(ErrorKind::kCorrupt, "BACKUP_POSITION_UNKNOWN",
              "the backup in " + folder + " does not say where it is in its source's binary log");
}

}  // namespace tradewind::mariadb
