#include "runtime/call_on.h"

#include <exception>
#include <new>

#include "base/check.h"
#include "base/out_of_memory.h"
#include "runtime/fiber.h"

namespace tradewind::runtime {

CoreCall::CoreCall() : from_(CurrentCore()), fiber_(CurrentFiber()) {}

void CoreCall::RunOn(Core& core) {
  TW_CHECK(core.siblings().data() == from_.siblings().data(), "a call goes to a core of the same node");
  from_.Send(core, *this);
  Suspend();
  if (out_of_memory_) ThrowOutOfMemory();
}

// The fiber may find no memory. Then the call fails, and this core goes on.
void CoreCall::Come(Core& core) noexcept {
  if (answered_) {
    Wake(fiber_);
    return;
  }
  try {
    core.Spawn("core call", [this] { RunAndAnswer(); });
  } catch (const std::bad_alloc&) {
    answered_ = out_of_memory_ = true;
    core.Send(from_, *this);
  }
}

// What the caller has sent is the caller's again as soon as it is on its way back.
void CoreCall::RunAndAnswer() noexcept {
  try {
    Run();
  } catch (const std::bad_alloc&) {
    out_of_memory_ = true;
  } catch (const std::exception& exception) {
    CheckFailed("no exception leaves a call to another core", __FILE__, __LINE__, exception.what());
  }
  answered_ = true;
  CurrentCore().Send(from_, *this);
}

void SpawnOn(Core& here, Core& core, std::string name, std::function<void()> body) {
  here.Spawn(std::move(name), [&core, body = std::move(body)]() mutable {
    CallOn(core, [&body] {
      const std::function<void()> own = std::move(body);
      own();
    });
  });
}

}  // namespace tradewind::runtime
