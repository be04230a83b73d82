// What takes a time that grows with a message goes off the core where the message is large.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "runtime/fiber.h"

namespace tradewind::runtime {

// Runs `work` as RunOffCore() of the calling fiber's core does, for what computes and may take seconds. It has threads of
// its own, and the tenants their turns at them (turns.h), so that neither the disk nor another tenant waits for it.
// Outside a fiber it runs at once, on this thread.
void ComputeOffCore(const std::function<void()>& work);

// What `work` returns, called off the core, where it may wait. It must not touch anything of the core. Suspends.
template <typename Work>
auto OffCore(Core& core, const Work& work) {
  std::optional<decltype(work())> result;
  core.RunOffCore([&] { result.emplace(work()); });
  return *std::move(result);
}

// The same: called here, or off the core if it has to do with so many bytes. Suspends then.
template <typename Work>
auto OffCoreIfLarge(size_t bytes, const Work& work) {
  if (bytes < limits::kOffCoreBytes || CurrentFiber() == nullptr) return work();
  std::optional<decltype(work())> result;
  ComputeOffCore([&] { result.emplace(work()); });
  return *std::move(result);
}

// Destroys what a large message has become: a million small values take as long as they took to make.
template <typename Object>
void DiscardOffCoreIfLarge(size_t bytes, Object& object) {
  if (bytes < limits::kOffCoreBytes || CurrentFiber() == nullptr) return;
  ComputeOffCore([&] { Object ends = std::exchange(object, Object()); });
}

}  // namespace tradewind::runtime
