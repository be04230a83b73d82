#include "mysql/native_password.h"

#include <gtest/gtest.h>

#include <string>

#include "mysql/test_bytes.h"

namespace tradewind::mysql {
namespace {

// What a server sent to a client, what that replied, and what mysql.global_priv had of it: password "secret".
const std::string kScramble = FromHex("5d765a3d635a7a75 5d505b5a307e4f4d762a6c63");
const std::string kReply = FromHex("55c0d9f7255ecc13872b02fd80c6f5f72b3466a4");
constexpr char kStored[] = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";

TEST(NativePasswordTest, ReplyIsTheOneThatAServerTook) {
  EXPECT_EQ(NativeReply(PasswordKey::OfPassword("secret"), kScramble), kReply);
}

TEST(NativePasswordTest, KeyRecoveredFromAReplyAnswersAnotherScramble) {
  const auto key = PasswordVerifier::Parse(kStored)->Recover(kScramble, kReply);
  ASSERT_TRUE(key);
  const std::string other(kScrambleBytes, 'x');
  EXPECT_EQ(NativeReply(*key, other), NativeReply(PasswordKey::OfPassword("secret"), other));
}

TEST(NativePasswordTest, VerifierIsStoredAsAServerStoresIt) {
  EXPECT_EQ(PasswordVerifier(PasswordKey::OfPassword("secret")).Stored(), kStored);
}

TEST(NativePasswordTest, WrongReplyProvesNothing) {
  const auto verifier = PasswordVerifier::Parse(kStored);
  for (size_t bit = 0; bit < 8 * kReply.size(); ++bit) {
    std::string reply = kReply;
    reply[bit / 8] = static_cast<char>(reply[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(verifier->Recover(kScramble, reply)) << bit;
  }
  EXPECT_FALSE(verifier->Recover(kScramble, ""));
  EXPECT_FALSE(verifier->Recover(kScramble, kReply + "x"));
  EXPECT_FALSE(verifier->Recover(std::string(kScrambleBytes, 'x'), kReply));
}

TEST(NativePasswordTest, VerifierOfAKeyIsTheOneThatAServerStores) {
  const PasswordVerifier verifier(PasswordKey::OfPassword("secret"));
  EXPECT_TRUE(verifier.Recover(kScramble, kReply));
  EXPECT_FALSE(PasswordVerifier(PasswordKey::OfPassword("Secret")).Recover(kScramble, kReply));
}

TEST(NativePasswordTest, OnlyStarredHexadecimalIsAVerifier) {
  EXPECT_FALSE(PasswordVerifier::Parse(""));
  EXPECT_FALSE(PasswordVerifier::Parse("14E65567ABDB5135D0CFD9A70B3032C179A49EE7"));
  EXPECT_FALSE(PasswordVerifier::Parse("*14E65567ABDB5135D0CFD9A70B3032C179A49EE"));
  EXPECT_FALSE(PasswordVerifier::Parse("*14E65567ABDB5135D0CFD9A70B3032C179A49EG7"));
  EXPECT_TRUE(PasswordVerifier::Parse("*14e65567abdb5135d0cfd9a70b3032c179a49ee7"));
}

}  // namespace
}  // namespace tradewind::mysql
