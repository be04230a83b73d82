// Threads for what would hold up a core. Those of one pool wait for the operating system, in the few calls that have no
// other form: fsync, reading a page that is not cached, name resolution. Those of another compute, for as long as
// seconds, so nobody's fsync may have to wait for them. Each pool serves all cores of a process.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace tradewind::runtime {

// Whoever has work for it has it done in order, all of them in turn, and nobody has the last thread: of what one has
// submitted a thread fewer works at a time than there are, if there are several.
//
// Any thread may call. Destruction runs what was submitted to its end.
class BlockingPool {
 public:
  // The threads stand back for the others of the process, in steps of nice(2).
  explicit BlockingPool(size_t threads, int standing_back = 0);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // `work` must not throw. `whose` is anything by which whoever it is for is known; null is nobody in particular.
  void Submit(std::function<void()> work, const void* whose = nullptr);

 private:
  struct Share {
    std::deque<std::function<void()>> waiting;
    size_t running = 0;
  };

  void RunThread(int standing_back);
  // Whose turn it is, among those that may have a thread; the end if there is none. Requires: the lock is held.
  std::deque<const void*>::iterator NextTurn();

  std::mutex mutex_;  // Guards the four members after it.
  std::condition_variable changed_;
  std::unordered_map<const void*, Share> shares_;  // Of those with work that waits or runs.
  std::deque<const void*> turns_;                  // Of those with work that waits, the next one in front.
  bool ending_ = false;
  std::vector<std::thread> threads_;
  const size_t most_of_one_;
};

// What the cores of a process have together.
struct OffCoreThreads {
  OffCoreThreads();

  BlockingPool waiting;
  BlockingPool computing;
};

}  // namespace tradewind::runtime
