#include "mariadb/backup_import.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "mariadb/imported_accounts.h"
#include "mariadb/instance.h"
#include "mariadb/restored_copy.h"
#include "runtime/file_descriptor.h"
#include "runtime/off_core.h"
#include "runtime/process.h"

namespace tradewind::mariadb {
namespace {

using runtime::FileDescriptor;

tl::unexpected<Error> Torn(const std::string& why) {
  return Fail(ErrorKind::kInvalid, "BACKUP_TORN", "the end of the backup is missing: " + why,
              "back up again, and look whether mariadb-backup says completed OK!");
}

class BackupImport final : public Import {
 public:
  BackupImport(runtime::Core& core, ServerPrograms programs, Options options)
      : core_(core),
        programs_(std::move(programs)),
        options_(std::move(options)),
        folder_(core, options_.folder) {}

  Result<void> Start() override;
  Result<void> Write(Bytes bytes) override { return unpacking_->Write(bytes); }
  Result<void> Finish() override;
  void Interrupt() override { interrupted_ = true; }
  void End() override;

 private:
  // As much of the disk as it likes, as long as it is wanted.
  class WhileWanted final : public Allowance {
   public:
    explicit WhileWanted(const bool& interrupted) : interrupted_(interrupted) {}
    uint64_t allowed() const override { return UINT64_MAX; }
    void NoteUsed(uint64_t) override {}
    bool given_up() const override { return interrupted_; }

   private:
    const bool& interrupted_;
  };

  Result<void> CheckIsWhole();
  Result<void> TidyAccounts();
  Result<void> SettleAccounts();

  runtime::Core& core_;
  const ServerPrograms programs_;
  const Options options_;
  InstanceFolder folder_;
  BackupPrograms backup_programs_;
  std::string data_;
  bool interrupted_ = false;
  std::unique_ptr<Unpacking> unpacking_;
  std::unique_ptr<Instance> server_;
};

Result<void> BackupImport::Start() {
  TW_TRY_ASSIGN(backup_programs_, FindBackupPrograms(core_, programs_));
  TW_TRY_ASSIGN(data_, folder_.BeginCopy());
  TW_TRY_ASSIGN(unpacking_, Unpacking::Start(core_, backup_programs_, data_));
  return {};
}

// What says so comes last: "server_version = 10.11.19-MariaDB-0+deb12u1-log".
Result<void> BackupImport::CheckIsWhole() {
  const std::string text = runtime::OffCore(core_, [&]() -> std::string {
    for (const char* const name : {"/xtrabackup_info", "/mariadb_backup_info"}) {
      const FileDescriptor file(open((data_ + name).c_str(), O_RDONLY | O_CLOEXEC));
      if (file.get() >= 0) return runtime::ReadFrom(file);
    }
    return {};
  });
  const size_t at = text.find("server_version");
  const auto version =
      at == std::string::npos ? std::nullopt : Version::Find(text.substr(at, text.find('\n', at) - at));
  if (!version) return Torn("it does not say which server it is of");
  if (version->major == programs_.version.major && version->minor == programs_.version.minor) return {};
  return Fail(ErrorKind::kRefused, "MARIADB_VERSIONS_DIFFER",
              fmt::format("the backup is of MariaDB {}, and this node has {}", version->ToString(),
                          programs_.version.ToString()),
              "import a dump of it instead, which mariadb-dump makes");
}

Result<void> BackupImport::Finish() {
  if (const auto unpacked = std::exchange(unpacking_, nullptr)->Finish(); !unpacked)
    return Torn(unpacked.error().message);
  TW_TRY(CheckIsWhole());
  WhileWanted allowance(interrupted_);
  TW_TRY(PrepareData(core_, backup_programs_, data_, InstanceOptions().buffer_pool_bytes, allowance));
  TW_TRY(TidyAccounts());
  TW_TRY(folder_.FinishCopy());
  InstanceOptions server;
  server.folder = options_.folder;
  server.is_filled = true;
  server.given_up = [this] { return interrupted_; };
  TW_TRY_ASSIGN(server_,
                Instance::Open(core_, programs_, std::move(server), core_.Now() + limits::kInstanceStart));
  TW_TRY(SettleAccounts());
  // Killed, it would lose what it has not synced.
  if (std::exchange(server_, nullptr)->Stop(core_.Now() + limits::kInstanceStart) !=
      Instance::Ended::kCleanly)
    return Fail(ErrorKind::kInternal, "IMPORT_NOT_ENDED", "the server of the import did not end in time");
  return folder_.MakeDurable();
}

// Before it ever takes a connection.
Result<void> BackupImport::TidyAccounts() {
  std::vector<std::string> words{programs_.mariadbd,   "--no-defaults",     "--bootstrap",
                                 "--datadir=" + data_, "--tmpdir=" + data_, "--log-warnings=0"};
  if (geteuid() == 0) words.emplace_back("--user=root");
  TW_TRY_ASSIGN(const auto ran, runtime::RunProgram(core_, words, TakeServerPrivileges(),
                                                    core_.Now() + limits::kInstanceStart));
  if (ran.status == 0) return {};
  return Fail(ErrorKind::kInvalid, "BACKUP_UNUSABLE",
              fmt::format("no server starts with what was backed up; it said:\n{}",
                          ran.output.substr(ran.output.size() -
                                            std::min(ran.output.size(), limits::kInstanceLogBytes))),
              "import a dump instead, which mariadb-dump makes");
}

Result<void> BackupImport::SettleAccounts() {
  const runtime::TimePoint deadline = core_.Now() + limits::kInstanceStart;
  TW_TRY_ASSIGN(const auto control, server_->Connect(deadline));
  TW_TRY(GiveDatabasePrivileges(*control, deadline));
  return SettleDefiners(*control, deadline);
}

void BackupImport::End() {
  Interrupt();
  if (unpacking_) std::exchange(unpacking_, nullptr)->End();
  if (server_) std::exchange(server_, nullptr)->Stop(core_.Now());
  if (const auto removed = folder_.Remove(); !removed)
    log::warn("an import in {} is not removed: {}", folder_.path(), Describe(removed.error()));
}

}  // namespace

std::unique_ptr<Import> NewBackupImport(runtime::Core& core, const ServerPrograms& programs,
                                        Import::Options options) {
  return std::make_unique<BackupImport>(core, programs, std::move(options));
}

}  // namespace tradewind::mariadb
