#include "mysql/native_password.h"

#include <fmt/ranges.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <initializer_list>
#include <memory>

#include "base/check.h"

namespace tradewind::mysql {
namespace {

using Digest = PasswordKey::Digest;

std::string_view Text(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Digest Sha1(std::initializer_list<std::string_view> parts) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  Digest digest;
  unsigned int size = 0;
  bool done = context && EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr) == 1;
  for (const std::string_view part : parts)
    done = done && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  done = done && EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1;
  TW_CHECK(done && size == digest.size(), "OpenSSL has SHA-1");
  return digest;
}

void ExclusiveOr(Digest& digest, const Digest& other) {
  for (size_t at = 0; at < digest.size(); ++at) digest[at] ^= other[at];
}

int HexadecimalDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

PasswordKey PasswordKey::OfPassword(std::string_view password) {
  Digest digest = Sha1({password});
  const PasswordKey key(digest);
  OPENSSL_cleanse(digest.data(), digest.size());
  return key;
}

PasswordKey::~PasswordKey() {
  OPENSSL_cleanse(digest_.data(), digest_.size());
}

PasswordVerifier::PasswordVerifier(const PasswordKey& key) : digest_(Sha1({Text(key.digest())})) {}

std::optional<PasswordVerifier> PasswordVerifier::Parse(std::string_view stored) {
  Digest digest;
  if (stored.size() != 1 + 2 * digest.size() || stored.front() != '*') return std::nullopt;
  for (size_t at = 0; at < digest.size(); ++at) {
    const int high = HexadecimalDigit(stored[1 + 2 * at]);
    const int low = HexadecimalDigit(stored[2 + 2 * at]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[at] = static_cast<unsigned char>(high << 4 | low);
  }
  return PasswordVerifier(digest);
}

std::string PasswordVerifier::Stored() const {
  return fmt::format("*{:02X}", fmt::join(digest_, ""));
}

std::optional<PasswordKey> PasswordVerifier::Recover(std::string_view scramble,
                                                     std::string_view reply) const {
  Digest digest;
  if (reply.size() != digest.size()) return std::nullopt;
  digest = Sha1({scramble, Text(digest_)});
  for (size_t at = 0; at < digest.size(); ++at) digest[at] ^= static_cast<unsigned char>(reply[at]);
  const PasswordKey key(digest);
  OPENSSL_cleanse(digest.data(), digest.size());
  const Digest proven = Sha1({Text(key.digest())});
  if (CRYPTO_memcmp(proven.data(), digest_.data(), proven.size()) != 0) return std::nullopt;
  return key;
}

std::string NativeReply(const PasswordKey& key, std::string_view scramble) {
  Digest reply = Sha1({scramble, Text(PasswordVerifier(key).digest_)});
  ExclusiveOr(reply, key.digest());
  return std::string(Text(reply));
}

}  // namespace tradewind::mysql
