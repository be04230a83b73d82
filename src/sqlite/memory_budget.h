// How much memory SQLite may take for one statement. A text of a kilobyte can ask for any amount: common table
// expressions that double each other, sorts and distinct rows of a recursion (temporary tables are in memory).
// Without a bound the system ends the process, and with it the requests of all other tenants.
//
// While a budget lives, the calls of SQLite in its fiber draw on it; SQLite is told that there is no memory when
// it is used up, ends the statement with SQLITE_NOMEM, and undoes what that has done. For that it gets a little
// more each time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tradewind::sqlite {

class MemoryBudget {
 public:
  // `calls`: to the allocator, each some time of the core, which a compilation does not give up.
  explicit MemoryBudget(size_t bytes, uint64_t calls = INT64_MAX);
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  bool used_up() const { return used_up_; }

 private:
  friend struct BudgetedAllocator;
  bool Take(int64_t bytes);

  MemoryBudget* const outer_;  // Of the same fiber; it rests meanwhile.
  int64_t bytes_left_;
  int64_t calls_left_;
  bool used_up_ = false;
};

// Has SQLite's allocator keep to budgets. Requires: SQLite has not been initialized.
void InstallMemoryBudgets();

}  // namespace tradewind::sqlite
