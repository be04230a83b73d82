#include "sqlite/temporary_file.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "runtime/fiber.h"

namespace tradewind::sqlite {

namespace {

tl::unexpected<Error> NoSpace() {
  return Fail(ErrorKind::kTooLarge, std::string(kTemporarySpaceCode),
              "the statement sorts or keeps apart more than there is room for in temporary files",
              "sort or compare fewer or smaller rows, with an index where there can be one");
}

// Of this process: two statements of a tenant never have the same.
uint64_t NextNumber() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

}  // namespace

Result<std::unique_ptr<TemporaryFile>> TemporaryFile::Open(runtime::Core& core, const std::string& path) {
  const std::string name = path + "-temporary-" + std::to_string(NextNumber());
  TW_TRY_ASSIGN(auto file, core.disk().Open(name, runtime::OpenMode::kCreate));
  // A crash in between leaves an empty file, which the next one of the number takes.
  TW_TRY(core.disk().Remove(name));
  return std::unique_ptr<TemporaryFile>(new TemporaryFile(core, path, std::move(file)));
}

TemporaryFile::~TemporaryFile() {
  TemporarySpace().Give(size_);
  // To give back the blocks of a large file takes long.
  if (size_ > limits::kTemporaryWritebackBytes && runtime::CurrentFiber())
    core_.RunOffCore([this] { file_.reset(); });
}

Result<void> TemporaryFile::Grow(uint64_t size) {
  Pool& space = TemporarySpace();
  if (!space.MayTake(size_, size - size_)) {
    space.NoteRefusal();
    return NoSpace();
  }
  if (size > allowed_) {
    TW_TRY_ASSIGN(const uint64_t free, core_.disk().FreeBytes(path_));
    const uint64_t ahead = std::max<uint64_t>(size - size_, limits::kTemporaryWritebackBytes);
    if (space.used() + ahead > free / limits::kTemporaryShareOfDisk) {
      space.NoteRefusal();
      return NoSpace();
    }
    allowed_ = size_ + ahead;
  }
  space.Take(size - size_);
  size_ = size;
  return {};
}

Result<void> TemporaryFile::Write(uint64_t offset, Bytes bytes) {
  if (offset + bytes.size() > size_) TW_TRY(Grow(offset + bytes.size()));
  TW_TRY(file_->Write(offset, bytes));
  unwritten_ += bytes.size();
  if (unwritten_ < limits::kTemporaryWritebackBytes) return {};
  unwritten_ = 0;
  file_->StartWriteback();
  return {};
}

Result<void> TemporaryFile::Truncate(uint64_t size) {
  TW_TRY(file_->Truncate(size));
  if (size < size_) TemporarySpace().Give(size_ - size);
  size_ = std::min(size_, size);
  return {};
}

}  // namespace tradewind::sqlite
