#include "runtime/core.h"

#include <utility>

#include "base/check.h"
#include "runtime/call_on.h"
#include "runtime/descriptors.h"
#include "runtime/fiber_scheduler.h"

namespace tradewind::runtime {

constinit thread_local const Core* Core::of_thread_ = nullptr;

Core::Core()
    : fibers_(std::make_unique<FiberScheduler>(*this)), descriptors_(std::make_unique<Descriptors>(*this)) {}
Core::~Core() = default;

void Core::Spawn(std::string name, std::function<void()> body) {
  fibers_->Spawn(std::move(name), std::move(body));
}
size_t Core::fiber_count() const {
  return fibers_->fibers().size();
}

std::vector<std::string> Core::fiber_names() const {
  std::vector<std::string> names;
  for (const auto& fiber : fibers_->fibers()) names.push_back(fiber->name);
  return names;
}

void Core::Enqueue(std::function<void()> task) {
  fibers_->Enqueue(std::move(task));
}
bool Core::HasReady() const {
  return fibers_->HasReady();
}
void Core::RunTurn() {
  const Running running(*this);
  fibers_->RunTurn();
}
void Core::NoteRan(const char* label) {
  fibers_->NoteRan(label);
}
const TurnWatch& Core::turn_watch() const {
  return fibers_->watch();
}

void Core::CheckNobodyRuns() const {
  TW_CHECK(of_thread_ == nullptr && !runs_.load(std::memory_order_acquire),
           "what belongs to one core is used on another, or on no core's thread");
}

Core::Running::Running(Core& core) : core_(core), outer_(of_thread_) {
  if (outer_ == &core_) return;
  TW_CHECK(!core_.runs_.exchange(true, std::memory_order_acquire), "two threads run one core");
  of_thread_ = &core_;
}

Core::Running::~Running() {
  if (outer_ == &core_) return;
  of_thread_ = outer_;
  core_.runs_.store(false, std::memory_order_release);
}

void Core::SetSiblings(std::span<Core* const> siblings, size_t number) {
  TW_CHECK(number < siblings.size() && siblings[number] == this, "a core is not where its node has it");
  siblings_ = siblings;
  number_ = number;
}

void Core::Send(Core& to, CoreCall& call) noexcept {
  to.Post([&to, &call] { to.Take(call); });
}

void Core::Take(CoreCall& call) noexcept {
  call.Come(*this);
}

}  // namespace tradewind::runtime
