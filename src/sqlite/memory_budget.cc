#include "sqlite/memory_budget.h"

#include <sqlite3.h>

#include "base/check.h"
#include "runtime/fiber_local.h"

namespace tradewind::sqlite {

namespace {

// What is left for undoing, each time that there was nothing left.
constexpr int64_t kBytesToUndo = 1 << 20;
constexpr int64_t kCallsToUndo = 10'000;

sqlite3_mem_methods system_allocator;

MemoryBudget* Current() {
  void** const local = runtime::FiberLocal();
  return local ? static_cast<MemoryBudget*>(*local) : nullptr;
}

}  // namespace

struct BudgetedAllocator {
  static void* Malloc(int bytes) {
    if (MemoryBudget* budget = Current(); budget && !budget->Take(bytes)) return nullptr;
    return system_allocator.xMalloc(bytes);
  }
  static void Free(void* memory) {
    if (MemoryBudget* budget = Current()) budget->bytes_left_ += system_allocator.xSize(memory);
    system_allocator.xFree(memory);
  }
  static void* Realloc(void* memory, int bytes) {
    MemoryBudget* const budget = Current();
    if (!budget) return system_allocator.xRealloc(memory, bytes);
    const int before = system_allocator.xSize(memory);
    if (!budget->Take(int64_t{bytes} - before)) return nullptr;
    return system_allocator.xRealloc(memory, bytes);
  }
};

MemoryBudget::MemoryBudget(size_t bytes, uint64_t calls)
    : outer_(Current()), bytes_left_(static_cast<int64_t>(bytes)), calls_left_(static_cast<int64_t>(calls)) {
  if (void** const local = runtime::FiberLocal()) *local = this;
}

MemoryBudget::~MemoryBudget() {
  if (void** const local = runtime::FiberLocal()) *local = outer_;
}

bool MemoryBudget::Take(int64_t bytes) {
  if (bytes <= bytes_left_ && calls_left_ > 0) {
    bytes_left_ -= bytes;
    --calls_left_;
    return true;
  }
  used_up_ = true;
  if (bytes_left_ < kBytesToUndo) bytes_left_ = kBytesToUndo;
  if (calls_left_ <= 0) calls_left_ = kCallsToUndo;
  return false;
}

void InstallMemoryBudgets() {
  TW_CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_allocator) == SQLITE_OK,
           "SQLite was used before it was configured");
  sqlite3_mem_methods budgeted = system_allocator;
  budgeted.xMalloc = BudgetedAllocator::Malloc;
  budgeted.xFree = BudgetedAllocator::Free;
  budgeted.xRealloc = BudgetedAllocator::Realloc;
  TW_CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &budgeted) == SQLITE_OK,
           "SQLite was used before it was configured");
}

}  // namespace tradewind::sqlite
