#include "auth/authenticator.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <utility>

#include "base/ascii.h"
#include "base/check.h"

namespace tradewind::auth {

namespace {

constexpr Grant kEverything{Access::kWrite, true};

// Of "Bearer TOKEN", as in RFC 6750, section 2.1.
Result<std::string_view> BearerIn(Authenticator::Authorization authorization, std::string_view of_what) {
  if (!authorization)
    return Fail(ErrorKind::kUnauthorized, "AUTH_HEADER_NOT_FOUND",
                "this node asks for a token, and the request has none",
                "send it in the field Authorization: Bearer TOKEN, with " + std::string(of_what));
  constexpr std::string_view kScheme = "Bearer ";
  const bool is_bearer = EqualsIgnoringCase(authorization->substr(0, kScheme.size()), kScheme);
  const std::string_view token =
      is_bearer ? Trimmed(authorization->substr(kScheme.size())) : std::string_view();
  if (!token.empty()) return token;
  return Fail(ErrorKind::kUnauthorized, "AUTH_HEADER_INVALID",
              "the field Authorization of the request is not of the form Bearer TOKEN", "write it so");
}

}  // namespace

Authenticator::Authenticator(Locks locks) {
  Replace(std::move(locks));
}

void Authenticator::Replace(Locks locks) {
  keys_ = std::move(locks.keys);
  admin_token_.reset();
  if (!locks.admin_token.empty()) admin_token_ = DigestOf(locks.admin_token);
  verified_.clear();
}

Authenticator::Digest Authenticator::DigestOf(std::string_view text) {
  Digest digest{};
  TW_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1,
           "a token could not be compared");
  return digest;
}

// Digests have one length, and are compared in a time that does not depend on where they differ.
bool Authenticator::IsAdminToken(std::string_view token) const {
  if (!admin_token_) return false;
  const Digest given = DigestOf(token);
  return CRYPTO_memcmp(given.data(), admin_token_->data(), given.size()) == 0;
}

// Most requests show a token that was right before: that costs them one look.
Result<Grant> Authenticator::AtTenant(Authorization authorization, const TenantName& tenant, int64_t now_s) {
  if (keys_.empty()) return kEverything;
  TW_TRY_ASSIGN(const std::string_view bearer, BearerIn(authorization, "one for the tenant"));
  auto known = verified_.find(bearer);
  if (known == verified_.end()) {
    if (IsAdminToken(bearer)) return kEverything;
    TW_TRY_ASSIGN(Token token, keys_.Verify(bearer, now_s));
    if (verified_.size() >= kVerifiedTokens) verified_.clear();
    known = verified_.emplace(bearer, std::move(token)).first;
  } else if (Result<void> in_time = CheckTimes(known->second, now_s); !in_time) {
    verified_.erase(known);
    return Fail(std::move(in_time).error());
  }
  return known->second.At(tenant);
}

Result<void> Authenticator::AsAdmin(Authorization authorization) const {
  if (!admin_token_) return {};
  TW_TRY_ASSIGN(const std::string_view bearer, BearerIn(authorization, "the node's admin token"));
  if (IsAdminToken(bearer)) return {};
  return Fail(ErrorKind::kUnauthorized, "ADMIN_TOKEN_WRONG", "this is not the admin token of this node",
              "give what its --admin-token-file holds, as --token or in TRADEWIND_TOKEN_FILE");
}

}  // namespace tradewind::auth
