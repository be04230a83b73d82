// The seal of a call between nodes: a hash over all of the message that anybody looks at, in a header field
// of its own, so that a bit that flips on the way is noticed before anything is believed.
//
//   x-tradewind-seal: <16 hexadecimal digits of xxh3>-<length of the body>[-<proof>]
//
// The hash tells damage; the proof, by the secret that the nodes of a cluster share (cluster_secret.h), that a node of
// the cluster says this, and covers the same. Without a secret, in a simulation, there is none.
//
// A sealed message carries kSealedFields and no others, so a field that is not covered cannot be relied upon
// by mistake. The length stands in the seal too, because the reader of a message with a wrong Content-Length
// would wait for bytes that never come.
//
// A proof of a call covers its place too, so that whoever has recorded the call cannot have it run once more: the
// connection, by a challenge of 128 random bits that the client asks the server for before its first call (GET
// kChallengePath, answered by HttpServer itself, to anybody), and how many calls it has carried before.
//
// An answer's hash is seeded with that of its request: it belongs to this call. A request that was refused
// before its handler was called (damaged, not HTTP, too large) is answered with kRefusalSeed instead; the
// caller knows then that it did not run. So is a call without the right proof, and no such answer has one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/cluster_secret.h"
#include "net/http.h"
#include "runtime/core.h"

namespace tradewind::net {

inline constexpr std::string_view kSealField = "x-tradewind-seal";
// The call is sent on for a client, and must not be sent on again.
inline constexpr std::string_view kForwardedField = "x-tradewind-forwarded";
// What the client may do whose call is sent on, as far as that is not everything.
inline constexpr std::string_view kRightsField = "x-tradewind-rights";
inline constexpr std::array<std::string_view, 4> kSealedFields = {"content-type", "allow", "x-namespace",
                                                                  kForwardedField};
// Sealed where a message has them: so one without is sealed as by versions that do not know them, which refuse one with
// (CALL_DAMAGED). What is added from now on belongs here.
inline constexpr std::array<std::string_view, 1> kLaterSealedFields = {kRightsField};
inline constexpr uint64_t kRefusalSeed = 0x7265667573616c21u;

// kUnavailable: the call was damaged on its way, and surely did not run.
inline constexpr std::string_view kCallDamagedCode = "CALL_DAMAGED";
// kUnavailable: the other node has another secret, and the call did not run.
inline constexpr std::string_view kSecretWrongCode = "CLUSTER_SECRET_WRONG";
inline constexpr std::string_view kSecretWrongAction =
    "start all nodes as the same user on one machine; or give each a copy of one file with "
    "--cluster-secret-file";

inline constexpr std::string_view kChallengePath = "/v1/internal/challenge";

// The place of a call.
struct CallPlace {
  std::string challenge = {};  // Empty: none was asked for, and no call is proven.
  uint64_t number = 0;
};

struct Seal {
  uint64_t hash = 0;
  uint64_t body_bytes = 0;
  std::string proof = {};  // Empty: none.
  bool operator==(const Seal&) const = default;
  // Whether the message came as it was sent; by whom is another matter.
  bool IsOfSameMessage(const Seal& other) const {
    return hash == other.hash && body_bytes == other.body_bytes;
  }
};

// `upgrade`: the protocol that the request asks for, if any.
Seal SealOf(const HttpRequest& request, std::string_view upgrade);
// `body` is what is sent: nothing when the status allows none.
Seal SealOf(const HttpResponse& response, std::string_view body, uint64_t seed);

// Proofs of what the seals above cover; a large message is looked at off the core. An answer's is over its request's as
// well. Without a secret none is made, and every one is right. Suspend.
std::string Prove(runtime::Core& core, const ClusterSecret& secret, const HttpRequest& request,
                  std::string_view upgrade, const CallPlace& place);
bool IsProven(runtime::Core& core, const ClusterSecret& secret, const HttpRequest& request,
              std::string_view upgrade, const CallPlace& place, std::string_view proof);
std::string Prove(runtime::Core& core, const ClusterSecret& secret, const HttpResponse& response,
                  std::string_view body, std::string_view request_proof);
bool IsProven(runtime::Core& core, const ClusterSecret& secret, const HttpResponse& response,
              std::string_view body, std::string_view request_proof, std::string_view proof);

std::string ToText(const Seal& seal);
// None when the text is no seal.
std::optional<Seal> ParseSeal(std::string_view text);
// Fails with BAD_MESSAGE when the fields hold a seal that names another length.
Result<void> CheckSealedLength(const Headers& headers, uint64_t body_bytes);

}  // namespace tradewind::net
