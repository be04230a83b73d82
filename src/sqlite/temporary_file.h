// A file in which SQLite keeps what a statement sorts, or keeps apart, beyond some two megabytes; and what it needs to
// undo a statement of a transaction. It has no name: it is gone when it is closed, also by a crash.
//
// All such files of the process share tradewind::TemporarySpace(), and have at most a part of what the disk has free:
// a file grows by as much as is still free, so the largest is refused first. To write on is to wait now and then, so
// that a statement which writes faster than the disk waits itself, and no sync of a tenant behind it.
//
// This core's fibers only; each call may suspend.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/core.h"
#include "runtime/disk.h"

namespace tradewind::sqlite {

inline constexpr std::string_view kTemporarySpaceCode = "TEMPORARY_SPACE";

class TemporaryFile {
 public:
  // In the folder of the database at `path`.
  static Result<std::unique_ptr<TemporaryFile>> Open(runtime::Core& core, const std::string& path);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  Result<size_t> Read(uint64_t offset, MutableBytes into) { return file_->Read(offset, into); }
  // Fails with TEMPORARY_SPACE, or as the disk does.
  Result<void> Write(uint64_t offset, Bytes bytes);
  Result<void> Truncate(uint64_t size);
  uint64_t size() const { return size_; }

 private:
  TemporaryFile(runtime::Core& core, std::string path, std::unique_ptr<runtime::File> file)
      : core_(core), path_(std::move(path)), file_(std::move(file)) {}
  Result<void> Grow(uint64_t size);

  runtime::Core& core_;
  const std::string path_;
  std::unique_ptr<runtime::File> file_;
  uint64_t size_ = 0;
  uint64_t allowed_ = 0;  // Up to this size the disk is known to have room.
  uint64_t unwritten_ = 0;
};

}  // namespace tradewind::sqlite
