// Base64 (RFC 4648, the standard alphabet), as Hrana carries blobs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tradewind::net {

// Without padding. Suspends now and then where it is large.
void AppendBase64(std::string& out, std::string_view bytes);
std::string EncodeBase64(std::string_view bytes);

// Takes it with or without padding; nothing when a character or the length is wrong.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace tradewind::net
