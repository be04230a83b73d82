#include "mariadb/instance_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "runtime/file_descriptor.h"
#include "runtime/off_core.h"
#include "runtime/random_id.h"

namespace tradewind::mariadb {
namespace {

namespace fs = std::filesystem;
using runtime::FileDescriptor;
using runtime::OffCore;

constexpr uint32_t kFormat = 1;  // Of the folder's own files.

// By calls of the system and not by Core::disk(): this is what another program works on, whose modes and owners matter,
// and where there is no such program (a simulation) there is no instance.

tl::unexpected<Error> DiskError(const std::string& what, const std::string& path, int error) {
  const std::string message = fmt::format("{} could not be {}: {}", path, what, std::strerror(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    return Fail(ErrorKind::kTooLarge, "DISK_FULL", message, "make room on the node's disk");
  return Fail(ErrorKind::kIo, "DISK_IO", message);
}

// What the file has from there on; nothing of one that cannot be read.
std::string ReadText(const std::string& path, uint64_t from = 0) {
  return runtime::ReadFrom(FileDescriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC)), from);
}

Result<void> SyncPath(const std::string& path) {
  const FileDescriptor descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0 || fsync(descriptor.get()) != 0) return DiskError("made durable", path, errno);
  return {};
}

// Whole or as before, and durable.
Result<void> ReplaceFile(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  {
    const FileDescriptor descriptor(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (descriptor.get() < 0) return DiskError("made", fresh, errno);
    const ssize_t written = write(descriptor.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size()))
      return DiskError("written", fresh, written < 0 ? errno : ENOSPC);
    if (fsync(descriptor.get()) != 0) return DiskError("made durable", fresh, errno);
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return DiskError("replaced", path, errno);
  return SyncPath(fs::path(path).parent_path());
}

Result<void> MakePrivateFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0) return DiskError("made", path, errno);
  return {};
}

Result<void> RemoveAll(const std::string& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  if (failed) return DiskError("removed", path, failed.value());
  return {};
}

// Not by std::filesystem: that says of a full disk that there was an input or output error.
Result<void> CopyFile(const std::string& from, const std::string& to) {
  const FileDescriptor source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (source.get() < 0) return DiskError("read", from, errno);
  const FileDescriptor target(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (target.get() < 0) return DiskError("made", to, errno);
  std::vector<char> piece(256u << 10);
  for (;;) {
    const ssize_t got = read(source.get(), piece.data(), piece.size());
    if (got == 0) break;
    if (got < 0) return DiskError("read", from, errno);
    for (ssize_t written = 0; written < got;) {
      const ssize_t more = write(target.get(), piece.data() + written, static_cast<size_t>(got - written));
      if (more < 0) return DiskError("written", to, errno);
      written += more;
    }
  }
  // The disk begins with it while the next one is copied.
  sync_file_range(target.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
  return {};
}

Result<void> CopyFolder(const std::string& from, const std::string& to) {
  TW_TRY(MakePrivateFolder(to));
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(from, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const std::string target = to + entry->path().string().substr(from.size());
    if (entry->is_directory()) {
      TW_TRY(MakePrivateFolder(target));
    } else {
      TW_TRY(CopyFile(entry->path(), target));
    }
  }
  if (failed) return DiskError("read", from, failed.value());
  return {};
}

Result<void> SyncFolder(const std::string& path) {
  std::vector<std::string> all{path};
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(path, failed), end; !failed && entry != end;
       entry.increment(failed))
    all.push_back(entry->path());
  if (failed) return DiskError("listed", path, failed.value());
  for (const std::string& each : all) TW_TRY(SyncPath(each));
  return {};
}

// Gives what is whole in `made` its name, durably. A folder that has the name already stays: EEXIST, ENOTEMPTY.
Result<void> Publish(const std::string& made, const std::string& path) {
  TW_TRY(SyncFolder(made));
  if (std::rename(made.c_str(), path.c_str()) != 0) return DiskError("given its name", path, errno);
  return SyncPath(fs::path(path).parent_path());
}

// All of it but its data.
Result<void> BeginFolder(const std::string& made, const std::string& path, const std::string& control) {
  if (fs::exists(path))
    return Fail(ErrorKind::kExists, "INSTANCE_EXISTS",
                fmt::format("there is an instance in {} already", path));
  TW_TRY(RemoveAll(made));
  TW_TRY(MakePrivateFolder(made));
  TW_TRY(MakePrivateFolder(made + "/temporary"));
  return ReplaceFile(made + "/control", control);
}

}  // namespace

// Absolute: the server's own folder is its data folder.
InstanceFolder::InstanceFolder(runtime::Core& core, const std::string& path)
    : core_(core), path_(fs::absolute(path).lexically_normal()) {}

Result<std::string> InstanceFolder::EnsureTemplate(runtime::Core& core, const ServerPrograms& programs,
                                                   const std::string& templates) {
  const std::string path = fs::absolute(fmt::format("{}/{}", templates, programs.version.ToString()));
  if (OffCore(core, [&] { return fs::exists(path); })) return path;
  const std::string made = fmt::format("{}.{}.making", path, runtime::RandomId(core));
  // Its own: a server that starts removes what looks like a temporary table of an earlier one, whoever's it is.
  const std::string temporary = made + ".temporary";
  TW_TRY(OffCore(core, [&]() -> Result<void> {
    std::error_code failed;
    fs::create_directories(templates, failed);
    if (failed) return DiskError("made", templates, failed.value());
    if (auto first = MakePrivateFolder(temporary); !first) return first;
    return MakePrivateFolder(made);
  }));
  const auto run = [&](std::vector<std::string> words, std::string_view input) -> Result<void> {
    const std::string program = words.front();
    words.insert(words.begin() + 1, "--no-defaults");
    words.insert(words.end(), {"--datadir=" + made, "--tmpdir=" + temporary, "--innodb-log-file-size=4M",
                               "--innodb-undo-tablespaces=0"});
    if (geteuid() == 0) words.emplace_back("--user=root");
    TW_TRY_ASSIGN(const auto ran,
                  runtime::RunProgram(core, words, input, core.Now() + limits::kInstanceTemplate));
    if (ran.status == 0) return {};
    const std::string said =
        ran.output.substr(ran.output.size() - std::min(ran.output.size(), limits::kInstanceLogBytes));
    return Fail(
        ErrorKind::kInternal, "TEMPLATE_NOT_MADE",
        fmt::format("{} made no data folder: it ended with {} and said:\n{}", program, ran.status, said));
  };
  const auto make = [&]() -> Result<void> {
    TW_TRY(run({programs.install_db, "--skip-test-db", "--auth-root-authentication-method=socket",
                "--skip-name-resolve"},
               ""));
    // root and the account of who made it would be let in by a socket without a password. Views of sys run as the one
    // that stays, to which nobody can log in.
    TW_TRY(run({programs.mariadbd, "--bootstrap"},
               "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';\n"
               "DELETE FROM mysql.proxies_priv;\n"));
    return OffCore(core, [&] { return Publish(made, path); });
  };
  const auto result = make();
  TW_TRY(OffCore(core, [&] { return RemoveAll(temporary); }));
  if (result) return path;
  TW_TRY(OffCore(core, [&] { return RemoveAll(made); }));
  if (OffCore(core, [&] { return fs::exists(path); })) return path;  // Somebody else's was faster.
  return Fail(result.error());
}

std::string InstanceFolder::NewControl() {
  uint32_t server_id = 0;
  while (server_id == 0) core_.FillRandom(std::as_writable_bytes(std::span(&server_id, 1)));
  return fmt::format("format {}\npassword {}\nserver_id {}\n", kFormat, runtime::RandomId(core_), server_id);
}

Result<void> InstanceFolder::Make(const std::string& data_template) {
  return OffCore(core_, [&, control = NewControl()]() -> Result<void> {
    const auto make = [&]() -> Result<void> {
      TW_TRY(BeginFolder(making(), path_, control));
      TW_TRY(CopyFolder(data_template, making() + "/data"));
      return Publish(making(), path_);
    };
    const auto result = make();
    if (!result) TW_TRY(RemoveAll(making()));
    return result;
  });
}

Result<std::string> InstanceFolder::BeginCopy() {
  return OffCore(core_, [&, control = NewControl()]() -> Result<std::string> {
    TW_TRY(BeginFolder(making(), path_, control));
    const std::string data = making() + "/data";
    TW_TRY(MakePrivateFolder(data));
    return data;
  });
}

Result<void> InstanceFolder::FinishCopy() {
  return OffCore(core_, [&]() -> Result<void> {
    // What another program made has the modes that it is used to.
    std::error_code failed;
    std::error_code refused;
    for (fs::recursive_directory_iterator entry(making() + "/data", failed), end; !failed && entry != end;
         entry.increment(failed)) {
      const fs::perms modes = entry->is_directory(refused) ? fs::perms::owner_all
                                                           : fs::perms::owner_read | fs::perms::owner_write;
      if (!refused) fs::permissions(entry->path(), modes, refused);
      if (refused) return DiskError("given its modes", entry->path().string(), refused.value());
    }
    if (failed) return DiskError("listed", making(), failed.value());
    return Publish(making(), path_);
  });
}

void InstanceFolder::WriteBackCopy() {
  core_.RunOffCore([&] {
    std::error_code failed;
    for (fs::recursive_directory_iterator entry(making() + "/data", failed), end; !failed && entry != end;
         entry.increment(failed)) {
      const FileDescriptor file(open(entry->path().c_str(), O_RDONLY | O_CLOEXEC));
      if (file.get() >= 0) sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    }
  });
}

Result<void> InstanceFolder::WriteNote(std::string_view text) {
  return OffCore(core_, [&] { return ReplaceFile(path_ + "/note", text); });
}

std::optional<std::string> InstanceFolder::ReadNote() {
  return OffCore(core_, [&]() -> std::optional<std::string> {
    if (!fs::exists(path_ + "/note")) return std::nullopt;
    return ReadText(path_ + "/note");
  });
}

Result<void> InstanceFolder::RemoveNote() {
  return OffCore(core_, [&]() -> Result<void> {
    TW_TRY(RemoveAll(path_ + "/note"));
    return SyncPath(path_);
  });
}

Result<void> InstanceFolder::MakeDurable() {
  return OffCore(core_, [&] { return SyncFolder(path_); });
}

Result<void> InstanceFolder::Remove() {
  return OffCore(core_, [&]() -> Result<void> {
    // Without its name first: a crash leaves no half of an instance that could be taken for one.
    TW_TRY(RemoveAll(making()));
    if (std::rename(path_.c_str(), making().c_str()) != 0 && errno != ENOENT)
      return DiskError("removed", path_, errno);
    TW_TRY(SyncPath(fs::path(path_).parent_path()));
    return RemoveAll(making());
  });
}

Result<Control> InstanceFolder::ReadControl() {
  return OffCore(core_, [&]() -> Result<Control> {
    if (!fs::exists(path_))
      return Fail(ErrorKind::kNotFound, "INSTANCE_NOT_FOUND",
                  fmt::format("there is no instance in {}", path_));
    std::istringstream text(ReadText(path_ + "/control"));
    Control control;
    std::string word;
    text >> word;
    if (word == "format") {
      uint32_t format = 0;
      text >> format >> word;
      if (format > kFormat)
        return Fail(
            ErrorKind::kCorrupt, "INSTANCE_FORMAT",
            fmt::format(
                "a later version of tradewind wrote the folder {}: format {}, and this one reads up to {}",
                path_, format, kFormat),
            "start that version again, and move the tenant away with it if this one is to stay");
    }
    text >> control.password >> word >> control.server_id;
    if (!text || !runtime::IsRandomId(control.password) || control.server_id == 0 ||
        !fs::is_directory(data()))
      return Fail(ErrorKind::kCorrupt, "INSTANCE_DAMAGED",
                  fmt::format("the folder {} lacks its file control or its folder data", path_),
                  "put back what was removed from it, or delete the tenant and restore it from a backup");
    return control;
  });
}

Result<void> InstanceFolder::WriteAccount(const Control& control) {
  // One statement a line. Not in the binary log: the account is this copy's, and no replica's.
  const std::string account = fmt::format("'{}'@'127.0.0.1'", kControlUser);
  const std::string text = fmt::format(
      "SET SESSION sql_log_bin = 0;\n"
      "CREATE OR REPLACE USER {0} IDENTIFIED VIA mysql_native_password USING PASSWORD('{1}');\n"
      "GRANT ALL PRIVILEGES ON *.* TO {0} WITH GRANT OPTION;\n",
      account, control.password);
  return OffCore(core_, [&] { return ReplaceFile(this->account(), text); });
}

Result<std::string> InstanceFolder::WriteLogin(std::string_view user, std::string_view password,
                                               uint16_t port) {
  const std::string path = path_ + "/login.cnf";
  TW_TRY(OffCore(core_, [&] {
    return ReplaceFile(path, fmt::format("[client]\nuser={}\npassword={}\nhost=127.0.0.1\nport={}\n"
                                         "protocol=tcp\n",
                                         user, password, port));
  }));
  return path;
}

std::optional<RunningServer> InstanceFolder::ReadRunning() {
  return OffCore(core_, [&]() -> std::optional<RunningServer> {
    std::istringstream text(ReadText(path_ + "/process"));
    RunningServer running;
    text >> running.process.pid >> running.process.start_time >> running.process.boot >> running.port;
    if (!text) return std::nullopt;
    return running;
  });
}

Result<void> InstanceFolder::WriteRunning(const RunningServer& running) {
  return OffCore(core_, [&] {
    return ReplaceFile(path_ + "/process",
                       fmt::format("{} {} {} {}\n", running.process.pid, running.process.start_time,
                                   running.process.boot, running.port));
  });
}

pid_t InstanceFolder::LockHolder() {
  return OffCore(core_, [&]() -> pid_t {
    // Aria locks the first when it starts, and InnoDB the second.
    for (const char* const name : {"/aria_log_control", "/ibdata1"}) {
      const FileDescriptor file(open((data() + name).c_str(), O_RDWR | O_CLOEXEC));
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      if (file.get() >= 0 && fcntl(file.get(), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK &&
          lock.l_pid > 0)
        return lock.l_pid;
    }
    return 0;
  });
}

uint64_t InstanceFolder::LogSize() {
  return OffCore(core_, [&]() -> uint64_t {
    std::error_code missing;
    const uint64_t size = fs::file_size(log(), missing);
    return missing ? 0 : size;
  });
}

std::string InstanceFolder::LogTail(uint64_t from) {
  return OffCore(core_, [&]() -> std::string {
    std::error_code missing;
    const uint64_t size = fs::file_size(log(), missing);
    if (missing) return {};
    from = std::max(std::min(from, size), size - std::min<uint64_t>(size, limits::kInstanceLogBytes));
    return ReadText(log(), from);
  });
}

}  // namespace tradewind::mariadb
