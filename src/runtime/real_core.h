// A core on the real world: the operating system's clock, timers, sockets, files and threads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "runtime/core.h"
#include "runtime/timer_queue.h"

namespace boost::asio {
class io_context;
}

namespace tradewind::runtime {

class BlockingPool;

class RealCore final : public Core {
 public:
  // With no pool given, the core has one of its own. Cores of one process share theirs.
  static std::unique_ptr<RealCore> Create(std::shared_ptr<BlockingPool> pool = nullptr);
  ~RealCore() override;  // Requires: Run() has returned, and so has every fiber.

  // Makes the calling thread the core's and runs tasks and fibers until Stop(). May be called again after
  // that, from the same thread or another.
  void Run();
  // Lets Run() return after the turn that it is at. Any thread. Before Run(), the next Run() returns at once.
  void Stop();
  // Spawns `body` as a fiber and runs the core until it has returned: a main program or a test in one line.
  void RunUntilReturned(std::string name, std::function<void()> body);

  // Calls `callback` on the core, as a task, for each SIGTERM and SIGINT of the process from now on.
  void OnSignal(std::function<void(int signal)> callback);

  void Post(std::function<void()> task) override;
  TimePoint Now() const override;
  Duration ProcessorTime() const override;  // Requires: on the core's thread.
  int64_t UnixMilliseconds() const override;
  TimerId StartTimer(TimePoint at, std::function<void()> task) override;
  void CancelTimer(TimerId id) override;
  void RunOffCore(std::function<void()> work) override;
  void LookForInput() override;
  void FillRandom(MutableBytes bytes) override;
  Network& network() override { return *network_; }
  Disk& disk() override { return *disk_; }

  // For runtime/'s own input and output.
  boost::asio::io_context& io();

 private:
  struct Loop;  // Keeps Boost.Asio out of this header.

  explicit RealCore(std::shared_ptr<BlockingPool> pool);
  void RunDueTimers();
  void WaitForInput();

  std::unique_ptr<Loop> loop_;
  std::shared_ptr<BlockingPool> pool_;
  TimerQueue timers_;
  TimePoint polled_at_{};
  std::atomic<bool> stop_{false};
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<Network> network_;
};

}  // namespace tradewind::runtime
