// Where memory is lacking that a client or another node asks for: that costs what was asked, and no more.
#pragma once

#include <new>
#include <stdexcept>

#include "base/result.h"

namespace tradewind {

// There is no memory for what was asked. Making it takes none: its texts fit into the strings themselves.
Error OutOfMemory();

// What `call` returns, or OutOfMemory() where memory for it was lacking.
template <typename T, typename Call>
Result<T> OrOutOfMemory(const Call& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  return Fail(OutOfMemory());
}

// For memory that is not taken with new.

// Throws what new throws when there is no memory.
[[noreturn]] void ThrowOutOfMemory();

}  // namespace tradewind
