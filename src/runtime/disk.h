// Files, as fibers see them. What has been written is durable only once Sync() of the file has returned
// success, and a created, renamed or removed name only once SyncDirectory() of its folder has. The simulated
// disk loses, on a crash, everything else.
//
// A failed Sync is final: the kernel may have dropped the pages, so it must not be retried and the file's
// owner goes down.
//
// A call that needs a file descriptor when none is left suspends until there is one (descriptors.h); after
// limits::kDescriptorWait it fails with TOO_MANY_FILES (kUnavailable), and has done nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tradewind::runtime {

class File {
 public:
  virtual ~File() = default;
  // Fills `into` from `offset`; returns how many bytes there were (fewer only at the end of the file). May
  // suspend: bytes that are not cached are read off-core. Bytes of holes are zero.
  virtual Result<size_t> Read(uint64_t offset, MutableBytes into) = 0;
  // Writes all of it and never suspends. Fails with code DISK_FULL (kTooLarge) or kIo.
  virtual Result<void> Write(uint64_t offset, Bytes bytes) = 0;
  // Cuts or extends (with a hole). Never suspends.
  virtual Result<void> Truncate(uint64_t size) = 0;
  virtual Result<uint64_t> Size() = 0;
  // Makes what was written before the call durable, size included. Suspends; runs off-core. Writes that come
  // meanwhile may or may not be covered.
  virtual Result<void> Sync() = 0;
  // Has the disk begin with what was written, so that a later Sync() finds less to do; promises nothing.
  // Suspends; runs off-core.
  virtual void StartWriteback() {}
  struct Range {
    uint64_t offset;
    uint64_t bytes;
  };
  // Has the disk write these parts, and waits for that; a Sync() must still follow. A failure is
  // final, as that of Sync(): the kernel tells it once. Suspends; runs off-core.
  virtual Result<void> WriteBack(std::span<const Range> ranges) {
    static_cast<void>(ranges);
    return {};
  }
  // Holds a write lock on these bytes (an open-file-description lock, which conflicts with the POSIX locks
  // of other processes) until the file is closed; whether there are such bytes does not matter. Fails with
  // code FILE_LOCKED (kUnavailable) while somebody holds a lock on one of them. Where the file system knows
  // no locks, or the disk is simulated and has no other processes, nothing is held. Never suspends.
  virtual Result<void> Lock(Range range) {
    static_cast<void>(range);
    return {};
  }
};

enum class OpenMode {
  kExisting,        // Fails with kNotFound.
  kCreate,          // Creates when missing.
  kCreateExclusive  // Fails with kExists.
};

class Disk {
 public:
  virtual ~Disk() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Result<bool> Exists(const std::string& path) = 0;
  // A missing file is no error. Suspends.
  virtual Result<void> Remove(const std::string& path) = 0;
  virtual Result<void> Rename(const std::string& from, const std::string& to) = 0;
  // Parents included; existing ones are fine.
  virtual Result<void> CreateFolders(const std::string& path) = 0;
  // The names in a folder, sorted.
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;
  // Suspends.
  virtual Result<void> SyncDirectory(const std::string& path) = 0;
  virtual Result<uint64_t> FreeBytes(const std::string& path) = 0;
};

}  // namespace tradewind::runtime
