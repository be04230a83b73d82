#include "mysql/login.h"

#include <gtest/gtest.h>

#include <string>

#include "mysql/native_password.h"
#include "mysql/test_bytes.h"

namespace tradewind::mysql {
namespace {

const std::string kGreeting = FromHex(
    "0a352e352e352d31302e31312e31392d4d6172696144422d302b6465623132753100070000005d765a3d635a7a7500fef7080200"
    "ff811500"
    "00000000001d0000005d505b5a307e4f4d762a6c63006d7973716c5f6e61746976655f70617373776f726400");
const std::string kResponse = FromHex(
    "0ca20f00000000012d000000000000000000000000000000000000000000000075001455c0d9f7255ecc13872b02fd80c6f5f72b"
    "3466a473"
    "686f70006d7973716c5f6e61746976655f70617373776f726400");

TEST(LoginTest, GreetingOfMariaDbIsRead) {
  const auto greeting = ParseGreeting(kGreeting);
  ASSERT_TRUE(greeting) << Describe(greeting.error());
  EXPECT_EQ(greeting->version, "5.5.5-10.11.19-MariaDB-0+deb12u1");
  EXPECT_EQ(greeting->connection_id, 7u);
  EXPECT_EQ(greeting->scramble, FromHex("5d765a3d635a7a755d505b5a307e4f4d762a6c63"));
  EXPECT_EQ(greeting->plugin, kNativePassword);
  EXPECT_EQ(greeting->collation, 8);
  EXPECT_TRUE(greeting->capabilities & capability::kCacheMetadata);
  EXPECT_TRUE(greeting->capabilities & capability::kSessionTrack);
  EXPECT_FALSE(greeting->capabilities & capability::kTls);
}

TEST(LoginTest, GreetingIsWrittenAsMariaDbWritesIt) {
  EXPECT_EQ(EncodeGreeting(*ParseGreeting(kGreeting)), kGreeting);
}

TEST(LoginTest, ResponseOfAClientIsRead) {
  const auto response = ParseLoginResponse(kResponse);
  ASSERT_TRUE(response) << Describe(response.error());
  EXPECT_EQ(response->user, "u");
  EXPECT_EQ(response->database, "shop");
  EXPECT_EQ(response->plugin, kNativePassword);
  EXPECT_EQ(response->reply.size(), 20u);
  EXPECT_EQ(response->collation, kUtf8mb4);
  EXPECT_EQ(EncodeLoginResponse(*response), kResponse);
}

TEST(LoginTest, ResponseWithEverythingIsReadAsItWasWritten) {
  LoginResponse response;
  response.capabilities = capability::kRelayed;
  response.user = "someone";
  response.reply = std::string(20, 'r');
  response.database = "shop";
  response.plugin = "caching_sha2_password";
  response.attributes = std::string(300, 'a');
  const auto read = ParseLoginResponse(EncodeLoginResponse(response));
  ASSERT_TRUE(read) << Describe(read.error());
  EXPECT_EQ(read->capabilities, capability::kRelayed);
  EXPECT_EQ(read->plugin, response.plugin);
  EXPECT_EQ(read->attributes, response.attributes);
}

TEST(LoginTest, ClientsOfMySqlHaveNoCapabilitiesOfMariaDb) {
  LoginResponse response;
  response.capabilities = capability::kRelayed | capability::kMysql;
  const auto read = ParseLoginResponse(EncodeLoginResponse(response));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->capabilities & capability::kCacheMetadata);
  EXPECT_TRUE(read->capabilities & capability::kDeprecateEof);
}

TEST(LoginTest, ARequestForTlsIsTheHeadOfAResponse) {
  LoginResponse response;
  response.capabilities = capability::kRelayed | capability::kTls;
  EXPECT_TRUE(IsTlsRequest(EncodeLoginResponse(response).substr(0, 32)));
  EXPECT_FALSE(IsTlsRequest(EncodeLoginResponse(response))) << "what is said in TLS has the flag, too";
  response.capabilities = capability::kRelayed;
  EXPECT_FALSE(IsTlsRequest(EncodeLoginResponse(response).substr(0, 32)));
  EXPECT_FALSE(IsTlsRequest({}));
}

TEST(LoginTest, OldProtocolsAreRefused) {
  EXPECT_EQ(ParseLoginResponse(FromHex("85a4030000000001")).error().code, "MYSQL_PROTOCOL_OLD");
}

TEST(LoginTest, PasswordsOfAnySizeKeepToTheBytesThatCame) {
  for (size_t size = 0; size < kResponse.size(); ++size) {
    const auto read = ParseLoginResponse(kResponse.substr(0, size));
    // Only a plugin may be missing.
    EXPECT_EQ(read.has_value(), size == kResponse.find("mysql_native")) << size;
  }
  for (size_t size = 0; size < kGreeting.size(); ++size)
    EXPECT_FALSE(ParseGreeting(kGreeting.substr(0, size)));
}

TEST(LoginTest, ChangeOfUserIsReadAsItWasWritten) {
  const ChangeUser change{"other",
                          std::string(20, 'r'),
                          "shop",
                          kUtf8mb4,
                          kNativePassword,
                          "\3"
                          "key\5"
                          "value"};
  const auto read = ParseChangeUser(EncodeChangeUser(change, capability::kRelayed), capability::kRelayed);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->user, "other");
  EXPECT_EQ(read->reply, change.reply);
  EXPECT_EQ(read->database, "shop");
  EXPECT_EQ(read->collation, kUtf8mb4);
  EXPECT_EQ(read->plugin, kNativePassword);
  EXPECT_EQ(read->attributes, change.attributes);
}

TEST(LoginTest, RequestForAnotherPluginIsReadAsItWasWritten) {
  const auto read = ParseAuthSwitch(EncodeAuthSwitch({kNativePassword, std::string(20, 's')}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->plugin, kNativePassword);
  EXPECT_EQ(read->scramble, std::string(20, 's'));
  EXPECT_FALSE(ParseAuthSwitch(FromHex("fe6d7973716c")));
}

}  // namespace
}  // namespace tradewind::mysql
