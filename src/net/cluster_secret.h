// What the nodes of a cluster share, so that each knows a call of another. The secret never travels: who has it
// can make a proof of what a message says, and of nothing else.
//
//   proof = nonce (16 hexadecimal digits), HMAC-SHA256 (RFC 2104) over the nonce and the parts of the message,
//           each behind its length; the first 128 bits of it, as 32 hexadecimal digits
//
// The nonce is drawn for each call, and an answer's proof is over the one of its call too, so neither an answer
// nor a part of one can be used again. Nor can a call as a whole: its proof is over its place as well (seal.h).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace tradewind::net {

class ClusterSecret {
 public:
  ClusterSecret() = default;  // None: nothing is proved, and nothing has to be.
  // Any bytes; those of src/cli/cluster_secret_file.h have 32 at least.
  explicit ClusterSecret(std::string bytes) : bytes_(std::move(bytes)) {}

  bool empty() const { return bytes_.empty(); }
  // Requires: the secret is not empty. No memory for it fails the process, as everywhere that a check would be left
  // out otherwise.
  std::string Prove(uint64_t nonce, std::span<const std::string_view> parts) const;
  // In a time that does not depend on where the proof is wrong.
  bool IsProof(std::string_view proof, std::span<const std::string_view> parts) const;

 private:
  std::string bytes_;
};

inline constexpr size_t kProofDigits = 48;
// Whether the text has the form of a proof.
bool LooksLikeProof(std::string_view text);

}  // namespace tradewind::net
