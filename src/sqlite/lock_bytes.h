// The bytes of a database file that SQLite locks (https://sqlite.org/lockingv3.html): pending, reserved and
// shared. Whoever wants to read or write, in any journal mode, begins with a lock on the first.
#pragma once

#include "runtime/disk.h"

namespace tradewind::sqlite {

inline constexpr runtime::File::Range kLockBytes{0x40000000, 512};

}  // namespace tradewind::sqlite
