// Base64 (RFC 4648).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tradewind {

enum class Base64 {
  kStandard,  // With + and /, as Hrana carries blobs.
  kUrl,       // With - and _, as JSON Web Tokens are written (RFC 7515, section 2).
};

// Without padding. Does not suspend: who encodes megabytes does it in pieces of whole groups of three bytes.
void AppendBase64(Base64 alphabet, std::string& out, std::string_view bytes);
std::string EncodeBase64(Base64 alphabet, std::string_view bytes);

// kStandard takes it with or without padding. kUrl takes what EncodeBase64() makes and no other text of the same bytes.
// Nothing when a character or the length is wrong.
std::optional<std::string> DecodeBase64(Base64 alphabet, std::string_view text);

}  // namespace tradewind
