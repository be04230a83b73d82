#include "runtime/real_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "runtime/descriptors.h"
#include "runtime/fiber.h"

namespace tradewind::runtime {

namespace {

tl::unexpected<Error> DiskError(int error, const std::string& what, const std::string& path) {
  const std::string message = "cannot " + what + " " + path + ": " + std::generic_category().message(error);
  switch (error) {
    case ENOENT: return Fail(ErrorKind::kNotFound, "FILE_NOT_FOUND", message);
    case EEXIST: return Fail(ErrorKind::kExists, "FILE_EXISTS", message);
    case ENOSPC:
    case EDQUOT:
      return Fail(ErrorKind::kTooLarge, "DISK_FULL", message, "free space on the disk that holds it");
    case EACCES:
    case EPERM:
    case EROFS:
      return Fail(ErrorKind::kIo, "DISK_NO_PERMISSION", message, "give this user the right to use it");
    case EMFILE:
    case ENFILE:
      return Fail(ErrorKind::kUnavailable, std::string(kTooManyFilesCode), message,
                  "try again; raise the limit of open files (ulimit -n) if that happens often");
    default: return Fail(ErrorKind::kIo, "DISK_IO", message);
  }
}

bool IsShortOfDescriptors(int error) {
  return error == EMFILE || error == ENFILE;
}

// What `open` returns, which is a descriptor, or -1 and errno; made again while there is no descriptor for it. Suspends
// then.
template <typename Open>
int OpenWithPatience(Core& core, const Open& open) {
  int descriptor = open();
  if (descriptor >= 0 || !IsShortOfDescriptors(errno)) return descriptor;
  const int error = errno;
  const TimePoint deadline = core.Now() + limits::kDescriptorWait;
  while (core.descriptors().AwaitRoom(deadline)) {
    descriptor = open();
    if (descriptor >= 0 || !IsShortOfDescriptors(errno)) return descriptor;
  }
  errno = error;
  return -1;
}

// Fsync has no form that does not block.
Result<void> SyncOffCore(Core& core, int descriptor, int (*sync)(int), const std::string& path) {
  int error = 0;
  core.RunOffCore([&] {
    if (sync(descriptor) != 0) error = errno;
  });
  if (error != 0) return DiskError(error, "sync", path);
  return {};
}

class RealFile final : public File {
 public:
  RealFile(Core& core, int descriptor, std::string path)
      : core_(core), descriptor_(descriptor), path_(std::move(path)) {}
  ~RealFile() override { ::close(descriptor_); }
  RealFile(const RealFile&) = delete;
  RealFile& operator=(const RealFile&) = delete;

  Result<size_t> Read(uint64_t offset, MutableBytes into) override;
  Result<void> Write(uint64_t offset, Bytes bytes) override;
  Result<void> Truncate(uint64_t size) override;
  Result<uint64_t> Size() override;
  Result<void> Sync() override { return SyncOffCore(core_, descriptor_, ::fdatasync, path_); }
  void StartWriteback() override {
    core_.RunOffCore([this] { ::sync_file_range(descriptor_, 0, 0, SYNC_FILE_RANGE_WRITE); });
  }
  Result<void> WriteBack(std::span<const Range> ranges) override;
  Result<void> Lock(Range range) override;

 private:
  // How a read that must not wait is done here; some file systems cannot tell whether it would.
  enum class CachedReads { kNoWait, kNeverWait, kUnknown };

  CachedReads WithoutNoWait() const;
  Result<size_t> ReadBlocking(uint64_t offset, MutableBytes into);

  Core& core_;
  const int descriptor_;
  const std::string path_;
  CachedReads cached_reads_ = CachedReads::kNoWait;
};

Result<size_t> RealFile::Read(uint64_t offset, MutableBytes into) {
  size_t done = 0;
  while (done < into.size() && cached_reads_ == CachedReads::kNoWait) {
    iovec part{into.data() + done, into.size() - done};
    const ssize_t count = ::preadv2(descriptor_, &part, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
    if (count == 0) return done;
    if (count > 0) {
      done += static_cast<size_t>(count);
    } else if (errno == EOPNOTSUPP) {
      cached_reads_ = WithoutNoWait();
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return DiskError(errno, "read", path_);
    }
  }
  if (done == into.size()) return done;

  const MutableBytes rest = into.subspan(done);
  Result<size_t> count = size_t{0};
  if (cached_reads_ == CachedReads::kNeverWait)
    count = ReadBlocking(offset + done, rest);
  else
    core_.RunOffCore([&] { count = ReadBlocking(offset + done, rest); });
  if (!count) return count;
  return done + *count;
}

// Files in memory are always cached; elsewhere, nobody knows.
RealFile::CachedReads RealFile::WithoutNoWait() const {
  struct statfs system = {};
  if (::fstatfs(descriptor_, &system) != 0) return CachedReads::kUnknown;
  return system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC ? CachedReads::kNeverWait
                                                                      : CachedReads::kUnknown;
}

Result<size_t> RealFile::ReadBlocking(uint64_t offset, MutableBytes into) {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t count =
        ::pread(descriptor_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (count == 0) break;
    if (count > 0)
      done += static_cast<size_t>(count);
    else if (errno != EINTR)
      return DiskError(errno, "read", path_);
  }
  return done;
}

Result<void> RealFile::Write(uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) continue;
      return DiskError(errno, "write", path_);
    }
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

Result<void> RealFile::Truncate(uint64_t size) {
  while (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0)
    if (errno != EINTR) return DiskError(errno, "set the size of", path_);
  return {};
}

// All at once, and then for each.
Result<void> RealFile::WriteBack(std::span<const Range> ranges) {
  int error = 0;
  core_.RunOffCore([&] {
    for (const unsigned how : {SYNC_FILE_RANGE_WRITE, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                                          SYNC_FILE_RANGE_WAIT_AFTER})
      for (const Range& range : ranges)
        if (::sync_file_range(descriptor_, static_cast<off_t>(range.offset), static_cast<off_t>(range.bytes),
                              how) != 0)
          error = errno;
  });
  // Not every file system can; then the sync has more to do.
  if (error == 0 || error == ESPIPE || error == EINVAL || error == ENOSYS) return {};
  return DiskError(error, "write back", path_);
}

Result<void> RealFile::Lock(Range range) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(range.offset);
  lock.l_len = static_cast<off_t>(range.bytes);
  if (::fcntl(descriptor_, F_OFD_SETLK, &lock) == 0) return {};
  const int error = errno;
  if (error == EAGAIN || error == EACCES) {
    // A holder in another container, or one with a lock of this kind, has no number.
    const bool known =
        ::fcntl(descriptor_, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0;
    return Fail(ErrorKind::kUnavailable, "FILE_LOCKED",
                (known ? "process " + std::to_string(lock.l_pid) : std::string("another process")) +
                    " holds a lock on " + path_);
  }
  if (error == EINVAL || error == ENOLCK || error == ENOSYS || error == EOPNOTSUPP) return {};
  return DiskError(error, "lock", path_);
}

Result<uint64_t> RealFile::Size() {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) return DiskError(errno, "look at", path_);
  return static_cast<uint64_t>(status.st_size);
}

class RealDisk final : public Disk {
 public:
  explicit RealDisk(Core& core) : core_(core) { KeepSpare(); }
  ~RealDisk() override { ::close(spare_); }
  RealDisk(const RealDisk&) = delete;
  RealDisk& operator=(const RealDisk&) = delete;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Result<bool> Exists(const std::string& path) override;
  Result<void> Remove(const std::string& path) override;
  Result<void> Rename(const std::string& from, const std::string& to) override;
  Result<void> CreateFolders(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& path) override;
  Result<void> SyncDirectory(const std::string& path) override;
  Result<uint64_t> FreeBytes(const std::string& path) override;

 private:
  int OpenFolder(const std::string& path, bool& borrowed);
  void KeepSpare() { spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

  Core& core_;
  // Lent for the moment in which a folder is synced, when no other descriptor is left: what waits for that sync may
  // be a commit, or what makes room for everybody else.
  int spare_ = -1;
  bool spare_in_use_ = false;
  WaitQueue spare_free_;
};

Result<std::unique_ptr<File>> RealDisk::Open(const std::string& path, OpenMode mode) {
  int flags = O_RDWR | O_CLOEXEC;
  if (mode != OpenMode::kExisting) flags |= O_CREAT;
  if (mode == OpenMode::kCreateExclusive) flags |= O_EXCL;
  const int descriptor =
      OpenWithPatience(core_, [&] { return ::open(path.c_str(), flags, S_IRUSR | S_IWUSR); });
  if (descriptor < 0) return DiskError(errno, "open", path);
  return std::make_unique<RealFile>(core_, descriptor, path);
}

Result<bool> RealDisk::Exists(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return DiskError(errno, "look at", path);
}

Result<void> RealDisk::Remove(const std::string& path) {
  int error = 0;
  // To give back the blocks of a large file takes a fraction of a second.
  core_.RunOffCore([&] {
    if (::remove(path.c_str()) != 0) error = errno;
  });
  if (error == 0 || error == ENOENT) return {};
  return DiskError(error, "remove", path);
}

Result<void> RealDisk::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return DiskError(errno, "rename", from + " to " + to);
  return {};
}

Result<void> RealDisk::CreateFolders(const std::string& path) {
  std::filesystem::path made;
  for (const auto& part : std::filesystem::path(path)) {
    made /= part;
    if (::mkdir(made.c_str(), S_IRWXU) == 0 || errno == EEXIST) continue;
    const int error = errno;
    std::error_code unknown;
    if (!std::filesystem::is_directory(made, unknown)) return DiskError(error, "create the folder", path);
  }
  return {};
}

Result<std::vector<std::string>> RealDisk::List(const std::string& path) {
  const int descriptor =
      OpenWithPatience(core_, [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) return DiskError(errno, "list", path);
  DIR* const folder = ::fdopendir(descriptor);
  if (!folder) {
    const int error = errno;
    ::close(descriptor);
    return DiskError(error, "list", path);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int error = errno;
  ::closedir(folder);
  if (error != 0) return DiskError(error, "list", path);
  std::sort(names.begin(), names.end());
  return names;
}

// Whoever makes room for others syncs folders, so no relief is asked for here.
int RealDisk::OpenFolder(const std::string& path, bool& borrowed) {
  const TimePoint deadline = core_.Now() + limits::kDescriptorWait;
  const auto open = [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); };
  while (true) {
    int descriptor = open();
    if (descriptor >= 0 || !IsShortOfDescriptors(errno)) return descriptor;
    if (CurrentFiber()) WaitFor(spare_free_, [this] { return !spare_in_use_; });
    if (spare_ >= 0) ::close(std::exchange(spare_, -1));
    descriptor = open();
    borrowed = spare_in_use_ = descriptor >= 0;
    if (borrowed) return descriptor;
    const int error = errno;
    KeepSpare();
    errno = error;
    if (!IsShortOfDescriptors(error) || !CurrentFiber() || core_.Now() >= deadline) return descriptor;
    SleepFor(limits::kDescriptorPause);
  }
}

Result<void> RealDisk::SyncDirectory(const std::string& path) {
  bool borrowed = false;
  const int descriptor = OpenFolder(path, borrowed);
  if (descriptor < 0) return DiskError(errno, "open", path);
  Result<void> result = SyncOffCore(core_, descriptor, ::fsync, path);
  ::close(descriptor);
  if (!borrowed) return result;
  KeepSpare();
  spare_in_use_ = false;
  spare_free_.NotifyAll();
  return result;
}

Result<uint64_t> RealDisk::FreeBytes(const std::string& path) {
  struct statvfs status = {};
  if (::statvfs(path.c_str(), &status) != 0) return DiskError(errno, "look at", path);
  return uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace

std::unique_ptr<Disk> MakeRealDisk(Core& core) {
  return std::make_unique<RealDisk>(core);
}

}  // namespace tradewind::runtime
