#include "sqlite/memory_budget.h"

#include <sqlite3.h>

#include <algorithm>

#include "base/check.h"
#include "base/memory_pool.h"
#include "runtime/fiber_local.h"
#include "sqlite/page_store.h"

namespace tradewind::sqlite {

namespace {

// What is left for undoing, each time that there was nothing left.
constexpr int64_t kBytesToUndo = 1 << 20;
constexpr int64_t kCallsToUndo = 10'000;

sqlite3_mem_methods system_allocator;

// Stands before each piece of memory. SQLite's allocator aligns to 8 bytes, which is all that SQLite asks for.
struct Owner {
  MemoryAccount* account;
};
constexpr int kOwnerBytes = sizeof(Owner);

Owner* OwnerOf(void* memory) {
  return reinterpret_cast<Owner*>(static_cast<char*>(memory) - kOwnerBytes);
}

}  // namespace

struct BudgetedAllocator {
  static void* Malloc(int bytes) {
    MemoryBudget* const budget = MemoryBudget::Current();
    if (budget && !budget->Take(bytes)) return nullptr;
    auto* owner = static_cast<Owner*>(system_allocator.xMalloc(bytes + kOwnerBytes));
    if (!owner) return nullptr;
    owner->account = budget ? budget->account_ : nullptr;
    Count(owner->account, system_allocator.xSize(owner));
    return owner + 1;
  }
  static void Free(void* memory) {
    Owner* const owner = OwnerOf(memory);
    const int size = system_allocator.xSize(owner);
    if (MemoryBudget* budget = MemoryBudget::Current()) budget->bytes_left_ += size;
    Count(owner->account, -size);
    system_allocator.xFree(owner);
  }
  static void* Realloc(void* memory, int bytes) {
    Owner* owner = OwnerOf(memory);
    const int before = system_allocator.xSize(owner);
    MemoryBudget* const budget = MemoryBudget::Current();
    if (budget && !budget->Take(int64_t{bytes} + kOwnerBytes - before)) return nullptr;
    owner = static_cast<Owner*>(system_allocator.xRealloc(owner, bytes + kOwnerBytes));
    if (!owner) return nullptr;
    Count(owner->account, system_allocator.xSize(owner) - before);
    return owner + 1;
  }
  static int Size(void* memory) { return memory ? system_allocator.xSize(OwnerOf(memory)) - kOwnerBytes : 0; }

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
  return local ? static_cast<MemoryBudget*>(*local) : nullptr;
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
// little to matter.
MemoryBudget::Shortage MemoryBudget::Lacks(int64_t bytes) const {
  if (bytes > bytes_left_ || calls_left_ <= 0) return Shortage::kStatement;
  if (bytes <= 0 || !account_) return Shortage::kNone;
  const auto more = static_cast<uint64_t>(bytes);
  const uint64_t has = account_->used();
  const auto taken = static_cast<uint64_t>(std::max<int64_t>(0, bytes_ - bytes_left_)) + more;
  if (taken > limits::kSpareMemoryBytes &&
      (has + more > account_->bound() || taken > account_->bound() - has - more))
    return Shortage::kTenant;
  if (taken > limits::kSpareMemoryBytes && !Memory().MayTake(has, more)) return Shortage::kProcess;
  return Shortage::kNone;
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
}

}  // namespace tradewind::sqlite
