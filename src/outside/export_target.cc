#include "outside/export_target.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/path.h"
#include "runtime/random_id.h"
#include "sqlite/lock_bytes.h"

namespace tradewind::outside {
namespace {

namespace files = std::filesystem;

// What a signal that ends the program removes; half a copy is of no use to anybody.
std::array<char, 4'096> interrupted_file{};

void RemoveAndEnd(int number) {
  if (interrupted_file[0] != '\0') unlink(interrupted_file.data());
  std::signal(number, SIG_DFL);
  static_cast<void>(std::raise(number));
}

// Empty: nothing. Its first letter goes first and comes last, so that a signal finds a whole name or none.
void RemoveIfInterrupted(const std::string& path) {
  interrupted_file[0] = '\0';
  if (path.empty() || path.size() >= interrupted_file.size()) return;
  std::memcpy(interrupted_file.data() + 1, path.c_str() + 1, path.size());
  interrupted_file[0] = path[0];
}

tl::unexpected<Error> Unusable(const std::string& path, const std::string& why, std::string action) {
  return Fail(ErrorKind::kInvalid, "EXPORT_TARGET_UNUSABLE", "cannot export to " + path + ": " + why,
              std::move(action));
}

}  // namespace

Result<std::unique_ptr<ExportTarget>> ExportTarget::Open(runtime::Core& core, const std::string& given) {
  std::error_code failed;
  files::path path(given);
  // The file that a link leads to is replaced, not the link.
  if (files::exists(path, failed)) path = files::canonical(path, failed);
  if (failed) return Unusable(given, failed.message(), "name a file");
  if (path.filename().empty()) return Unusable(given, "it is no file", "name a file");
  if (!path.has_parent_path()) path = "." / path;
  std::unique_ptr<ExportTarget> target(new ExportTarget(core, path.string()));
  TW_TRY(target->CheckPlace());
  std::string partial = target->path_ + "." + runtime::RandomId(core).substr(0, 8) + ".partial";
  TW_TRY_ASSIGN(target->file_, core.disk().Open(partial, runtime::OpenMode::kCreateExclusive));
  target->partial_ = std::move(partial);
  RemoveIfInterrupted(target->partial_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, RemoveAndEnd);
  return target;
}

Result<void> ExportTarget::CheckPlace() {
  std::error_code failed;
  const std::string folder = FolderOf(path_);
  if (!files::is_directory(folder, failed))
    return Unusable(path_, "there is no folder " + folder, "make the folder first, or name another file");
  TW_TRY(CheckBeside());
  if (!files::exists(path_, failed)) return {};
  if (!files::is_regular_file(path_, failed)) return Unusable(path_, "it is no file", "name a file");
  TW_TRY_ASSIGN(replaced_, core_.disk().Open(path_, runtime::OpenMode::kExisting));
  Result<void> locked = replaced_->Lock(sqlite::kLockBytes);
  if (locked || locked.error().code != "FILE_LOCKED") return locked;
  return Fail(ErrorKind::kRefused, "EXPORT_TARGET_IN_USE",
              path_ + " is a database that a program has open: " + locked.error().message,
              "end that program, or name another file");
}

Result<void> ExportTarget::CheckBeside() const {
  for (const char* suffix : {"-wal", "-journal"}) {
    std::error_code failed;
    const uint64_t size = files::file_size(path_ + suffix, failed);
    if (failed || size == 0) continue;
    return Fail(
        ErrorKind::kRefused, "EXPORT_TARGET_HAS_LOG",
        fmt::format("{}{} belongs to another database; the next program that opens {} would apply it to "
                    "the copy",
                    path_, suffix, path_),
        "name another file; or, if you do not need what was there, remove that log first");
  }
  return {};
}

Result<void> ExportTarget::Commit() {
  TW_TRY(file_->Sync());
  TW_TRY(CheckBeside());
  TW_TRY(core_.disk().Rename(partial_, path_));
  RemoveIfInterrupted("");
  partial_.clear();
  return core_.disk().SyncDirectory(FolderOf(path_));
}

ExportTarget::~ExportTarget() {
  if (partial_.empty()) return;
  file_.reset();
  static_cast<void>(core_.disk().Remove(partial_));
  RemoveIfInterrupted("");
}

}  // namespace tradewind::outside
