// What a token lets its bearer do: a JSON Web Token (RFC 7519) signed with EdDSA over Ed25519 (RFC 8037), with the
// claims that libsql-server knows:
//
//   exp   Unix seconds from when on it is worth nothing; without it, it is worth something for ever
//   nbf   Unix seconds until when it is worth nothing
//   id    the one tenant that it is for; without it (and without p) every tenant
//   a     "rw" (the default) or "ro", with id
//   p     {"ro"|"rw"|"roa"|"rwa"|"ddl": {"ns": [tenant, ...]}}, instead of id and a. The a of roa and rwa, which lets
//         libsql-server attach the tenant elsewhere, adds nothing here. Where there is a "ddl", the schema of no other
//         tenant may be changed; where there is none, who may write may change it
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tradewind::auth {

inline constexpr size_t kTokenBytes = 16u << 10;

enum class Access { kNone, kRead, kWrite };

// What its bearer may do at one tenant.
struct Grant {
  Access access = Access::kNone;
  bool may_change_schema = false;
  auto operator<=>(const Grant&) const = default;
};

struct Token {
  std::optional<int64_t> expires_at_s;
  std::optional<int64_t> not_before_s;
  Access everywhere = Access::kNone;  // At tenants that are not named below.
  std::set<TenantName> readable;
  std::set<TenantName> writable;
  // The tenants whose schema may be changed, if that is not all that may be written.
  std::optional<std::set<TenantName>> schemas;

  Grant At(const TenantName& tenant) const;
};

// Fails (kUnauthorized) with AUTH_JWT_EXPIRED or AUTH_JWT_IMMATURE at a time that is not the token's.
Result<void> CheckTimes(const Token& token, int64_t now_s);

// The claims as JSON, and back; fails with AUTH_JWT_INVALID (kUnauthorized). Any text.
std::string ToClaims(const Token& token);
Result<Token> ParseClaims(std::string_view json);

// Errors of all that follows: KEY_INVALID (kInvalid), and what is said there.
class SigningKey {
 public:
  static SigningKey Generate();
  // PEM (PKCS #8).
  static Result<SigningKey> Parse(const std::string& pem);
  std::string PrivatePem() const;
  std::string PublicPem() const;
  std::string Sign(const Token& token) const;

 private:
  friend class VerifyingKeys;
  struct Key;
  explicit SigningKey(std::shared_ptr<const Key> key) : key_(std::move(key)) {}
  std::shared_ptr<const Key> key_;
};

// The public keys of which any may have signed a token: while keys are replaced there are several.
class VerifyingKeys {
 public:
  // One or more public keys: PEM, one after the other, or the 32 bytes of one as base64 for URLs (what libsql-server
  // takes too). A private key is refused with what to do.
  static Result<VerifyingKeys> Parse(std::string_view text);
  void Add(const VerifyingKeys& more);
  bool empty() const { return keys_.empty(); }

  // The token of "Authorization: Bearer JWT", at a time. Fails (kUnauthorized) with AUTH_JWT_INVALID (no token of one of
  // these keys, whatever else it is), AUTH_JWT_EXPIRED, AUTH_JWT_IMMATURE. Any bytes.
  Result<Token> Verify(std::string_view jwt, int64_t now_s) const;

 private:
  std::vector<std::shared_ptr<const SigningKey::Key>> keys_;
};

}  // namespace tradewind::auth
