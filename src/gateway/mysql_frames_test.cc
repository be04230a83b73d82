#include "gateway/mysql_frames.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/limits.h"

namespace tradewind::gateway {
namespace {

// Gives its bytes so many at a time.
class ScriptedConnection final : public runtime::Connection {
 public:
  ScriptedConnection(std::string bytes, size_t piece) : bytes_(std::move(bytes)), piece_(piece) {}
  Result<size_t> Read(MutableBytes into) override {
    const size_t count = std::min({into.size(), piece_, bytes_.size()});
    std::memcpy(into.data(), bytes_.data(), count);
    bytes_.erase(0, count);
    return count;
  }
  Result<void> Write(Bytes) override { return {}; }
  void SetReadDeadline(runtime::TimePoint) override {}
  void Close() override {}
  runtime::Address peer() const override { return {"10.0.0.1", 1}; }

 private:
  std::string bytes_;
  const size_t piece_;
};

TEST(MysqlFrames, ComeWholeHoweverTheyWereCut) {
  std::string bytes;
  AppendFrame(bytes, MysqlFrame::kBegin);
  AppendFrame(bytes, MysqlFrame::kData, std::string(70'000, 'x'));
  AppendFrame(bytes, MysqlFrame::kGate, std::string(1, '\2'));
  for (const size_t piece : {size_t{1}, size_t{7}, bytes.size()}) {
    ScriptedConnection connection(bytes.substr(3), piece);
    MysqlFrameReader reader(connection, bytes.substr(0, 3));
    EXPECT_EQ(reader.Next()->kind, MysqlFrame::kBegin);
    EXPECT_EQ(reader.Next()->payload, std::string(70'000, 'x'));
    EXPECT_EQ(reader.Next()->payload, std::string(1, '\2'));
    EXPECT_EQ(reader.Next().error().kind, ErrorKind::kIo) << "the end";
  }
}

TEST(MysqlFrames, ThatAreTooLongOrOfNoKindAreRefusedBeforeTheyHaveCome) {
  for (const std::string& bytes :
       {std::string("\x09\xff\xff\xff\x7f", 5), std::string("\x00\x00\x00\x00\x00", 5),
        std::string("\x63\x00\x00\x00\x00", 5)}) {
    ScriptedConnection connection(bytes, 100);
    MysqlFrameReader reader(connection, "");
    EXPECT_EQ(reader.Next().error().code, "MYSQL_LINK_CONFUSED");
  }
}

TEST(MysqlFrames, CarryALoginWithWhateverBytesItHas) {
  MysqlLinkCall call;
  call.tenant = "crm";
  call.epoch = Epoch{7};
  call.client = {"192.0.2.1", 51234};
  call.login.credentials = {std::string("\xff\x00ü", 4), mysql::PasswordKey::OfPassword("secret")};
  call.login.database = "crm";
  call.login.capabilities = uint64_t{1} << 36 | 5;
  call.login.collation = 45;
  call.login.largest_packet = 1u << 30;
  call.login.attributes = std::string("\x03_os\x05Linux\x00", 11);
  const auto read = DecodeLinkCall(EncodeLinkCall(call));
  ASSERT_TRUE(read) << Describe(read.error());
  EXPECT_EQ(read->tenant, call.tenant);
  EXPECT_EQ(read->epoch, call.epoch);
  EXPECT_EQ(read->client, call.client);
  EXPECT_EQ(read->login.credentials.user, call.login.credentials.user);
  EXPECT_EQ(read->login.credentials.key->digest(), call.login.credentials.key->digest());
  EXPECT_EQ(read->login.database, call.login.database);
  EXPECT_EQ(read->login.capabilities, call.login.capabilities);
  EXPECT_EQ(read->login.collation, call.login.collation);
  EXPECT_EQ(read->login.largest_packet, call.login.largest_packet);
  EXPECT_EQ(read->login.attributes, call.login.attributes);
  call.login.credentials.key.reset();
  EXPECT_FALSE(DecodeLinkCall(EncodeLinkCall(call))->login.credentials.key) << "no password";
}

TEST(MysqlFrames, SayWhatAServerAndAnAccountAre) {
  const mysql::LoggedIn at_server{uint64_t{1} << 35, 12, "5.5.5-10.11.19-MariaDB", std::string(20, '\x7f'),
                                  std::string("\x00\x00\x00\x02\x00\x00\x00", 7)};
  const auto read = DecodeLoggedIn(EncodeLoggedIn(at_server));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->capabilities, at_server.capabilities);
  EXPECT_EQ(read->connection_id, at_server.connection_id);
  EXPECT_EQ(read->scramble, at_server.scramble);
  EXPECT_EQ(read->ok, at_server.ok);
  const auto account = DecodeAccount(EncodeAccount({true, "mysql_native_password", "*00"}));
  ASSERT_TRUE(account);
  EXPECT_TRUE(account->known);
  EXPECT_EQ(account->verifier, "*00");
  const auto asked = DecodeAccountCall(EncodeAccountCall({"crm", Epoch{3}, "app", "::1"}));
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->host, "::1");
  const Error error{ErrorKind::kRefused, "TENANT_MOVED", "it has", "go there"};
  EXPECT_EQ(DecodeError(EncodeError(error)).code, "TENANT_MOVED");
  EXPECT_EQ(DecodeError(EncodeError(error)).kind, ErrorKind::kRefused);
  EXPECT_EQ(DecodeLength(EncodeLength(uint64_t{1} << 40)), uint64_t{1} << 40);
}

TEST(MysqlFrames, RefuseTextsThatLackAnything) {
  for (const char* const text :
       {"", "[]", "{}", R"({"tenant":"Y3Jt"})", R"({"tenant":7})", R"({"tenant":"%"})"}) {
    EXPECT_EQ(DecodeLinkCall(text).error().code, "MYSQL_LINK_CONFUSED") << text;
    EXPECT_EQ(DecodeAccountCall(text).error().code, "MYSQL_LINK_CONFUSED") << text;
    EXPECT_EQ(DecodeAccount(text).error().code, "MYSQL_LINK_CONFUSED") << text;
    EXPECT_EQ(DecodeLoggedIn(text).error().code, "MYSQL_LINK_CONFUSED") << text;
  }
}

}  // namespace
}  // namespace tradewind::gateway
