// Lets others of the core run while SQLite is busy within one call of a callback, or one instruction. Its progress
// call comes between instructions, and one instruction may sort two million rows, read or write all pages of a table
// or of a value, or tokenize a text of megabytes; a text of megabytes is compiled without any.
//
// Whatever takes long does at least one of these often: it takes or returns memory, asks its cache for a page, compares
// two rows in a sorter, looks at a token, a node or a byte of a long text, or copies a piece of a large value. So these
// are counted, and once in a while, when the turn is over (runtime/turns.h), the statement lets others run there, and is
// ended if it has to be.
//
// Why that is right. To other connections it is as if a process of its own had been held up at that place, which
// SQLite's locks allow for; what its connections share within this process they share through this VFS. It does not
// happen while SQLite holds a mutex, nor between the acceptance of a commit and its end (page_store.h), nor in the
// VFS's own locks and its writes of the last frame, which allocate nothing.
#pragma once

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

  ConnectionGuard& guard_;
  const PageStore& store_;
  Pauses* const outer_;
  unsigned work_ = 0;
  bool looking_ = false;
};

// Has SQLite's allocator, page cache, mutexes and sorter count. Requires: SQLite has not been initialized, and
// InstallMemoryBudgets() was called.
void InstallPauses();

}  // namespace tradewind::sqlite
