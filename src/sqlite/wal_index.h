// The shared memory of a WAL index and the locks on it and on the main file. All connections of a tenant live
// in one process on one thread, so the memory is the heap and the locks are counters: what SQLite's unix-excl
// VFS does, without descriptors whose closing could drop POSIX locks. Nothing here suspends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tradewind::sqlite {

// One connection's hold on the locks; zero-initialised.
struct LockHold {
  int file_level = 0;         // SQLITE_LOCK_NONE .. SQLITE_LOCK_EXCLUSIVE
  uint16_t shared_slots = 0;  // Bit per slot of the WAL index.
  uint16_t exclusive_slots = 0;
};

// Locks on the main file (sqlite3_io_methods.xLock). True when granted; false is SQLITE_BUSY.
class FileLocks {
 public:
  bool Raise(LockHold& hold, int level);
  void Lower(LockHold& hold, int level);
  bool reserved() const { return reserved_ > 0; }

 private:
  int shared_ = 0;    // Holders at SHARED or above.
  int reserved_ = 0;  // 0 or 1: a holder at RESERVED or above.
  int pending_ = 0;   // 0 or 1: a holder at PENDING or EXCLUSIVE; no new SHARED.
};

class WalIndex {
 public:
  static constexpr int kSlots = 8;
  static constexpr int kWriteSlot = 0;
  static constexpr int kFirstReadSlot = 3;  // From here on, each is the lock of snapshots.

  // The memory of a region; null when it does not exist and `extend` is false.
  std::byte* Map(int region, size_t bytes, bool extend);
  bool LockShared(LockHold& hold, int slot, int count);
  bool LockExclusive(LockHold& hold, int slot, int count);
  void Unlock(LockHold& hold, int slot, int count);
  void UnlockAll(LockHold& hold);
  // Forgets the memory; the next connection recovers it from the WAL.
  void Drop() { regions_.clear(); }

  // WalIndexHdr.mxFrame: the last frame that readers may see. 0 when the index does not exist.
  uint32_t last_committed_frame() const;

 private:
  std::vector<std::unique_ptr<std::byte[]>> regions_;
  std::array<int, kSlots> shared_{};
  std::array<bool, kSlots> exclusive_{};
};

}  // namespace tradewind::sqlite
