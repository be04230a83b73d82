// Who may ask a node for what (docs/security.md):
//
//   a tenant       with keys: who bears a token that one of them has signed, as far as it goes (token.h); without keys
//                  everybody. A tenant that a token does not name is to its bearer as one that does not exist
//   the admin API  with an admin token: who bears that, which opens every tenant too; without one everybody
//
// What a token says is kept once its signature was found right (to check one takes longer than to read a row), and its
// times are looked at for each request.
//
// One core only; each has its own.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "auth/token.h"
#include "base/ids.h"
#include "base/result.h"

namespace tradewind::auth {

// What is asked for: the same on all cores of a node.
struct Locks {
  VerifyingKeys keys;       // Empty: tenants are open.
  std::string admin_token;  // Empty: the admin API is open.
};

// Tokens that a core remembers. A full table begins anew: who would fill it needs as many that are right.
inline constexpr size_t kVerifiedTokens = 4'096;

class Authenticator {
 public:
  // Asks nobody.
  Authenticator() = default;
  explicit Authenticator(Locks locks);
  // From the next request on; what the old keys have signed is looked at again.
  void Replace(Locks locks);

  // The value of an Authorization field, if there is one. All fail (kUnauthorized) with AUTH_HEADER_NOT_FOUND,
  // AUTH_HEADER_INVALID ("Bearer TOKEN" is what is read) or as VerifyingKeys::Verify() does.
  using Authorization = std::optional<std::string_view>;

  // At a tenant of that name, whether there is one or not. Who may not even read there is to be told that there is none.
  Result<Grant> AtTenant(Authorization authorization, const TenantName& tenant, int64_t now_s);
  // Fails also with ADMIN_TOKEN_WRONG.
  Result<void> AsAdmin(Authorization authorization) const;

 private:
  using Digest = std::array<unsigned char, 32>;  // SHA-256.
  static Digest DigestOf(std::string_view text);
  bool IsAdminToken(std::string_view token) const;

  VerifyingKeys keys_;
  std::optional<Digest> admin_token_;
  std::map<std::string, Token, std::less<>> verified_;
};

}  // namespace tradewind::auth
