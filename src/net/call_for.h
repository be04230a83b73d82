// Work for a request on another core of the node. Whoever waits for the answer may go meanwhile: that is noticed on the
// core of the connection, and what has to end then is elsewhere.
#pragma once

#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/out_of_memory.h"
#include "net/http.h"
#include "runtime/call_on.h"
#include "runtime/fiber.h"

namespace tradewind::net {

// Runs `work(Caller*)` on `core` and returns what it returned, as runtime::CallOn() does. The caller that `work` is given
// is the other core's own, and goes when `caller` does; on this core it is `caller` itself. A null caller never goes.
// Suspends.
template <typename Work>
std::invoke_result_t<const Work&, Caller*> CallOnFor(runtime::Core& core, Caller* caller, const Work& work) {
  using Value = std::invoke_result_t<const Work&, Caller*>;
  if (core.IsHere() || !caller) return runtime::CallOn(core, [&] { return work(caller); });
  Caller there;  // Of the other core, until it has heard all that is said to it.
  runtime::TaskGroup saying(runtime::CurrentCore());
  std::optional<Value> value;
  try {
    const Caller::Watch watch(caller, [&] {
      saying.Spawn("core call", [&] { runtime::CallOn(core, [&] { there.NoteGone(); }); });
    });
    value.emplace(runtime::CallOn(core, [&] { return work(&there); }));
  } catch (const std::bad_alloc&) {
  }
  saying.Join();
  if (!value) ThrowOutOfMemory();
  return *std::move(value);
}

}  // namespace tradewind::net
