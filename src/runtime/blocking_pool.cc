#include "runtime/blocking_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/processors.h"

namespace tradewind::runtime {

BlockingPool::BlockingPool(size_t threads, int standing_back) : most_of_one_(threads > 1 ? threads - 1 : 1) {
  // Signals are for the cores' threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (size_t i = 0; i < threads; ++i)
    threads_.emplace_back([this, standing_back] { RunThread(standing_back); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void BlockingPool::Submit(std::function<void()> work, const void* whose) {
  {
    std::lock_guard lock(mutex_);
    Share& share = shares_[whose];
    share.waiting.push_back(std::move(work));
    if (share.waiting.size() == 1) turns_.push_back(whose);
  }
  changed_.notify_one();
}

std::deque<const void*>::iterator BlockingPool::NextTurn() {
  return std::find_if(turns_.begin(), turns_.end(), [this](const void* whose) {
    return whose == nullptr || shares_[whose].running < most_of_one_;
  });
}

void BlockingPool::RunThread(int standing_back) {
  if (standing_back != 0) {
    const auto self = static_cast<id_t>(::gettid());
    const int priority = ::getpriority(PRIO_PROCESS, self) + standing_back;
    TW_CHECK(::setpriority(PRIO_PROCESS, self, priority) == 0, "a thread may always stand back");
  }
  std::unique_lock lock(mutex_);
  for (;;) {
    auto turn = turns_.end();
    changed_.wait(lock, [&] { return (turn = NextTurn()) != turns_.end() || ending_; });
    // What is held back since its owner has enough threads is for these.
    if (turn == turns_.end()) return;
    const void* const whose = *turn;
    turns_.erase(turn);
    Share& share = shares_[whose];
    const std::function<void()> work = std::move(share.waiting.front());
    share.waiting.pop_front();
    if (!share.waiting.empty()) turns_.push_back(whose);
    ++share.running;
    lock.unlock();
    work();
    lock.lock();
    --share.running;  // Nobody has erased it meanwhile, and elements of the map stay where they are.
    if (share.running == 0 && share.waiting.empty()) shares_.erase(whose);
  }
}

OffCoreThreads::OffCoreThreads()
    : waiting(limits::kBlockingThreads),
      computing(std::max(limits::kLeastComputingThreads, UsableProcessors()), limits::kComputingStandsBack) {}

}  // namespace tradewind::runtime
