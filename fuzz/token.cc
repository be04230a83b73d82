// A token, its claims, the file of a key, an Authorization header.
#include "auth/token.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tradewind;
  static const auth::SigningKey key = auth::SigningKey::Generate();
  static const auth::VerifyingKeys keys = auth::VerifyingKeys::Parse(key.PublicPem()).value();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  TW_CHECK(!keys.Verify(text, 0), "a token of nobody was taken");
  if (const auto token = auth::ParseClaims(text)) {
    const auto again = auth::ParseClaims(auth::ToClaims(*token));
    TW_CHECK(again && again->everywhere == token->everywhere && again->expires_at_s == token->expires_at_s,
             "claims do not come back as they were");
  }
  static_cast<void>(auth::VerifyingKeys::Parse(text));
  static_cast<void>(auth::SigningKey::Parse(std::string(text)));
  return 0;
}
