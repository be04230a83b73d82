// What a process has of something that all of its work shares (memory, room for temporary files), and who may take
// more of it.
//
// Whoever asks may have as much as is still free, counting what it has: the more is taken, the less a single one may
// have. So the one that has most is refused first, and everybody else goes on; one alone gets half, and of n that all
// want more each gets one part of n + 1. What has less than the spare is never refused: nobody who wants little waits
// for somebody who wants much. (Choudhury and Hahne, Dynamic Queue Length Thresholds for Shared-Memory Packet
// Switches, 1998, with a factor of one.)
//
// Counters may be changed by any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tradewind {

class Pool {
 public:
  constexpr Pool(uint64_t bound, uint64_t spare) : bound_(bound), spare_(spare) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void SetBound(uint64_t bound) { bound_.store(bound, std::memory_order_relaxed); }
  uint64_t bound() const { return bound_.load(std::memory_order_relaxed); }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  uint64_t peak() const { return peak_.load(std::memory_order_relaxed); }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  // Whether somebody who has so much may take more.
  bool MayTake(uint64_t has, uint64_t more) const {
    const uint64_t would_have = has + more;
    if (would_have <= spare_) return true;
    const uint64_t would_use = used() + more;
    return would_use <= bound() && would_have <= bound() - would_use;
  }
  // Whether less than `left` would be free if somebody took `more`; without either, whether there is more than may be.
  bool IsFull(uint64_t more = 0, uint64_t left = 0) const { return used() + more + left > bound(); }
  void NoteRefusal() { refused_.fetch_add(1, std::memory_order_relaxed); }
  void Take(uint64_t amount) {
    const uint64_t now = used_.fetch_add(amount, std::memory_order_relaxed) + amount;
    if (now > peak()) peak_.store(now, std::memory_order_relaxed);
  }
  void Give(uint64_t amount) { used_.fetch_sub(amount, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> bound_;
  const uint64_t spare_;
  std::atomic<uint64_t> used_ = 0;
  std::atomic<uint64_t> peak_ = 0;
  std::atomic<uint64_t> refused_ = 0;
};

// What memory is for.
enum class MemoryKind { kSqlite, kBodies, kAnswers, kLinks, kStoredSql };
inline constexpr std::array<const char*, 5> kMemoryKindNames = {"sqlite", "bodies", "answers", "links",
                                                                "stored_sql"};

// The memory of this process that clients and peers can make grow. A process has one allocator, so it has one of this.
Pool& Memory();
// Its parts, by kind.
std::atomic<uint64_t>& MemoryOf(MemoryKind kind);
// Room for temporary files, of all nodes of the process.
Pool& TemporarySpace();

uint64_t MemoryOfMachine();

// Memory that is held, counted until this goes away.
class MemoryCharge {
 public:
  explicit MemoryCharge(MemoryKind kind) : kind_(kind) {}
  // A copy of what is held takes as much again.
  MemoryCharge(const MemoryCharge& other) : kind_(other.kind_) { Set(other.bytes_); }
  MemoryCharge& operator=(const MemoryCharge& other) { return *this = MemoryCharge(other); }
  MemoryCharge(MemoryCharge&& other) noexcept : kind_(other.kind_), bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept {
    Set(0);
    kind_ = other.kind_;
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
  }
  ~MemoryCharge() { Set(0); }

  // So much is held now, come what may.
  void Set(uint64_t bytes);
  // The same if it may be held; else nothing changes, and the refusal is counted.
  [[nodiscard]] bool TrySet(uint64_t bytes);
  uint64_t bytes() const { return bytes_; }

 private:
  MemoryKind kind_;
  uint64_t bytes_ = 0;
};

}  // namespace tradewind
