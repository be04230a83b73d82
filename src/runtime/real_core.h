// A core on the real world: the operating system's clock, timers, sockets, files and threads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/core.h"
#include "runtime/mailbox.h"
#include "runtime/timer_queue.h"

namespace boost::asio {
class io_context;
}

namespace tradewind::runtime {

class BlockingPool;
struct OffCoreThreads;

class RealCore final : public Core {
 public:
  // With none given, the core has threads of its own. Cores of one process share theirs.
  static std::unique_ptr<RealCore> Create(std::shared_ptr<OffCoreThreads> threads = nullptr);
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
  // The same for each SIGHUP, which ends the process otherwise.
  void OnHangUp(std::function<void()> callback);

  void Post(std::function<void()> task) override;
  TimePoint Now() const override;
  Duration ProcessorTime() const override;  // Requires: on the core's thread.
  int64_t UnixMilliseconds() const override;
  TimerId StartTimer(TimePoint at, std::function<void()> task) override;
  void CancelTimer(TimerId id) override;
  void RunOffCore(std::function<void()> work) override;
  void LookForInput(TimePoint now) override;
  void FillRandom(MutableBytes bytes) override;
  Network& network() override { return *network_; }
  Disk& disk() override { return *disk_; }

  // How many calls and answers have come from other cores, and how often one of them had to wake this core.
  struct Mail {
    uint64_t came;
    uint64_t wakes;
  };
  Mail mail() const { return {came_, wakes_.load(std::memory_order_relaxed)}; }

  // For runtime/'s own input and output.
  boost::asio::io_context& io();

 private:
  friend class Cores;
  struct Loop;  // Keeps Boost.Asio out of this header.
  // What the cores of a process have together.
  struct Together {
    std::atomic<bool> ending =
        false;                     // Each core that has no fiber left is done, until another one calls it.
    std::atomic<size_t> busy = 0;  // Cores that are not.
  };

  explicit RealCore(std::shared_ptr<OffCoreThreads> threads);
  // Makes this core one of several, which have `together`. Before it runs.
  void Join(std::span<Core* const> siblings, size_t number, Together& together);
  void Send(Core& to, CoreCall& call) noexcept override;
  void NoteMail() noexcept;  // Some mailbox has something. Any thread.
  void TakeMail() noexcept;
  void NoteWhetherBusy();
  bool AnswerComesSoon() const;
  void RunDueTimers();
  void WaitForInput();

  std::unique_ptr<Loop> loop_;
  std::shared_ptr<OffCoreThreads> threads_;
  TimerQueue timers_;
  TimePoint polled_at_{};
  std::atomic<bool> stop_{false};
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<Network> network_;

  Together* together_ = nullptr;    // Null when it is alone.
  bool is_busy_ = true;             // It counts as that; looked at while all end.
  std::vector<Mailbox> mail_from_;  // By the sender's number.
  uint64_t came_ = 0;
  size_t calls_out_ = 0;               // Of fibers here, that have not come back.
  TimePoint answer_may_come_until_{};  // At once, that is: of the last one.
  // Others write these.
  alignas(64) std::atomic<bool> has_mail_ = false;
  std::atomic<bool> sleeps_ = false;  // It may be waiting for input, and nobody has woken it yet.
  std::atomic<uint64_t> wakes_ = 0;
};

}  // namespace tradewind::runtime
