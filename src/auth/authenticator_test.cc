#include "auth/authenticator.h"

#include <gtest/gtest.h>

#include <string>

namespace tradewind::auth {
namespace {

constexpr int64_t kNow = 1'800'000'000;
const std::string kAdmin = "0123456789abcdef0123456789abcdef";

template <typename T>
std::string CodeOf(const Result<T>& result) {
  return result ? "no error" : result.error().code;
}

class AuthenticatorTest : public testing::Test {
 protected:
  Token For(const TenantName& tenant, Access access) {
    Token token;
    (access == Access::kWrite ? token.writable : token.readable).insert(tenant);
    return token;
  }
  std::string Bearer(const Token& token) { return "Bearer " + key_.Sign(token); }
  Result<Grant> At(const std::string& authorization, int64_t now_s = kNow) {
    return asks_.AtTenant(authorization, "shop", now_s);
  }

  const SigningKey key_ = SigningKey::Generate();
  Authenticator asks_{Locks{VerifyingKeys::Parse(key_.PublicPem()).value(), kAdmin}};
};

TEST_F(AuthenticatorTest, WithoutKeysNobodyIsAsked) {
  Authenticator open;
  EXPECT_EQ(open.AtTenant(std::nullopt, "shop", kNow).value(), (Grant{Access::kWrite, true}));
  EXPECT_EQ(open.AtTenant("Bearer nonsense", "shop", kNow).value(), (Grant{Access::kWrite, true}));
  EXPECT_TRUE(open.AsAdmin(std::nullopt));
  EXPECT_TRUE(open.AsAdmin("Bearer nonsense"));
}

TEST_F(AuthenticatorTest, ATokenOpensWhatItSays) {
  EXPECT_EQ(At(Bearer(For("shop", Access::kWrite))).value(), (Grant{Access::kWrite, true}));
  EXPECT_EQ(At(Bearer(For("shop", Access::kRead))).value(), (Grant{Access::kRead, false}));
  EXPECT_EQ(At(Bearer(For("other", Access::kWrite))).value().access, Access::kNone);
  EXPECT_EQ(CodeOf(asks_.AsAdmin(Bearer(For("shop", Access::kWrite)))), "ADMIN_TOKEN_WRONG");
}

TEST_F(AuthenticatorTest, WithoutATokenNothingIsOpen) {
  EXPECT_EQ(CodeOf(asks_.AtTenant(std::nullopt, "shop", kNow)), "AUTH_HEADER_NOT_FOUND");
  EXPECT_EQ(CodeOf(asks_.AsAdmin(std::nullopt)), "AUTH_HEADER_NOT_FOUND");
  const std::string jwt = key_.Sign(For("shop", Access::kWrite));
  for (const std::string& field :
       {std::string(), std::string("Bearer"), std::string("Bearer "), jwt, "Basic " + jwt, "Bearer" + jwt}) {
    EXPECT_EQ(CodeOf(At(field)), "AUTH_HEADER_INVALID") << field;
    EXPECT_EQ(CodeOf(asks_.AsAdmin(field)), "AUTH_HEADER_INVALID") << field;
  }
  EXPECT_EQ(CodeOf(At("bearer  " + jwt + " ")), "no error") << "RFC 7235 leaves case and blanks open";
}

TEST_F(AuthenticatorTest, TheAdminTokenOpensEverything) {
  EXPECT_TRUE(asks_.AsAdmin("Bearer " + kAdmin));
  EXPECT_EQ(At("Bearer " + kAdmin).value(), (Grant{Access::kWrite, true}));
  for (std::string near : {kAdmin.substr(1), kAdmin + "0", "1" + kAdmin.substr(1)}) {
    EXPECT_EQ(CodeOf(asks_.AsAdmin("Bearer " + near)), "ADMIN_TOKEN_WRONG");
    EXPECT_EQ(CodeOf(At("Bearer " + near)), "AUTH_JWT_INVALID");
  }
}

// A remembered token ends as any other.
TEST_F(AuthenticatorTest, ATokenThatWasRightOnceIsLookedAtAgain) {
  Token token = For("shop", Access::kWrite);
  token.expires_at_s = kNow + 10;
  const std::string bearer = Bearer(token);
  EXPECT_EQ(CodeOf(At(bearer)), "no error");
  EXPECT_EQ(CodeOf(At(bearer, kNow + 9)), "no error");
  EXPECT_EQ(CodeOf(At(bearer, kNow + 10)), "AUTH_JWT_EXPIRED");
  EXPECT_EQ(CodeOf(At(bearer, kNow + 10)), "AUTH_JWT_EXPIRED");
  EXPECT_EQ(CodeOf(At(bearer, kNow)), "no error") << "a clock that was set right";
  std::string changed = bearer;
  changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(CodeOf(At(changed)), "AUTH_JWT_INVALID");
}

TEST_F(AuthenticatorTest, MoreTokensThanAreRememberedAreAsGood) {
  const std::string first = Bearer(For("shop", Access::kRead));
  EXPECT_EQ(CodeOf(At(first)), "no error");
  for (size_t at = 0; at <= kVerifiedTokens; ++at)
    EXPECT_EQ(At(Bearer(For("t" + std::to_string(at), Access::kRead))).value().access, Access::kNone);
  EXPECT_EQ(At(first).value(), (Grant{Access::kRead, false}));
}

}  // namespace
}  // namespace tradewind::auth
