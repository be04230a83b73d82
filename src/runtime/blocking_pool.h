// Threads that may block, for the few calls of the operating system that have no other form: fsync, reading a
// page that is not cached, name resolution. One pool serves all cores of a process.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tradewind::runtime {

// Any thread may call. Destruction runs what was submitted to its end.
class BlockingPool {
 public:
  explicit BlockingPool(size_t threads);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // `work` must not throw.
  void Submit(std::function<void()> work);

 private:
  void RunThread();

  std::mutex mutex_;  // Guards the three members after it.
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tradewind::runtime
