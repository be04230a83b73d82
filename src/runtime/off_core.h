// What takes a time that grows with a message goes off the core where the message is large.
#pragma once

#include <optional>
#include <utility>

#include "base/limits.h"
#include "runtime/fiber.h"

namespace tradewind::runtime {

// What `work` returns, called off the core. It must not touch anything of the core. Suspends.
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
  return OffCore(CurrentCore(), work);
}

// Destroys what a large message has become: a million small values take as long as they took to make.
template <typename Object>
void DiscardOffCoreIfLarge(size_t bytes, Object& object) {
  if (bytes < limits::kOffCoreBytes || CurrentFiber() == nullptr) return;
  CurrentCore().RunOffCore([&] { Object ends = std::exchange(object, Object()); });
}

}  // namespace tradewind::runtime
