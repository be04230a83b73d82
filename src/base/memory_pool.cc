#include "base/memory_pool.h"

#include <unistd.h>

#include <algorithm>

#include "base/limits.h"

namespace tradewind {

uint64_t MemoryOfMachine() {
  const auto pages = static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES)));
  return pages * static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
}

Pool& Memory() {
  static Pool pool(
      std::max<uint64_t>(limits::kLeastMemoryBytes, MemoryOfMachine() / limits::kMemoryShareOfMachine),
      limits::kSpareMemoryBytes);
  return pool;
}

std::atomic<uint64_t>& MemoryOf(MemoryKind kind) {
  static std::array<std::atomic<uint64_t>, kMemoryKindNames.size()> kinds{};
  return kinds[static_cast<size_t>(kind)];
}

Pool& TemporarySpace() {
  static Pool pool(limits::kTemporaryFileBytes, limits::kSpareMemoryBytes);
  return pool;
}

void MemoryCharge::Set(uint64_t bytes) {
  if (bytes == bytes_) return;  // As for most that go away. The counters are every core's, and so not cheap.
  if (bytes > bytes_) {
    Memory().Take(bytes - bytes_);
    MemoryOf(kind_).fetch_add(bytes - bytes_, std::memory_order_relaxed);
  } else {
    Memory().Give(bytes_ - bytes);
    MemoryOf(kind_).fetch_sub(bytes_ - bytes, std::memory_order_relaxed);
  }
  bytes_ = bytes;
}

bool MemoryCharge::TrySet(uint64_t bytes) {
  if (bytes > bytes_ && !Memory().MayTake(bytes_, bytes - bytes_)) {
    Memory().NoteRefusal();
    return false;
  }
  Set(bytes);
  return true;
}

}  // namespace tradewind

// What jemalloc reads at its start. What is free goes back to the system on a thread of its own: the C library's
// allocator does it while somebody frees, and all that lies above a block that has stayed at once; jemalloc would do it
// so with a large block, if these had an arena of their own.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf =
    "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,oversize_threshold:0,narenas:4";
}
