// Lets others of the core run while SQLite is busy within one call of a callback, or one instruction. Its progress
// call comes between instructions, and one instruction may sort two million rows, read or write all pages of a table
// or of a value, or tokenize a text of megabytes; a text of megabytes is compiled without any.
//
// Whatever takes long does at least one of these often: it takes or returns memory, asks its cache for a page, compares
// two rows in a sorter, looks at a token, a node or a byte of a long text, or copies a piece of a large value. So these
// are counted, and after as many as take limits::kPollInterval the statement lets others run there if its turn is over
// (runtime/turns.h), and is ended if it has to be.
//
// Why that is right. To other connections it is as if a process of its own had been held up at that place, which
// SQLite's locks allow for; what its connections share within this process they share through this VFS. It does not
// happen while SQLite holds a mutex, nor between the acceptance of a commit and its end (commit_log.h), nor in the
// VFS's own locks and its writes of the last frame, which allocate nothing.
#pragma once

#include "runtime/core.h"

namespace tradewind::sqlite {

struct ConnectionGuard;
class PageStore;

// While it lives, statements of the calling fiber pause. The innermost of a fiber counts.
class Pauses {
 public:
  // Both must outlive it. When the turn is over, `guard.on_reads` is called, and the turn given up at the latest then.
  Pauses(ConnectionGuard& guard, const PageStore& store);
  ~Pauses();
  Pauses(const Pauses&) = delete;
  Pauses& operator=(const Pauses&) = delete;

 private:
  friend struct PausingCalls;
  void Look();
  unsigned WorkOfPollInterval(runtime::Duration took) const;

  ConnectionGuard& guard_;
  const PageStore& store_;
  Pauses* const outer_;
  unsigned work_ = 0;  // Since the last look.
  unsigned look_at_;   // At so much of it.
  runtime::TimePoint looked_at_{};
  bool looking_ = false;
};

// Has SQLite's allocator, page cache, mutexes and sorter count. Requires: SQLite has not been initialized, and
// InstallMemoryBudgets() was called.
void InstallPauses();

}  // namespace tradewind::sqlite
