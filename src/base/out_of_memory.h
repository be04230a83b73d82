// For memory that is not taken with new.
#pragma once

namespace tradewind {

// Throws what new throws when there is no memory.
[[noreturn]] void ThrowOutOfMemory();

}  // namespace tradewind
