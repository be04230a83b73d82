// The address that `tradewind serve --listen` takes.
#pragma once

#include <string_view>

#include "base/result.h"
#include "runtime/network.h"

namespace tradewind::program {

// "127.0.0.1:8080", "[::1]:8080", "localhost:0" (0: any free port). Fails with LISTEN_INVALID (kInvalid), which names the
// flag.
Result<runtime::Address> ParseListenAddress(std::string_view text, std::string_view flag);

// Whether only this machine can reach it: 127.0.0.0/8, ::1 or localhost.
bool IsLoopback(const runtime::Address& address);

}  // namespace tradewind::program
