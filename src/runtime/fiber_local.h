// One pointer that belongs to the running fiber: for what has to find its own state again in calls that come
// back through a library. It begins as null.
#pragma once

namespace tradewind::runtime {

// Null outside a fiber.
void** FiberLocal();

}  // namespace tradewind::runtime
