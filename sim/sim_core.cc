#include "sim/sim_core.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "runtime/call_on.h"
#include "runtime/fiber.h"
#include "sim/sim_disk.h"
#include "sim/sim_network.h"
#include "sim/sim_world.h"

namespace tradewind::sim {

using namespace std::chrono_literals;

namespace {
constexpr int64_t kUnixMillisecondsAtStart = 1'700'000'000'000;
}

SimCore::SimCore(SimWorld& world, std::string host, std::shared_ptr<DiskImage> image)
    : world_(world),
      host_(std::move(host)),
      disk_(std::make_unique<SimDisk>(*this, std::move(image))),
      network_(std::make_unique<SimNetwork>(*this, *world.fabric_)) {}

SimCore::~SimCore() = default;

Result<void> SimCore::CheckAlive() const {
  if (crashed_) return Fail(ErrorKind::kIo, "CRASHED", "the simulated host " + host_ + " went down");
  return {};
}

runtime::TimePoint SimCore::Now() const {
  if (world_.random_.OneIn(512)) world_.now_ += world_.random_.Between(1us, 3ms);
  return world_.now_;
}

runtime::TimePoint SimCore::TurnTime() const {
  return world_.now_;
}

int64_t SimCore::UnixMilliseconds() const {
  const runtime::Duration passed = world_.now_.time_since_epoch() + world_.ClockOffset(host_);
  return kUnixMillisecondsAtStart + std::chrono::duration_cast<std::chrono::milliseconds>(passed).count();
}

void SimCore::Post(std::function<void()> task) {
  Enqueue(std::move(task));
}

runtime::Core::TimerId SimCore::StartTimer(runtime::TimePoint at, std::function<void()> task) {
  return world_.timers_.Start(at, [this, task = std::move(task)] {
    const Running running(*this);
    world_.trace_.Add(world_.now_, "timer", host_, 0);
    task();
  });
}

void SimCore::Send(runtime::Core& to, runtime::CoreCall& call) noexcept {
  auto& core = static_cast<SimCore&>(to);
  const std::chrono::microseconds longest = world_.random_.OneIn(50) ? 5ms : 20us;
  runtime::TimePoint& at = core.mail_until_[number()];
  at = std::max(at, world_.now_ + world_.random_.Between(0us, longest));
  world_.trace_.Add(world_.now_, "call", host_, number() * siblings().size() + core.number());
  world_.timers_.Start(at, [&core, &call] {
    const Running running(core);
    core.Take(call);
  });
}

void SimCore::CancelTimer(TimerId id) {
  world_.timers_.Cancel(id);
}

void SimCore::RunOffCore(std::function<void()> work) {
  runtime::Fiber* const fiber = runtime::CurrentFiber();
  if (fiber == nullptr) {
    work();
    return;
  }
  std::exception_ptr thrown;
  StartTimer(world_.now_ + world_.random_.Between(5us, 200us), [&work, &thrown, fiber] {
    try {
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
    runtime::Wake(fiber);
  });
  runtime::Suspend();
  if (thrown != nullptr) std::rethrow_exception(std::move(thrown));
}

void SimCore::FillRandom(MutableBytes bytes) {
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(world_.random_.Next());
}

void SimCore::Pause(runtime::Duration low, runtime::Duration high) {
  const runtime::Duration pause = world_.random_.Between(low, high);
  if (runtime::CurrentFiber() != nullptr) runtime::SleepUntil(world_.now_ + pause);
}

}  // namespace tradewind::sim
