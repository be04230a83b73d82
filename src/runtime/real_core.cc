#include "runtime/real_core.h"

#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <exception>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/blocking_pool.h"
#include "runtime/descriptors.h"
#include "runtime/fiber.h"
#include "runtime/fiber_scheduler.h"
#include "runtime/real_disk.h"
#include "runtime/real_network.h"

namespace tradewind::runtime {

namespace asio = boost::asio;

namespace {
constexpr Duration kAwaitAnswer = std::chrono::microseconds(50);
}

struct RealCore::Loop {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  // Wakes the loop for the core's timers. It may be armed for a time at which nothing is due any more: that
  // is one turn for nothing, cheaper than arming it anew for each timer that was cancelled.
  asio::steady_timer alarm{io};
  TimePoint alarm_at = TimePoint::max();
  std::unique_ptr<asio::signal_set> signals;
  std::unique_ptr<asio::signal_set> hang_ups;
  // Random bytes of the system's that nobody has had yet, at the beginning: a call for each id would cost more than the id.
  std::array<std::byte, 512> random{};
  size_t random_left = 0;

  static void Await(asio::signal_set& set, RealCore& core, const std::function<void(int)>& callback) {
    set.async_wait([&set, &core, callback](const boost::system::error_code& error, int signal) {
      if (error) return;
      Await(set, core, callback);
      core.Post([callback, signal] { callback(signal); });
    });
  }
};

std::unique_ptr<RealCore> RealCore::Create(std::shared_ptr<OffCoreThreads> threads) {
  if (threads == nullptr) threads = std::make_shared<OffCoreThreads>();
  return std::unique_ptr<RealCore>(new RealCore(std::move(threads)));
}

RealCore::RealCore(std::shared_ptr<OffCoreThreads> threads)
    : loop_(std::make_unique<Loop>()),
      threads_(std::move(threads)),
      disk_(MakeRealDisk(*this)),
      network_(MakeRealNetwork(*this)) {
  rlimit files = {};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
    descriptors().SetLimit(files.rlim_cur);
}

RealCore::~RealCore() = default;

asio::io_context& RealCore::io() {
  return loop_->io;
}

void RealCore::Run() {
  TW_CHECK(!IsHere(), "a core runs inside itself");
  const Running running(*this);
  polled_at_ = Now();
  NoteRan("start");
  while (!stop_.load(std::memory_order_relaxed)) {
    NoteWhetherBusy();
    RunTurn();
    RunDueTimers();
    TakeMail();
    if (HasReady()) {
      LookForInput(Now());
    } else {
      NoteWhetherBusy();
      WaitForInput();
      polled_at_ = Now();
    }
    NoteRan("loop");
  }
  stop_ = false;
}

// In a fiber, too: a handler of the io_context makes something ready, and nothing else; nor does mail.
void RealCore::LookForInput(TimePoint now) {
  TakeMail();
  if (now - polled_at_ < limits::kPollInterval) return;
  loop_->io.poll();
  polled_at_ = now;
}

void RealCore::RunDueTimers() {
  if (timers_.empty()) return;
  // One look at the clock: a timer that starts another one for at once must not keep the loop here.
  const TimePoint now = Now();
  while (timers_.next() && *timers_.next() <= now) timers_.Pop()();
}

// Blocks until a handler of the io_context has run; each makes something ready, or is the alarm, or a wake.
//
// Mail is not missed: this core says that it sleeps and then looks for mail, a sender brings mail and then looks
// whether the core sleeps. All four are in one order for all, so one of the two sees what the other has done.
void RealCore::WaitForInput() {
  if (HasReady() || stop_.load(std::memory_order_relaxed)) return;
  if (together_) {
    if (calls_out_ > 0 && AnswerComesSoon()) return;
    sleeps_.store(true);
    if (has_mail_.load()) {
      sleeps_.store(false, std::memory_order_relaxed);
      return;
    }
  }
  if (const auto next = timers_.next(); next && *next < loop_->alarm_at) {
    loop_->alarm_at = *next;
    loop_->alarm.expires_at(std::chrono::steady_clock::time_point(next->time_since_epoch()));
    loop_->alarm.async_wait([this](const boost::system::error_code& error) {
      if (!error) loop_->alarm_at = TimePoint::max();
    });
  }
  loop_->io.run_one();
  if (together_) sleeps_.store(false, std::memory_order_relaxed);
}

// -- Other cores

// To sleep and be woken takes longer than most calls do, so a core that would sleep, and has just called another one,
// looks out for the answer for a moment first.
bool RealCore::AnswerComesSoon() const {
  while (!has_mail_.load(std::memory_order_relaxed))
    if (Now() >= answer_may_come_until_) return false;
  return true;
}

void RealCore::Join(std::span<Core* const> siblings, size_t number, Together& together) {
  SetSiblings(siblings, number);
  // Each has its part of what the process may open.
  if (descriptors().limit() != Descriptors::kUnlimited)
    descriptors().SetLimit(descriptors().limit() / siblings.size());
  mail_from_ = std::vector<Mailbox>(siblings.size());
  together_ = &together;
}

void RealCore::Send(Core& to, CoreCall& call) noexcept {
  auto& core = static_cast<RealCore&>(to);
  if (!call.answered()) {
    ++calls_out_;
    answer_may_come_until_ = Now() + kAwaitAnswer;
  }
  core.mail_from_[number()].Put(call);
  core.NoteMail();
}

// One wake is enough for whatever comes before the core has looked. To wake it takes a little memory; where that is
// lacking, the process ends.
void RealCore::NoteMail() noexcept {
  if (has_mail_.exchange(true) || !sleeps_.exchange(false)) return;
  wakes_.fetch_add(1, std::memory_order_relaxed);
  asio::post(loop_->io, [] {});
}

void RealCore::TakeMail() noexcept {
  if (!has_mail_.load(std::memory_order_relaxed)) return;
  has_mail_.exchange(false);
  for (Mailbox& mailbox : mail_from_) {
    mailbox.TakeAll([this](CoreCall& call) {
      ++came_;
      if (call.answered()) --calls_out_;
      Take(call);
    });
  }
}

// While all cores end: the last one that has no fiber stops them all. Who calls another core has a fiber that waits
// until the call has come back; so there is none under way by then, and there will be none.
void RealCore::NoteWhetherBusy() {
  if (!together_ || !together_->ending.load(std::memory_order_acquire)) return;
  const bool busy = fiber_count() > 0;
  if (busy == is_busy_) return;
  is_busy_ = busy;
  if (busy) {
    together_->busy.fetch_add(1);
  } else if (together_->busy.fetch_sub(1) == 1) {
    for (Core* core : siblings()) static_cast<RealCore*>(core)->Stop();
  }
}

void RealCore::Stop() {
  stop_ = true;
  asio::post(loop_->io, [] {});
}

void RealCore::RunUntilReturned(std::string name, std::function<void()> body) {
  Spawn(std::move(name), [this, body = std::move(body)] {
    body();
    Stop();
  });
  Run();
}

void RealCore::OnSignal(std::function<void(int)> callback) {
  TW_CHECK(loop_->signals == nullptr, "signals have one callback");
  loop_->signals = std::make_unique<asio::signal_set>(loop_->io, SIGTERM, SIGINT);
  Loop::Await(*loop_->signals, *this, callback);
}

void RealCore::OnHangUp(std::function<void()> callback) {
  TW_CHECK(loop_->hang_ups == nullptr, "a signal has one callback");
  loop_->hang_ups = std::make_unique<asio::signal_set>(loop_->io, SIGHUP);
  Loop::Await(*loop_->hang_ups, *this, [callback = std::move(callback)](int) { callback(); });
}

void RealCore::Post(std::function<void()> task) {
  if (IsHere())
    Enqueue(std::move(task));
  else
    asio::post(loop_->io, [this, task = std::move(task)]() mutable { Enqueue(std::move(task)); });
}

TimePoint RealCore::Now() const {
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

Duration RealCore::ProcessorTime() const {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

int64_t RealCore::UnixMilliseconds() const {
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch())
      .count();
}

Core::TimerId RealCore::StartTimer(TimePoint at, std::function<void()> task) {
  return timers_.Start(at, std::move(task));
}
void RealCore::CancelTimer(TimerId id) {
  timers_.Cancel(id);
}

void RealCore::RunOffCore(std::function<void()> work) {
  Fiber* const fiber = CurrentFiber();
  if (fiber == nullptr) {
    work();
    return;
  }
  std::exception_ptr thrown;
  // The fiber's stack stays as it is until it is woken, so the thread may refer to it.
  BlockingPool& pool = fiber->computes ? threads_->computing : threads_->waiting;
  pool.Submit(
      [this, fiber, &work, &thrown] {
        try {
          work();
        } catch (...) {
          thrown = std::current_exception();
        }
        Post([fiber] { Wake(fiber); });
      },
      fiber->share);
  Suspend();
  if (thrown != nullptr) std::rethrow_exception(std::move(thrown));
}

namespace {

void FillFromSystem(MutableBytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
    TW_CHECK(count > 0 || errno == EINTR, "the system has no random numbers");
    if (count > 0) bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

}  // namespace

void RealCore::FillRandom(MutableBytes bytes) {
  if (!IsHere() || bytes.size() > loop_->random.size()) return FillFromSystem(bytes);
  if (bytes.size() > loop_->random_left) {
    FillFromSystem(loop_->random);
    loop_->random_left = loop_->random.size();
  }
  loop_->random_left -= bytes.size();
  const auto taken = std::span(loop_->random).subspan(loop_->random_left, bytes.size());
  std::copy(taken.begin(), taken.end(), bytes.begin());
  std::fill(taken.begin(), taken.end(),
            std::byte{});  // What was given to somebody is nobody else's to read here.
}

}  // namespace tradewind::runtime
