#include "outside/outside_database.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "sqlite/error_code.h"
#include "sqlite/vfs.h"

namespace tradewind::outside {

namespace {

namespace files = std::filesystem;

constexpr int kBusyMs = 5'000;
constexpr int kBackupPages = 1'024;
constexpr size_t kWriteVersionAt = 18;  // https://sqlite.org/fileformat2.html, section 1.3: 2 is a WAL.

tl::unexpected<Error> Unreadable(const std::string& path, const std::string& why) {
  return Fail(ErrorKind::kInvalid, "FILE_UNREADABLE", "cannot open " + path + ": " + why,
              "name an SQLite file");
}

// 0 also when there is none.
uint64_t SizeOf(const std::string& path) {
  std::error_code failed;
  const uint64_t size = files::file_size(path, failed);
  return failed ? 0 : size;
}

bool Exists(const std::string& path) {
  std::error_code failed;
  return files::exists(path, failed);
}

class Handle {
 public:
  Handle() = default;
  ~Handle() { Close(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  int Open(const std::string& path, int flags, const char* vfs = "unix") {
    return sqlite3_open_v2(path.c_str(), &handle_, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
  }
  int Run(const char* sql) { return sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr); }
  void Close() { sqlite3_close(std::exchange(handle_, nullptr)); }
  sqlite3* get() const { return handle_; }

  // The descriptor is SQLite's: one of our own would drop its POSIX locks when it is closed.
  sqlite3_file* file() const {
    sqlite3_file* file = nullptr;
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return file;
  }
  Result<uint64_t> Size() const {
    sqlite3_int64 size = 0;
    if (const int code = file()->pMethods->xFileSize(file(), &size); code != SQLITE_OK)
      return Fail(sqlite::ErrorFromCode(code, sqlite3_errstr(code)));
    return static_cast<uint64_t>(size);
  }
  Result<size_t> Read(uint64_t offset, MutableBytes into) const {
    TW_TRY_ASSIGN(const uint64_t size, Size());
    const size_t bytes = offset < size ? std::min<size_t>(into.size(), size - offset) : 0;
    if (bytes == 0) return bytes;
    const int code = file()->pMethods->xRead(file(), into.data(), static_cast<int>(bytes),
                                             static_cast<sqlite3_int64>(offset));
    if (code != SQLITE_OK) return Fail(sqlite::ErrorFromCode(code, sqlite3_errstr(code)));
    return bytes;
  }

 private:
  sqlite3* handle_ = nullptr;
};

Error Explained(const std::string& path, int code) {
  const std::string why = sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {
          ErrorKind::kUnavailable, "DATABASE_IN_USE", path + " is locked by a program that writes to it",
          "end that program, or try again when it has committed; if a node of this cluster serves the file, "
          "copy the tenant with tradewind tenant export"};
    case SQLITE_NOTADB:
      return {ErrorKind::kInvalid, "NOT_A_DATABASE", path + " is no SQLite database, or is encrypted",
              "import a file that sqlite3 can open"};
    case SQLITE_CORRUPT:
      return {
          ErrorKind::kInvalid, "DATABASE_DAMAGED", "the database in " + path + " is damaged: " + why,
          "copy it with sqlite3's .backup or VACUUM INTO while nothing else writes to it, and import that"};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return {
          ErrorKind::kInvalid, "DATABASE_INTERRUPTED",
          "what lies beside " + path +
              " (its -journal or -wal) has to be dealt with before it can be read: " + why,
          "open it once with its own program or with sqlite3, which does that, or copy it together with the "
          "files beside it to where you may write; then import it"};
    default: return sqlite::ErrorFromCode(code, "cannot read " + path + ": " + why);
  }
}

// A transaction of a connection that reads. PRAGMA schema_version needs no more of the database than its
// first page: what is wrong with the rest is for the check at the node to say.
Result<void> BeginToRead(const std::string& path, Handle& handle) {
  // With nothing beside the file there is nothing that a writing connection would write, and unlike a reading
  // one it takes a log away again that it had to make in order to read.
  const bool has_more = SizeOf(path + "-wal") > 0 || SizeOf(path + "-journal") > 0;
  int code = handle.Open(path, has_more ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
  if (code == SQLITE_OK) code = sqlite3_busy_timeout(handle.get(), kBusyMs);
  if (code == SQLITE_OK)
    code = handle.Run("PRAGMA query_only=1; PRAGMA mmap_size=0; BEGIN; PRAGMA schema_version");
  if (code == SQLITE_OK) return {};
  return Fail(Explained(path, code));
}

// What a log under another name holds cannot be seen from here. To be asked before SQLite makes a log here.
Result<void> CheckNames(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 || status.st_nlink <= 1 || Exists(path + "-wal")) return {};
  Handle handle;
  std::array<std::byte, kWriteVersionAt + 1> header{};
  if (const int code = handle.Open(path, SQLITE_OPEN_READONLY, "unix-none"); code != SQLITE_OK)
    return Fail(Explained(path, code));
  TW_TRY(handle.Read(0, header));
  if (header[kWriteVersionAt] != std::byte{2}) return {};
  return Fail(ErrorKind::kInvalid, "DATABASE_HAS_OTHER_NAMES",
              path + " has another name (a hard link), beside which its newest commits may be",
              "import it by the name that its program uses, or import a copy of it");
}

class FileAsItIs final : public OutsideDatabase {
 public:
  FileAsItIs(std::unique_ptr<Handle> handle, uint64_t size) : handle_(std::move(handle)), size_(size) {}
  uint64_t size_bytes() const override { return size_; }
  Result<size_t> Read(uint64_t offset, MutableBytes into) override { return handle_->Read(offset, into); }

 private:
  const std::unique_ptr<Handle> handle_;
  const uint64_t size_;
};

// A new file that nobody else finds.
Result<std::string> TemporaryFile() {
  const char* wanted = std::getenv("TMPDIR");
  std::error_code failed;
  const std::string folder =
      wanted && *wanted ? wanted : (files::is_directory("/var/tmp", failed) ? "/var/tmp" : "/tmp");
  std::string path = folder + "/tradewind-import-XXXXXX";
  const int descriptor = ::mkstemp(path.data());
  if (descriptor < 0)
    return Fail(ErrorKind::kIo, "TEMPORARY_FOLDER_UNUSABLE",
                "cannot make a file in " + folder + ": " + std::generic_category().message(errno),
                "name a folder with room for a copy of the database in the variable TMPDIR");
  ::close(descriptor);
  return path;
}

Result<std::unique_ptr<OutsideDatabase>> Copy(const std::string& path, const Handle& from) {
  TW_TRY_ASSIGN(const std::string name, TemporaryFile());
  auto copy = std::make_unique<Handle>();
  int code = copy->Open(name, SQLITE_OPEN_READWRITE);
  std::error_code failed;
  files::remove(name, failed);  // It lives as long as it is open, whatever ends this program.
  if (code == SQLITE_OK) code = copy->Run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
  sqlite3_backup* backup =
      code == SQLITE_OK ? sqlite3_backup_init(copy->get(), "main", from.get(), "main") : nullptr;
  if (backup) {
    while ((code = sqlite3_backup_step(backup, kBackupPages)) == SQLITE_OK) {
    }
    const int finished = sqlite3_backup_finish(backup);
    code = code == SQLITE_DONE ? finished : code;
  } else if (code == SQLITE_OK) {
    code = sqlite3_errcode(copy->get());
  }
  if ((code & 0xff) == SQLITE_FULL)
    return Fail(
        ErrorKind::kTooLarge, "DISK_FULL", "no room for the copy that is made because " + path + " has a log",
        "name a folder with more room in the variable TMPDIR, or end the program that uses the database");
  if (code != SQLITE_OK) return Fail(Explained(path, code));
  TW_TRY_ASSIGN(const uint64_t size, copy->Size());
  return std::make_unique<FileAsItIs>(std::move(copy), size);
}

}  // namespace

Result<std::unique_ptr<OutsideDatabase>> OutsideDatabase::Open(const std::string& given) {
  sqlite::InitializeSqlite();
  std::error_code failed;
  // As SQLite: what lies beside a database lies beside the file, not beside a link to it.
  const std::string path = files::canonical(given, failed).string();
  if (failed) return Unreadable(given, failed.message());
  if (!files::is_regular_file(path, failed)) return Unreadable(given, "it is no file");
  // SQLite would remove the log of an empty file.
  if (SizeOf(path) == 0)
    return Fail(ErrorKind::kInvalid, "IMPORT_EMPTY", "an empty file is no SQLite database",
                "make an empty tenant with tradewind tenant create");
  TW_TRY(CheckNames(path));
  auto handle = std::make_unique<Handle>();
  TW_TRY(BeginToRead(path, *handle));
  // A log that is empty now was so when the transaction began: it is emptied only when nobody needs it.
  if (SizeOf(path + "-wal") > 0) return Copy(path, *handle);
  TW_TRY_ASSIGN(const uint64_t size, handle->Size());
  return std::make_unique<FileAsItIs>(std::move(handle), size);
}

}  // namespace tradewind::outside
