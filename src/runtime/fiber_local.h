// Pointers that belong to the running fiber: for what has to find its own state again in calls that come back
// through a library. They begin as null.
#pragma once

namespace tradewind::runtime {

// One for each that wants one.
enum class FiberSlot { kMemoryBudget, kPauses };

// Null outside a fiber.
void** FiberLocal(FiberSlot slot = FiberSlot::kMemoryBudget);

}  // namespace tradewind::runtime
