#include "base/out_of_memory.h"

#include <new>

namespace tradewind {

void ThrowOutOfMemory() {
  throw std::bad_alloc();
}

}  // namespace tradewind
