#include "sqlite/memory_budget.h"

#include <sqlite3.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "base/memory_pool.h"
#include "runtime/fiber_local.h"
#include "sqlite/page_store.h"
#ifdef TRADEWIND_BUNDLED_SQLITE
#include "sqlite/builtin_functions.h"
#endif

namespace tradewind::sqlite {

namespace {

// What is left for undoing, each time that there was nothing left.
constexpr int64_t kBytesToUndo = 1 << 20;
constexpr int64_t kCallsToUndo = 10'000;

sqlite3_mem_methods system_allocator;

// Stands before each piece of memory. SQLite's allocator aligns to 8 bytes, which is all that SQLite asks for.
//
// A large piece is a mapping of its own, with its size before the owner: it can grow, and be given back bit by bit,
// without being copied.
class Owner {
 public:
  static Owner* Of(void* memory) { return static_cast<Owner*>(memory) - 1; }
  void* memory() { return this + 1; }

  MemoryAccount* account() const { return reinterpret_cast<MemoryAccount*>(word_ & ~kMapped); }
  void set_account(MemoryAccount* account) {
    word_ = reinterpret_cast<uintptr_t>(account) | (word_ & kMapped);
  }
  int bytes() {  // Of the piece, the owner included.
    return is_mapped() ? static_cast<int>(mapped_bytes() - sizeof(uint64_t)) : system_allocator.xSize(this);
  }

  static Owner* New(int bytes) {
    if (bytes < limits::kLargeBlockBytes) return Fresh(system_allocator.xMalloc(bytes));
    const size_t size = MappedSize(bytes);
    void* const mapping = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mapping == MAP_FAILED ? nullptr : Mapped(mapping, size);
  }
  // Null if there is no memory; it stays as it is then.
  Owner* Resized(int bytes) {
    if (is_mapped()) {
      const size_t size = MappedSize(bytes);
      void* const mapping = ::mremap(mapping_start(), mapped_bytes(), size, MREMAP_MAYMOVE);
      return mapping == MAP_FAILED ? nullptr : Mapped(mapping, size);
    }
    if (bytes < limits::kLargeBlockBytes) return static_cast<Owner*>(system_allocator.xRealloc(this, bytes));
    Owner* const moved = New(bytes);
    if (!moved) return nullptr;
    moved->set_account(account());
    std::memcpy(moved->memory(), memory(), static_cast<size_t>(this->bytes()) - sizeof(Owner));
    Free();
    return moved;
  }
  void Free() {
    if (is_mapped())
      ::munmap(mapping_start(), mapped_bytes());
    else
      system_allocator.xFree(this);
  }

 private:
  static constexpr uintptr_t kMapped = 1;
  static size_t MappedSize(int bytes) {
    constexpr size_t kPage = 4096;
    return (static_cast<size_t>(bytes) + sizeof(uint64_t) + kPage - 1) / kPage * kPage;
  }
  static Owner* Fresh(void* at) {
    auto* const owner = static_cast<Owner*>(at);
    if (owner) owner->word_ = 0;
    return owner;
  }
  static Owner* Mapped(void* mapping, size_t size) {
    *static_cast<uint64_t*>(mapping) = size;
    auto* const owner = reinterpret_cast<Owner*>(static_cast<uint64_t*>(mapping) + 1);
    owner->word_ |= kMapped;
    return owner;
  }
  bool is_mapped() const { return (word_ & kMapped) != 0; }
  void* mapping_start() { return reinterpret_cast<uint64_t*>(this) - 1; }
  size_t mapped_bytes() { return *reinterpret_cast<uint64_t*>(this - 1); }

  uintptr_t word_;  // The account, and whether this is a mapping.
};
thread_local MemoryBudget* lent_budget = nullptr;

constexpr int kOwnerBytes = sizeof(Owner);
static_assert(sizeof(Owner) == sizeof(uint64_t));

}  // namespace

struct BudgetedAllocator {
  static void* Malloc(int bytes) {
    MemoryBudget* const budget = MemoryBudget::Current();
    if (budget && !budget->Take(bytes)) return nullptr;
    Owner* const owner = Owner::New(bytes + kOwnerBytes);
    if (!owner) return nullptr;
    owner->set_account(budget ? budget->account_ : nullptr);
    Count(owner->account(), owner->bytes());
    return owner->memory();
  }
  static void Free(void* memory) {
    Owner* const owner = Owner::Of(memory);
    const int size = owner->bytes();
    if (MemoryBudget* budget = MemoryBudget::Current()) budget->bytes_left_ += size;
    Count(owner->account(), -size);
    owner->Free();
  }
  static void* Realloc(void* memory, int bytes) {
    Owner* owner = Owner::Of(memory);
    const int before = owner->bytes();
    MemoryBudget* const budget = MemoryBudget::Current();
    if (budget && !budget->Take(int64_t{bytes} + kOwnerBytes - before)) return nullptr;
    owner = owner->Resized(bytes + kOwnerBytes);
    if (!owner) return nullptr;
    Count(owner->account(), owner->bytes() - before);
    return owner->memory();
  }
  static int Size(void* memory) { return memory ? Owner::Of(memory)->bytes() - kOwnerBytes : 0; }

 private:
  static void Count(MemoryAccount* account, int64_t bytes) {
    std::atomic<uint64_t>& kind = MemoryOf(MemoryKind::kSqlite);
    if (bytes >= 0) {
      Memory().Take(static_cast<uint64_t>(bytes));
      kind.fetch_add(static_cast<uint64_t>(bytes), std::memory_order_relaxed);
    } else {
      Memory().Give(static_cast<uint64_t>(-bytes));
      kind.fetch_sub(static_cast<uint64_t>(-bytes), std::memory_order_relaxed);
    }
    // Adding the complement takes away.
    if (account) account->used_.fetch_add(static_cast<uint64_t>(bytes), std::memory_order_relaxed);
  }
};

void AccountCloser::operator()(MemoryAccount* account) const {
  // A connection that could not be closed (set_aside.h) keeps what it has, and its account, for good.
  if (account->used() == 0) delete account;
}

MemoryBudget* MemoryBudget::Current() {
  void** const local = runtime::FiberLocal();
  return local ? static_cast<MemoryBudget*>(*local) : lent_budget;
}

MemoryBudget::Lent::Lent(MemoryBudget* budget) {
  lent_budget = budget;
}

MemoryBudget::Lent::~Lent() {
  lent_budget = nullptr;
}

MemoryBudget::MemoryBudget(PageStore* store, ConnectionGuard* guard, size_t bytes, uint64_t calls)
    : outer_(Current()),
      store_(store),
      guard_(guard),
      account_(store ? &store->memory() : nullptr),
      bytes_(static_cast<int64_t>(bytes)),
      bytes_left_(static_cast<int64_t>(bytes)),
      calls_left_(static_cast<int64_t>(calls)) {
  if (void** const local = runtime::FiberLocal()) *local = this;
}

MemoryBudget::~MemoryBudget() {
  if (void** const local = runtime::FiberLocal()) *local = outer_;
}

// The statement may have what its tenant has left, and the tenant what the process has left, but for what is too
// little to matter. Many statements matter together, each of which takes little: where the process is nearly full, what
// matters is what their tenant has.
MemoryBudget::Shortage MemoryBudget::Lacks(int64_t bytes) const {
  if (bytes > bytes_left_ || calls_left_ <= 0) return Shortage::kStatement;
  if (bytes > 0 && outstays_) return Shortage::kToldToEnd;
  if (bytes <= 0 || !account_) return Shortage::kNone;
  const auto more = static_cast<uint64_t>(bytes);
  const uint64_t has = account_->used();
  const auto taken = static_cast<uint64_t>(std::max<int64_t>(0, bytes_ - bytes_left_)) + more;
  if (taken > limits::kSpareMemoryBytes &&
      (has + more > account_->bound() || taken > account_->bound() - has - more))
    return Shortage::kTenant;
  const bool nearly_full = Memory().IsFull(more, Memory().bound() / limits::kNearlyFullPartLeft);
  const uint64_t little = nearly_full ? limits::kLittleMemoryBytes : limits::kSpareMemoryBytes;
  if (taken > little && !Memory().MayTake(has, more)) return Shortage::kProcess;
  return Shortage::kNone;
}

// A part of what it may still take: a statement may have several.
int MemoryBudget::EphemeralCacheKib() {
  constexpr int64_t kParts = 16;
  const MemoryBudget* const budget = Current();
  if (!budget) return limits::kLeastEphemeralCacheKib;
  const auto left = [](uint64_t bound, uint64_t used) {
    return static_cast<int64_t>(bound > used ? std::min<uint64_t>(bound - used, INT64_MAX) : 0);
  };
  int64_t room = std::min(budget->bytes_left_, left(Memory().bound(), Memory().used()));
  if (budget->account_) room = std::min(room, left(budget->account_->bound(), budget->account_->used()));
  return static_cast<int>(std::clamp<int64_t>(room / kParts / 1024, limits::kLeastEphemeralCacheKib,
                                              limits::kMostEphemeralCacheKib));
}

void MemoryBudget::NoteToldToEnd(runtime::TimePoint now) {
  if (!told_to_end_) told_to_end_ = now;
  outstays_ = now - *told_to_end_ >= limits::kEndingTime;
}

bool MemoryBudget::Take(int64_t bytes) {
  const Shortage lacks = Lacks(bytes);
  if (lacks != Shortage::kNone && bytes > bytes_to_undo_) {
    if (lacks == Shortage::kProcess) Memory().NoteRefusal();
    if (shortage_ == Shortage::kNone) shortage_ = lacks;
    bytes_to_undo_ = kBytesToUndo;
    if (calls_left_ <= 0) calls_left_ = kCallsToUndo;
    return false;
  }
  if (lacks != Shortage::kNone) bytes_to_undo_ -= bytes;
  bytes_left_ -= bytes;
  --calls_left_;
  return true;
}

void InstallMemoryBudgets() {
  TW_CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_allocator) == SQLITE_OK,
           "SQLite was used before it was configured");
  sqlite3_mem_methods budgeted = system_allocator;
  budgeted.xMalloc = BudgetedAllocator::Malloc;
  budgeted.xFree = BudgetedAllocator::Free;
  budgeted.xRealloc = BudgetedAllocator::Realloc;
  budgeted.xSize = BudgetedAllocator::Size;
  TW_CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &budgeted) == SQLITE_OK,
           "SQLite was used before it was configured");
#ifdef TRADEWIND_BUNDLED_SQLITE
  tw_size_ephemeral_caches(MemoryBudget::EphemeralCacheKib);
#endif
}

}  // namespace tradewind::sqlite
