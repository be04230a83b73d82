#include "auth/token.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <string>

#include "base/base64.h"

namespace tradewind::auth {
namespace {

constexpr int64_t kNow = 1'800'000'000;

std::string CodeOf(const Result<Token>& token) {
  return token ? "no error" : token.error().code;
}

Token ForOne(const TenantName& tenant, Access access) {
  Token token;
  (access == Access::kWrite ? token.writable : token.readable).insert(tenant);
  return token;
}

class Tokens : public testing::Test {
 protected:
  const SigningKey key_ = SigningKey::Generate();
  const VerifyingKeys keys_ = VerifyingKeys::Parse(key_.PublicPem()).value();
};

std::string Base64Url(std::string_view bytes) {
  return EncodeBase64(Base64::kUrl, bytes);
}

TEST_F(Tokens, LetTheirBearerDoWhatTheyWereMadeFor) {
  const auto written = keys_.Verify(key_.Sign(ForOne("shop", Access::kWrite)), kNow);
  ASSERT_TRUE(written) << Describe(written.error());
  EXPECT_EQ(written->At("shop"), (Grant{Access::kWrite, true}));
  EXPECT_EQ(written->At("other"), (Grant{Access::kNone, false}));
  const auto read = keys_.Verify(key_.Sign(ForOne("shop", Access::kRead)), kNow);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->At("shop"), (Grant{Access::kRead, false}));
  Token several = ForOne("a", Access::kWrite);
  several.writable.insert("b");
  several.readable = {"c", "a"};
  several.schemas = {"b", "c"};
  const auto back = keys_.Verify(key_.Sign(several), kNow);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->At("a"), (Grant{Access::kWrite, false}));
  EXPECT_EQ(back->At("b"), (Grant{Access::kWrite, true}));
  EXPECT_EQ(back->At("c"), (Grant{Access::kRead, false}));
  EXPECT_EQ(back->At("d").access, Access::kNone);
}

TEST_F(Tokens, HaveTheClaimsOfLibsqlServer) {
  const auto grant = [](std::string_view claims, const char* tenant) {
    return ParseClaims(claims).value().At(tenant);
  };
  EXPECT_EQ(grant("{}", "any"), (Grant{Access::kWrite, true}));
  EXPECT_EQ(grant(R"({"a":"ro"})", "any"), (Grant{Access::kRead, false}));
  EXPECT_EQ(grant(R"({"id":"shop"})", "shop"), (Grant{Access::kWrite, true}));
  EXPECT_EQ(grant(R"({"id":"shop","a":"ro"})", "shop"), (Grant{Access::kRead, false}));
  EXPECT_EQ(grant(R"({"id":"shop"})", "any").access, Access::kNone);
  // p comes before the others.
  const char* const both = R"({"id":"foobar","a":"ro","p":{"rw":{"ns":["foo"]},"roa":{"ns":["bar"]}}})";
  EXPECT_EQ(grant(both, "foo"), (Grant{Access::kWrite, true}));
  EXPECT_EQ(grant(both, "bar"), (Grant{Access::kRead, false}));
  EXPECT_EQ(grant(both, "foobar").access, Access::kNone);
  EXPECT_EQ(grant(R"({"p":{"rwa":{"ns":["foo"]},"ddl":{"ns":[]}}})", "foo"), (Grant{Access::kWrite, false}));
  EXPECT_EQ(grant(R"({"p":{}})", "foo").access, Access::kNone);
}

TEST_F(Tokens, OfOtherShapesAreNone) {
  for (const char* claims :
       {"", "null", "[]", "{", R"({"exp":"1"})", R"({"exp":1e300})", R"({"a":"admin"})", R"({"a":1})",
        R"({"id":7})", R"({"id":"../x"})", R"({"p":[]})", R"({"p":{"ro":[]}})",
        R"({"p":{"rw":{"ns":"foo"}}})", R"({"p":{"rw":{"ns":[1]}}})", R"({"p":{"ddl":{"ns":["NO"]}}})"})
    EXPECT_EQ(CodeOf(ParseClaims(claims)), "AUTH_JWT_INVALID") << claims;
}

TEST_F(Tokens, EndWhenTheySaySoAndBeginThenToo) {
  Token token = ForOne("shop", Access::kWrite);
  token.expires_at_s = kNow + 1;
  token.not_before_s = kNow - 1;
  const std::string jwt = key_.Sign(token);
  EXPECT_EQ(CodeOf(keys_.Verify(jwt, kNow)), "no error");
  EXPECT_EQ(CodeOf(keys_.Verify(jwt, kNow + 1)), "AUTH_JWT_EXPIRED");
  EXPECT_EQ(CodeOf(keys_.Verify(jwt, kNow - 2)), "AUTH_JWT_IMMATURE");
}

TEST_F(Tokens, OfAnotherKeyOrChangedAnywhereAreNone) {
  const std::string jwt = key_.Sign(ForOne("shop", Access::kRead));
  EXPECT_EQ(CodeOf(VerifyingKeys::Parse(SigningKey::Generate().PublicPem()).value().Verify(jwt, kNow)),
            "AUTH_JWT_INVALID");
  EXPECT_EQ(CodeOf(VerifyingKeys().Verify(jwt, kNow)), "AUTH_JWT_INVALID");
  for (size_t at = 0; at < jwt.size(); ++at) {
    std::string changed = jwt;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(CodeOf(keys_.Verify(changed, kNow)), "AUTH_JWT_INVALID") << at;
    EXPECT_EQ(CodeOf(keys_.Verify(jwt.substr(0, at), kNow)), "AUTH_JWT_INVALID") << at;
  }
  EXPECT_EQ(CodeOf(keys_.Verify(jwt + "=", kNow)), "AUTH_JWT_INVALID");
  EXPECT_EQ(CodeOf(keys_.Verify(jwt + ".", kNow)), "AUTH_JWT_INVALID");
  EXPECT_EQ(CodeOf(keys_.Verify(std::string(kTokenBytes + 1, 'a'), kNow)), "AUTH_JWT_INVALID");
}

// The signature is of this key over just what is sent; only what the header says differs.
TEST_F(Tokens, OfAnotherAlgorithmAreNoneWhoeverSignedThem) {
  const std::string claims = Base64Url(R"({"id":"shop"})");
  const std::string real = key_.Sign(ForOne("shop", Access::kWrite));
  const std::string signature = real.substr(real.rfind('.'));
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"HS256"})", R"({"alg":"EdDSA","crit":["b64"],"b64":false})",
        R"({"alg":["EdDSA"]})", R"({"typ":"JWT"})", R"("EdDSA")", ""})
    for (const std::string& end : {signature, std::string(".")})
      EXPECT_EQ(CodeOf(keys_.Verify(Base64Url(header) + "." + claims + end, kNow)), "AUTH_JWT_INVALID")
          << header;
}

// Who knows the public key, as many do, and takes it for a shared secret; and who brings a key of his own.
TEST_F(Tokens, WhoseKeyIsThatOfTheirBearerAreNone) {
  const std::string claims = Base64Url(R"({"id":"shop"})");
  const std::string pem = key_.PublicPem();
  const std::string hs256 = Base64Url(R"({"alg":"HS256","typ":"JWT"})") + "." + claims;
  for (const std::string& secret : {pem, pem.substr(0, pem.size() - 1), std::string()}) {
    std::array<unsigned char, 32> sum;
    unsigned size = sum.size();
    ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(hs256.data()), hs256.size(), sum.data(), &size);
    const std::string_view mac(reinterpret_cast<const char*>(sum.data()), size);
    EXPECT_EQ(CodeOf(keys_.Verify(hs256 + "." + Base64Url(mac), kNow)), "AUTH_JWT_INVALID");
  }
  const SigningKey own = SigningKey::Generate();
  const std::string signed_by_own = own.Sign(ForOne("shop", Access::kWrite));
  const std::string rest = signed_by_own.substr(signed_by_own.find('.'));
  for (
      const char* header :
      {R"({"alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}})",
       R"({"alg":"EdDSA","jku":"http://127.0.0.1/keys"})", R"({"alg":"EdDSA","kid":"../../dev/null"})"})
    EXPECT_EQ(CodeOf(keys_.Verify(Base64Url(header) + rest, kNow)), "AUTH_JWT_INVALID") << header;
}

TEST_F(Tokens, OfSeveralKeysAreTakenWhileKeysAreReplaced) {
  const SigningKey next = SigningKey::Generate();
  const auto both = VerifyingKeys::Parse(key_.PublicPem() + "\n" + next.PublicPem());
  ASSERT_TRUE(both) << Describe(both.error());
  for (const SigningKey& key : {key_, next})
    EXPECT_EQ(CodeOf(both->Verify(key.Sign(ForOne("shop", Access::kRead)), kNow)), "no error");
}

TEST_F(Tokens, KeysAreReadAsTheyAreWritten) {
  const auto again = SigningKey::Parse(key_.PrivatePem());
  ASSERT_TRUE(again) << Describe(again.error());
  EXPECT_EQ(CodeOf(keys_.Verify(again->Sign(ForOne("shop", Access::kRead)), kNow)), "no error");
  const auto code = [](std::string_view text) {
    const auto keys = VerifyingKeys::Parse(text);
    return keys ? "no error" : keys.error().code;
  };
  EXPECT_EQ(code(key_.PrivatePem()), "KEY_INVALID");
  EXPECT_EQ(code(""), "KEY_INVALID");
  EXPECT_EQ(code("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), "KEY_INVALID");
  EXPECT_EQ(code(key_.PublicPem() + "and more\n"), "KEY_INVALID");
  EXPECT_EQ(code("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\n"), "no error");  // RFC 8037, appendix A
  EXPECT_FALSE(SigningKey::Parse(key_.PublicPem()));
  EXPECT_FALSE(SigningKey::Parse(""));
}

// The token of RFC 8037, appendix A.4, whose payload is no JSON: its signature is right, its claims are not.
TEST_F(Tokens, AreCheckedAsTheStandardSays) {
  const auto keys = VerifyingKeys::Parse("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").value();
  const auto token = keys.Verify(
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
      "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5"
      "BhVsPt9g7sVvpAr_MuM0KAg",
      kNow);
  ASSERT_FALSE(token);
  EXPECT_NE(token.error().message.find("its claims are no JSON object"), std::string::npos)
      << token.error().message;
}

}  // namespace
}  // namespace tradewind::auth
