#include "net/cluster_secret.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "base/check.h"

namespace tradewind::net {
namespace {

constexpr size_t kNonceDigits = 16;
constexpr size_t kMacBytes = 16;

using Context = std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)>;

void AddNumber(EVP_MAC_CTX* context, uint64_t number) {
  std::array<unsigned char, 8> bytes{};
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>(number & 0xff);
    number >>= 8;
  }
  TW_CHECK(EVP_MAC_update(context, bytes.data(), bytes.size()) == 1, "a hash takes any bytes");
}

}  // namespace

std::string ClusterSecret::Prove(uint64_t nonce, std::span<const std::string_view> parts) const {
  TW_CHECK(!bytes_.empty(), "nothing is proved without a secret");
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  TW_CHECK(mac != nullptr, "OpenSSL has HMAC");
  const Context context(EVP_MAC_CTX_new(mac), &EVP_MAC_CTX_free);
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string("digest", digest.data(), digest.size()), OSSL_PARAM_construct_end()};
  TW_CHECK(context && EVP_MAC_init(context.get(), reinterpret_cast<const unsigned char*>(bytes_.data()),
                                   bytes_.size(), parameters.data()) == 1,
           "OpenSSL has SHA-256");
  AddNumber(context.get(), nonce);
  for (const std::string_view part : parts) {
    AddNumber(context.get(), part.size());
    TW_CHECK(
        EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(part.data()), part.size()) == 1,
        "a hash takes any bytes");
  }
  std::array<unsigned char, 32> out{};
  size_t size = 0;
  TW_CHECK(EVP_MAC_final(context.get(), out.data(), &size, out.size()) == 1 && size == out.size(),
           "SHA-256 has 32 bytes");
  std::string proof = fmt::format("{:016x}", nonce);
  for (size_t index = 0; index < kMacBytes; ++index) proof += fmt::format("{:02x}", out[index]);
  return proof;
}

bool ClusterSecret::IsProof(std::string_view proof, std::span<const std::string_view> parts) const {
  if (!LooksLikeProof(proof)) return false;
  uint64_t nonce = 0;
  std::from_chars(proof.data(), proof.data() + kNonceDigits, nonce, 16);
  return CRYPTO_memcmp(Prove(nonce, parts).data(), proof.data(), kProofDigits) == 0;
}

bool LooksLikeProof(std::string_view text) {
  return text.size() == kProofDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace tradewind::net
