// The authentication of mysql_native_password. A server knows SHA1(SHA1(password)), the verifier; a client proves that
// it knows SHA1(password), the key, and whoever has the verifier learns the key from the proof:
//
//   scramble  20 random bytes from the server, none of them zero
//   reply     SHA1(password) xor SHA1(scramble, SHA1(SHA1(password)))
//
// The key answers any scramble, so a proxy that has recovered it logs in elsewhere as its client. It is as good as the
// password for that: it stays in memory, and memory that held it is cleansed.
// Source: MariaDB KB, "Connection", "mysql_native_password Plugin"; MariaDB's sql/password.c.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tradewind::mysql {

inline constexpr size_t kScrambleBytes = 20;

// SHA1(password). Cleansed when it goes.
class PasswordKey {
 public:
  using Digest = std::array<unsigned char, 20>;
  explicit PasswordKey(const Digest& digest) : digest_(digest) {}
  static PasswordKey OfPassword(std::string_view password);
  ~PasswordKey();
  PasswordKey(const PasswordKey&) = default;
  PasswordKey& operator=(const PasswordKey&) = default;

  const Digest& digest() const { return digest_; }

 private:
  Digest digest_;
};

// SHA1(SHA1(password)).
class PasswordVerifier {
 public:
  explicit PasswordVerifier(const PasswordKey& key);
  // As MariaDB stores it (authentication_string of mysql.global_priv): '*' and 40 hexadecimal digits.
  static std::optional<PasswordVerifier> Parse(std::string_view stored);
  std::string Stored() const;

  // The key that the reply proves; nothing when it does not. Takes the same time whatever the reply is.
  std::optional<PasswordKey> Recover(std::string_view scramble, std::string_view reply) const;

 private:
  explicit PasswordVerifier(const PasswordKey::Digest& digest) : digest_(digest) {}
  friend std::string NativeReply(const PasswordKey& key, std::string_view scramble);
  PasswordKey::Digest digest_;
};

// The reply to a scramble; 20 bytes. Who has no password replies with nothing.
std::string NativeReply(const PasswordKey& key, std::string_view scramble);

}  // namespace tradewind::mysql
