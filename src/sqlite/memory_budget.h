// How much memory SQLite may take for one statement. A text of a kilobyte can ask for any amount: common table
// expressions that double each other, values of 64 MB by the dozen. Without a bound the system ends the process, and
// with it the requests of all other tenants.
//
// While a budget lives, the calls of SQLite in its fiber draw on it, on the account of its tenant, and on what the
// process has (base/memory_pool.h). SQLite is told that there is no memory when one of them is used up, ends the
// statement with SQLITE_NOMEM, and undoes what that has done. For that it gets a little more each time.
//
// Each piece of memory knows the account that it was taken for, so that what a connection keeps (pages, prepared
// statements) counts for its tenant until it is given back, whoever does that.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/limits.h"
#include "runtime/core.h"

namespace tradewind::sqlite {

class PageStore;
struct ConnectionGuard;

// What SQLite holds for one tenant.
class MemoryAccount {
 public:
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  uint64_t bound() const { return bound_; }
  void SetBound(uint64_t bytes) { bound_ = bytes; }

 private:
  friend struct BudgetedAllocator;
  std::atomic<uint64_t> used_ = 0;
  uint64_t bound_ = limits::kTenantMemoryBytes;
};

// An account outlives its tenant where SQLite still holds memory of it.
struct AccountCloser {
  void operator()(MemoryAccount* account) const;
};
using MemoryAccountPointer = std::unique_ptr<MemoryAccount, AccountCloser>;

class MemoryBudget {
 public:
  enum class Shortage { kNone, kStatement, kTenant, kProcess, kToldToEnd };

  // `calls`: to the allocator, each some time of the core, which a compilation does not give up.
  explicit MemoryBudget(size_t bytes, uint64_t calls = INT64_MAX)
      : MemoryBudget(nullptr, nullptr, bytes, calls) {}
  // Of a statement of a tenant, by a connection of which `guard` is. Both outlive the budget.
  MemoryBudget(PageStore* store, ConnectionGuard* guard, size_t bytes, uint64_t calls = INT64_MAX);
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // For a table that the running statement keeps apart.
  static int EphemeralCacheKib();
  // Of the running fiber, or lent to this thread; null where there is none.
  static MemoryBudget* Current();

  // While this lives, what SQLite takes on this thread, which runs no fiber, is taken from the budget of a fiber that waits
  // for it. Null: from none.
  class Lent {
   public:
    explicit Lent(MemoryBudget* budget);
    ~Lent();
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
  };

  // The statement was told to end, and still runs: within one call of a function that does not look whether it was, and
  // may never be done (FTS5's highlight() copies all that it has for each word that it adds). If it was told
  // limits::kEndingTime ago, it gets no more memory. Asked again and again while it runs.
  void NoteToldToEnd(runtime::TimePoint now);

  // It was refused for a reason of this budget's own.
  bool used_up() const { return shortage_ != Shortage::kNone && shortage_ != Shortage::kToldToEnd; }
  // What was refused first.
  Shortage shortage() const { return shortage_; }
  PageStore* store() const { return store_; }
  ConnectionGuard* guard() const { return guard_; }

 private:
  friend struct BudgetedAllocator;
  bool Take(int64_t bytes);
  Shortage Lacks(int64_t bytes) const;

  MemoryBudget* const outer_;  // Of the same fiber; it rests meanwhile.
  PageStore* const store_;
  ConnectionGuard* const guard_;
  MemoryAccount* const account_;
  const int64_t bytes_;
  int64_t bytes_left_;
  int64_t calls_left_;
  int64_t bytes_to_undo_ = 0;
  Shortage shortage_ = Shortage::kNone;
  std::optional<runtime::TimePoint> told_to_end_;
  bool outstays_ = false;
};

// Has SQLite's allocator keep to budgets. Requires: SQLite has not been initialized.
void InstallMemoryBudgets();

}  // namespace tradewind::sqlite
