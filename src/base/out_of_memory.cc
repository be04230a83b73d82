#include "base/out_of_memory.h"

namespace tradewind {

Error OutOfMemory() {
  return Error{ErrorKind::kUnavailable, "OUT_OF_MEMORY", "out of memory", "try again"};
}

void ThrowOutOfMemory() {
  throw std::bad_alloc();
}

}  // namespace tradewind
