#include "runtime/fiber_scheduler.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "runtime/fiber.h"
#include "runtime/fiber_local.h"

#if defined(__SANITIZE_ADDRESS__)
#define TW_ADDRESS_SANITIZER 1
#elif defined(__SANITIZE_THREAD__)
#define TW_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TW_ADDRESS_SANITIZER 1
#elif __has_feature(thread_sanitizer)
#define TW_THREAD_SANITIZER 1
#endif
#endif
#ifdef TW_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef TW_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace tradewind::runtime {

namespace {

thread_local Fiber* current_fiber = nullptr;

// AddressSanitizer must be told of every change of stack. `keep` is where it saves what it knows of the stack
// that is left; null when that stack will not run again.
void StartSwitch([[maybe_unused]] void** keep, [[maybe_unused]] const void* bottom,
                 [[maybe_unused]] size_t bytes) {
#ifdef TW_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(keep, bottom, bytes);
#endif
}
void FinishSwitch([[maybe_unused]] void* kept, [[maybe_unused]] const void** left_bottom,
                  [[maybe_unused]] size_t* left_bytes) {
#ifdef TW_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(kept, left_bottom, left_bytes);
#endif
}

// The frames at the very top never return, so their poison would stay for the stack's next fiber.
void UnpoisonTop([[maybe_unused]] const FiberStack& stack) {
#ifdef TW_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(stack.top() - limits::kIdleStackBytes, limits::kIdleStackBytes);
#endif
}

// ThreadSanitizer takes each fiber for a thread, of which only one runs at a time, and must be told of every change,
// just before it. No instrumented function may be entered before a change and left after it.
void* MakeWatchedFiber() {
#ifdef TW_THREAD_SANITIZER
  return __tsan_create_fiber(0);
#else
  return nullptr;
#endif
}
void EndWatchedFiber([[maybe_unused]] void* fiber) {
#ifdef TW_THREAD_SANITIZER
  __tsan_destroy_fiber(fiber);
#endif
}
#ifdef TW_THREAD_SANITIZER
#define TW_WATCHED_FIBER() __tsan_get_current_fiber()
#define TW_SWITCH_WATCHED(fiber) __tsan_switch_to_fiber(fiber, 0)
#else
#define TW_WATCHED_FIBER() nullptr
#define TW_SWITCH_WATCHED(fiber) static_cast<void>(fiber)
#endif

void SwapExceptionState(std::array<void*, 2>& fibers) {
  std::array<void*, 2> threads;
  void* globals = abi::__cxa_get_globals();
  std::memcpy(&threads, globals, sizeof threads);
  std::memcpy(globals, &fibers, sizeof fibers);
  fibers = threads;
}

// Boost.Context asks for an allocator to give the stack back to; ours belongs to the pool.
struct BorrowedStack {
  void deallocate(boost::context::stack_context&) noexcept {}
};

// Turns that are taken before the loop looks at timers again, also where the clock stands still.
constexpr int kTurnsTogether = 32;

// Names of fibers hold names of tenants and nodes; their first words are few.
const char* LabelOf(const Fiber& fiber) {
  if (fiber.activity) return fiber.activity;
  static constexpr const char* kNames[] = {
      "http connection", "http accept", "http client",  "checkpoint", "roll back",
      "write turn",      "move",        "peer link",    "drain",      "sync",
      "write back",      "presence",    "become",       "watch",      "resume",
      "settle",          "remove",      "end of",       "idle",       "pacer",
      "core call",       "register",    "sizes",        "latency",    "seal",
      "close",           "look of",     "objectives of"};
  for (const char* name : kNames)
    if (fiber.name.starts_with(name)) return name;
  return "fiber";
}

[[noreturn]] void BodyThrew(const std::string& name, const char* what) {
  const std::string why = "an exception left the fiber '" + name + "': " + what;
  CheckFailed("no exception leaves a fiber", __FILE__, __LINE__, why.c_str());
}

}  // namespace

Fiber* CurrentFiber() {
  return current_fiber;
}

void** FiberLocal(FiberSlot slot) {
  return current_fiber ? &current_fiber->locals[static_cast<size_t>(slot)] : nullptr;
}

Fiber::Fiber(FiberScheduler& the_scheduler, std::string the_name, std::function<void()> body,
             FiberStack the_stack)
    : scheduler(the_scheduler),
      name(std::move(the_name)),
      stack(std::move(the_stack)),
      body_(std::move(body)),
      watched_(MakeWatchedFiber()) {
  boost::context::stack_context bounds;
  bounds.sp = stack.top();
  bounds.size = stack.size();
  context_ =
      boost::context::fiber(std::allocator_arg, boost::context::preallocated(bounds.sp, bounds.size, bounds),
                            BorrowedStack(), [this](boost::context::fiber&& loop) {
                              FinishSwitch(nullptr, &sanitizer_loop_bottom_, &sanitizer_loop_bytes_);
                              loop_ = std::move(loop);
                              RunBody();
                              state = State::kReturned;
                              StartSwitch(nullptr, sanitizer_loop_bottom_, sanitizer_loop_bytes_);
                              TW_SWITCH_WATCHED(watched_loop_);
                              return std::move(loop_);
                            });
}

Fiber::~Fiber() {
  EndWatchedFiber(watched_);
}

void Fiber::RunBody() {
  try {
    body_();
    body_ = nullptr;  // What it captured ends in the fiber, where it may look at CurrentFiber().
  } catch (const std::exception& exception) {
    BodyThrew(name, exception.what());
  } catch (...) {
    BodyThrew(name, "not a std::exception");
  }
}

void Fiber::Resume() {
  state = State::kRunning;
  Fiber* const outer = std::exchange(current_fiber, this);
  SwapExceptionState(exceptions_);
  void* sanitizer_loop = nullptr;
  StartSwitch(&sanitizer_loop, stack.bottom(), stack.size());
  watched_loop_ = TW_WATCHED_FIBER();
  TW_SWITCH_WATCHED(watched_);
  context_ = std::move(context_).resume();
  FinishSwitch(sanitizer_loop, nullptr, nullptr);
  SwapExceptionState(exceptions_);
  current_fiber = outer;
}

void Fiber::SwitchToLoop(State the_state) {
  state = the_state;
  StartSwitch(&sanitizer_fiber_, sanitizer_loop_bottom_, sanitizer_loop_bytes_);
  TW_SWITCH_WATCHED(watched_loop_);
  loop_ = std::move(loop_).resume();
  FinishSwitch(sanitizer_fiber_, &sanitizer_loop_bottom_, &sanitizer_loop_bytes_);
}

FiberScheduler::~FiberScheduler() {
  for (const auto& fiber : fibers_) log::error("fiber '{}' has not returned", fiber->name);
  TW_CHECK(fibers_.empty(), "a core goes away while fibers live");
}

void FiberScheduler::Spawn(std::string name, std::function<void()> body) {
  auto fiber = std::make_unique<Fiber>(*this, std::move(name), std::move(body), stacks_.Take());
  fiber->index = fibers_.size();
  // Where there is no memory, nothing is to be left of the fiber.
  if (fibers_.size() == fibers_.capacity()) fibers_.reserve(2 * fibers_.size() + 16);
  Enqueue(fiber.get());
  fibers_.push_back(std::move(fiber));
}

void FiberScheduler::Enqueue(Fiber* fiber) {
  if (fiber->share)
    turns_.Push(fiber);
  else
    ready_.push_back(Entry{fiber, nullptr});
}
void FiberScheduler::Enqueue(std::function<void()> task) {
  ready_.push_back(Entry{nullptr, std::move(task)});
}

// Takes the first entries of a queue out and runs them; what is queued meanwhile stays.
void FiberScheduler::RunFirst(std::vector<Entry>& queue, size_t count) {
  turn_.swap(queue);
  if (count < turn_.size()) {
    queue.assign(std::make_move_iterator(turn_.begin() + static_cast<ptrdiff_t>(count)),
                 std::make_move_iterator(turn_.end()));
    turn_.resize(count);
  }
  for (Entry& entry : turn_) {
    if (entry.fiber != nullptr)
      RunFiber(entry.fiber);
    else
      RunTask(entry);
  }
  turn_.clear();
}

// What has come goes first, then tenants, then what works for nobody and has given its turn up: once the tenants have
// had as much as one of it may take.
void FiberScheduler::RunTurn() {
  TW_CHECK(!in_turn_, "the loop of a core runs inside itself");
  in_turn_ = true;
  const size_t gave_way = again_.size();  // Who does so from here on lets what comes meanwhile run first.
  RunFirst(ready_, ready_.size());
  const TimePoint until = watch_.began() + limits::kPollInterval;
  for (int turns = 0; turns < kTurnsTogether && !turns_.empty(); ++turns) {
    const TimePoint began = watch_.began();
    RunFiber(static_cast<Fiber*>(turns_.Pop()));
    tenants_had_ += std::max<Duration>(watch_.began() - began, limits::kPollInterval);
    if (!ready_.empty() || watch_.began() >= until) break;
  }
  if (turns_.empty() || tenants_had_ >= limits::kTimeSlice) {
    tenants_had_ = Duration::zero();
    RunFirst(again_, gave_way);
  }
  in_turn_ = false;
}

void FiberScheduler::RunTask(Entry& entry) {
  entry.task();
  entry.task = nullptr;
  NoteRan("task");
}

void FiberScheduler::NoteRan(const char* label) {
  watch_.End(core_.TurnTime(), label, [this] { return core_.ProcessorTime(); });
}

void FiberScheduler::Enter(Fiber* fiber, std::string_view share) {
  auto found = shares_.find(share);
  if (found == shares_.end()) {
    turns_.Reserve(shares_.size() + 1);
    found = shares_.try_emplace(std::string(share)).first;
    found->second.name = share;
    if (const auto metered = metered_.find(share); metered != metered_.end())
      found->second.metered = &metered->second;
  }
  ++found->second.fibers;
  fiber->named = &found->second;
  fiber->share = &found->second.share;
  fiber->had = Duration::zero();
  fiber->charged_from = core_.TurnTime();
  const bool waits = turns_.has_others_first();
  turns_.Begin(fiber);
  if (waits) fiber->SwitchToLoop(Fiber::State::kReady);
}

void FiberScheduler::Leave(Fiber* fiber) {
  const TimePoint now = core_.TurnTime();
  EndTurn(fiber, now - std::max(fiber->charged_from, watch_.began()));
  fiber->share = nullptr;
  NamedShare* const named = std::exchange(fiber->named, nullptr);
  if (--named->fibers == 0) shares_.erase(shares_.find(named->name));
}

void FiberScheduler::EndTurn(Fiber* fiber, Duration took) {
  turns_.End(fiber, took);
  if (fiber->named->metered) fiber->named->metered->used += took;
}

MeteredShare& FiberScheduler::BeginMetering(std::string_view share) {
  auto found = metered_.find(share);
  if (found == metered_.end()) {
    found = metered_.try_emplace(std::string(share)).first;
    found->second.name = share;
    if (const auto running = shares_.find(share); running != shares_.end())
      running->second.metered = &found->second;
  }
  ++found->second.meters;
  return found->second;
}

void FiberScheduler::EndMetering(MeteredShare& metered) {
  if (--metered.meters > 0) return;
  if (const auto running = shares_.find(metered.name); running != shares_.end())
    running->second.metered = nullptr;
  metered_.erase(metered_.find(metered.name));
}

// Nothing keeps what comes waiting for as long as a turn may last: it looks whether anything that goes first has come
// meanwhile. What is short goes before all but input, and a look costs it more of its time, so it looks less often; and
// not at all while it holds a lock, since whoever waits for that would wait for what has come, too.
bool FiberScheduler::IsTurnOver(Fiber* fiber) {
  const TimePoint now = core_.Now();
  const Duration lasted = now - watch_.began();
  if (lasted >= limits::kTimeSlice) return true;
  const bool is_short = fiber->share && fiber->lane == TurnShare::kShort;
  if (is_short && fiber->locks_held > 0) return false;
  if (lasted < (is_short ? limits::kShortTurnLook : limits::kPollInterval)) return false;
  core_.LookForInput(now);
  return !ready_.empty() || (!is_short && turns_.is_short_next());
}

void FiberScheduler::ChangeActivity(Fiber* fiber, const char* activity) {
  watch_.Change(core_.TurnTime(), LabelOf(*fiber));
  fiber->activity = activity;
}

void FiberScheduler::RunFiber(Fiber* fiber) {
  fiber->charged_from = watch_.began();
  fiber->Resume();
  const TimePoint began = watch_.began();
  NoteRan(LabelOf(*fiber));
  if (fiber->share) {
    EndTurn(fiber, watch_.began() - std::max(fiber->charged_from, began));
    if (fiber->state == Fiber::State::kReady) turns_.Push(fiber);
  }
  if (fiber->state != Fiber::State::kReturned) return;
  UnpoisonTop(fiber->stack);
  FiberStack stack = std::move(fiber->stack);
  fibers_.back()->index = fiber->index;
  std::swap(fibers_[fiber->index], fibers_.back());
  fibers_.pop_back();
  stacks_.Return(std::move(stack));
}

}  // namespace tradewind::runtime
