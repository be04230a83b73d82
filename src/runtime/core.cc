#include "runtime/core.h"

#include <utility>

#include "runtime/descriptors.h"
#include "runtime/fiber_scheduler.h"

namespace tradewind::runtime {

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
  fibers_->RunTurn();
}
void Core::NoteRan(const char* label) {
  fibers_->NoteRan(label);
}
const TurnWatch& Core::turn_watch() const {
  return fibers_->watch();
}

}  // namespace tradewind::runtime
