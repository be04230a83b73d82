#include "sqlite/wal_index.h"

#include <sqlite3.h>

#include <cstring>

#include "base/check.h"

namespace tradewind::sqlite {

bool FileLocks::Raise(LockHold& hold, int level) {
  if (level <= hold.file_level) return true;
  if (level == SQLITE_LOCK_SHARED) {
    if (pending_ > 0) return false;
    ++shared_;
  } else if (level == SQLITE_LOCK_RESERVED) {
    if (reserved_ > 0) return false;
    reserved_ = 1;
  } else {  // EXCLUSIVE, by way of PENDING, which is kept while others still read.
    if (hold.file_level < SQLITE_LOCK_PENDING) {
      if (pending_ > 0 || (reserved_ > 0 && hold.file_level < SQLITE_LOCK_RESERVED)) return false;
      reserved_ = 1;
      pending_ = 1;
      hold.file_level = SQLITE_LOCK_PENDING;
    }
    if (shared_ > 1) return false;
  }
  hold.file_level = level;
  return true;
}

void FileLocks::Lower(LockHold& hold, int level) {
  if (level >= hold.file_level) return;
  if (hold.file_level >= SQLITE_LOCK_PENDING) pending_ = 0;
  if (hold.file_level >= SQLITE_LOCK_RESERVED) reserved_ = 0;
  if (level == SQLITE_LOCK_NONE) --shared_;
  hold.file_level = level;
}

std::byte* WalIndex::Map(int region, size_t bytes, bool extend) {
  const auto index = static_cast<size_t>(region);
  if (index >= regions_.size()) {
    if (!extend) return nullptr;
    while (regions_.size() <= index) regions_.push_back(std::make_unique<std::byte[]>(bytes));
  }
  return regions_[index].get();
}

bool WalIndex::LockShared(LockHold& hold, int slot, int count) {
  TW_CHECK(count == 1, "a shared lock on several slots");
  const auto index = static_cast<size_t>(slot);
  const auto bit = static_cast<uint16_t>(1u << slot);
  if (hold.shared_slots & bit) return true;
  if (exclusive_[index]) return false;
  ++shared_[index];
  hold.shared_slots = static_cast<uint16_t>(hold.shared_slots | bit);
  return true;
}

bool WalIndex::LockExclusive(LockHold& hold, int slot, int count) {
  for (int at = slot; at < slot + count; ++at) {
    const auto index = static_cast<size_t>(at);
    const bool mine = hold.exclusive_slots & (1u << at);
    const int others = shared_[index] - ((hold.shared_slots & (1u << at)) ? 1 : 0);
    if ((exclusive_[index] && !mine) || others > 0) return false;
  }
  for (int at = slot; at < slot + count; ++at) {
    exclusive_[static_cast<size_t>(at)] = true;
    hold.exclusive_slots = static_cast<uint16_t>(hold.exclusive_slots | (1u << at));
  }
  return true;
}

void WalIndex::Unlock(LockHold& hold, int slot, int count) {
  for (int at = slot; at < slot + count; ++at) {
    const auto index = static_cast<size_t>(at);
    const auto bit = static_cast<uint16_t>(1u << at);
    if (hold.shared_slots & bit) --shared_[index];
    if (hold.exclusive_slots & bit) exclusive_[index] = false;
    hold.shared_slots = static_cast<uint16_t>(hold.shared_slots & ~bit);
    hold.exclusive_slots = static_cast<uint16_t>(hold.exclusive_slots & ~bit);
  }
}

void WalIndex::UnlockAll(LockHold& hold) {
  Unlock(hold, 0, kSlots);
}

uint32_t WalIndex::last_committed_frame() const {
  if (regions_.empty()) return 0;
  uint32_t frame = 0;
  std::memcpy(&frame, regions_[0].get() + 16,
              sizeof frame);  // Native byte order; offset of WalIndexHdr.mxFrame.
  return frame;
}

}  // namespace tradewind::sqlite
