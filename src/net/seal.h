// The seal of a call between nodes: a hash over all of the message that anybody looks at, in a header field
// of its own, so that a bit that flips on the way is noticed before anything is believed.
//
//   x-tradewind-seal: <16 hexadecimal digits of xxh3>-<length of the body>
//
// A sealed message carries kSealedFields and no others, so a field that is not covered cannot be relied upon
// by mistake. The length stands in the seal too, because the reader of a message with a wrong Content-Length
// would wait for bytes that never come.
//
// An answer's hash is seeded with that of its request: it belongs to this call. A request that was refused
// before its handler was called (damaged, not HTTP, too large) is answered with kRefusalSeed instead; the
// caller knows then that it did not run.
//
// Not against an adversary.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace tradewind::net {

inline constexpr std::string_view kSealField = "x-tradewind-seal";
// The call is sent on for a client, and must not be sent on again.
inline constexpr std::string_view kForwardedField = "x-tradewind-forwarded";
inline constexpr std::array<std::string_view, 4> kSealedFields = {"content-type", "allow", "x-namespace",
                                                                  kForwardedField};
inline constexpr uint64_t kRefusalSeed = 0x7265667573616c21u;

// kUnavailable: the call was damaged on its way, and surely did not run.
inline constexpr std::string_view kCallDamagedCode = "CALL_DAMAGED";

struct Seal {
  uint64_t hash = 0;
  uint64_t body_bytes = 0;
  bool operator==(const Seal&) const = default;
};

// `upgrade`: the protocol that the request asks for, if any.
Seal SealOf(const HttpRequest& request, std::string_view upgrade);
// `body` is what is sent: nothing when the status allows none.
Seal SealOf(const HttpResponse& response, std::string_view body, uint64_t seed);

std::string ToText(const Seal& seal);
// None when the text is no seal.
std::optional<Seal> ParseSeal(std::string_view text);
// Fails with BAD_MESSAGE when the fields hold a seal that names another length.
Result<void> CheckSealedLength(const Headers& headers, uint64_t body_bytes);

}  // namespace tradewind::net
