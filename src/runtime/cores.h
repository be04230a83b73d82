// The cores of a process: threads with an event loop each, and one pool of threads that may block. Core 0 is the
// calling thread, so that a node of one core is a program of one loop, as before there were more.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/real_core.h"

namespace tradewind::runtime {

class Cores {
 public:
  // Requires: at least one.
  explicit Cores(size_t count);
  ~Cores();  // Requires: Run() has returned.
  Cores(const Cores&) = delete;
  Cores& operator=(const Cores&) = delete;

  size_t size() const { return cores_.size(); }
  RealCore& operator[](size_t number) { return *cores_[number]; }

  // Runs all cores, and `body` as a fiber of core 0. Once that has returned, waits until no core has a fiber any more:
  // until then each of them goes on with what others call it for. Fails with THREADS_LACKING (kUnavailable) when the
  // system gives the process no more threads; nothing has run then. Requires: it was not called before.
  Result<void> RunUntilReturned(std::string name, std::function<void()> body);

 private:
  RealCore::Together together_;
  std::vector<std::unique_ptr<RealCore>> cores_;
  std::vector<Core*> siblings_;
};

}  // namespace tradewind::runtime
