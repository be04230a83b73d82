#include "mysql/login_exchange.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "mysql/reply.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::mysql {
namespace {

using namespace std::chrono_literals;

class LoginExchangeTest : public testing::Test {
 protected:
  Greeting MakeGreeting() {
    return {"5.5.5-test", 9, NewScramble(*core_), capability::kRelayed, kUtf8mb4, 2, kNativePassword};
  }
  // A server that greets and authenticates, and a client at it.
  void Meet(const std::function<void(PacketChannel&)>& server,
            const std::function<void(PacketChannel&)>& client) {
    core_->RunUntilReturned("test", [&] {
      auto listener = core_->network().Listen({"127.0.0.1", 0}).value();
      auto near = core_->network().Connect(listener->local(), core_->Now() + 10s).value();
      auto far = listener->Accept().value();
      runtime::TaskGroup group(*core_);
      group.Spawn("server", [&] {
        PacketChannel channel(*far);
        server(channel);
      });
      PacketChannel channel(*near);
      client(channel);
      group.Join();
    });
  }
  // Greets, and says OK or what is wrong. With the key that was proven.
  std::optional<PasswordKey> Serve(PacketChannel& channel, const std::optional<PasswordVerifier>& verifier) {
    const Greeting greeting = MakeGreeting();
    const auto response = Greet(channel, greeting);
    EXPECT_TRUE(response) << Describe(response.error());
    if (!response) return std::nullopt;
    const auto key = Authenticate(channel, {greeting.scramble, response->plugin, response->reply}, verifier);
    const std::string answer =
        key ? EncodeOk({}, response->capabilities) : EncodeError(AccessDenied("u", "h", true));
    EXPECT_TRUE(channel.Write(answer));
    return key ? *key : std::nullopt;
  }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  const PasswordKey key_ = PasswordKey::OfPassword("secret");
};

TEST_F(LoginExchangeTest, ProxyLogsInWithTheKeyThatItsClientHasProven) {
  std::optional<PasswordKey> proven;
  Meet([&](PacketChannel& channel) { proven = Serve(channel, PasswordVerifier(key_)); },
       [&](PacketChannel& channel) {
         const auto outcome = LogIn(channel, {{"u", key_}, "shop"});
         ASSERT_TRUE(outcome) << Describe(outcome.error());
         ASSERT_TRUE(std::holds_alternative<LoggedIn>(*outcome));
         EXPECT_EQ(std::get<LoggedIn>(*outcome).connection_id, 9u);
         EXPECT_EQ(std::get<LoggedIn>(*outcome).capabilities, capability::kRelayed);
       });
  ASSERT_TRUE(proven);
  EXPECT_EQ(proven->digest(), key_.digest());

  std::optional<PasswordKey> again;
  Meet([&](PacketChannel& channel) { again = Serve(channel, PasswordVerifier(key_)); },
       [&](PacketChannel& channel) {
         EXPECT_TRUE(LogIn(channel, {{"u", *proven}}));
       });
  EXPECT_TRUE(again);
}

TEST_F(LoginExchangeTest, WrongPasswordIsDeniedAsAServerSaysIt) {
  Meet(
      [&](PacketChannel& channel) { EXPECT_FALSE(Serve(channel, PasswordVerifier(key_))); },
      [&](PacketChannel& channel) {
        const auto outcome = LogIn(channel, {{"u", PasswordKey::OfPassword("wrong")}});
        ASSERT_TRUE(outcome);
        const auto& error = std::get<ErrorPacket>(*outcome);
        EXPECT_EQ(error.number, error_number::kAccessDenied);
        EXPECT_EQ(error.state, "28000");
        EXPECT_EQ(
            error.message,
            "Access denied for user 'u'@'h' (using password: YES); the tenant is named by USER@TENANT, or by "
            "the database");
      });
}

TEST_F(LoginExchangeTest, AccountWithoutAPasswordTakesNone) {
  Meet([&](PacketChannel& channel) { EXPECT_FALSE(Serve(channel, std::nullopt)); },
       [&](PacketChannel& channel) {
         const auto outcome = LogIn(channel, {{"u", std::nullopt}});
         ASSERT_TRUE(outcome);
         EXPECT_TRUE(std::holds_alternative<LoggedIn>(*outcome));
       });
  Meet([&](PacketChannel& channel) { Serve(channel, std::nullopt); },
       [&](PacketChannel& channel) {
         const auto outcome = LogIn(channel, {{"u", key_}});
         ASSERT_TRUE(outcome);
         EXPECT_TRUE(std::holds_alternative<ErrorPacket>(*outcome));
       });
}

TEST_F(LoginExchangeTest, ClientOfAnotherPluginIsAskedAgain) {
  bool proven = false;
  Meet([&](PacketChannel& channel) { proven = Serve(channel, PasswordVerifier(key_)).has_value(); },
       [&](PacketChannel& channel) {
         ASSERT_TRUE(channel.Read(1'000));
         LoginResponse response;
         response.capabilities = capability::kRelayed & ~capability::kConnectWithDatabase;
         response.user = "u";
         response.plugin = "caching_sha2_password";
         response.reply = std::string(32, 'x');
         ASSERT_TRUE(channel.Write(EncodeLoginResponse(response)));
         const auto request = ParseAuthSwitch(channel.Read(1'000).value());
         ASSERT_TRUE(request);
         EXPECT_EQ(request->plugin, kNativePassword);
         ASSERT_TRUE(channel.Write(NativeReply(key_, request->scramble)));
         EXPECT_TRUE(ParseOk(channel.Read(1'000).value(), response.capabilities));
       });
  EXPECT_TRUE(proven);
}

TEST_F(LoginExchangeTest, ServerThatWantsAnotherPluginIsNotLoggedInAt) {
  Meet(
      [&](PacketChannel& channel) {
        Greeting greeting = MakeGreeting();
        ASSERT_TRUE(Greet(channel, greeting));
        ASSERT_TRUE(channel.Write(EncodeAuthSwitch({"client_ed25519", std::string(32, 's')})));
      },
      [&](PacketChannel& channel) {
        const auto outcome = LogIn(channel, {{"u", key_}});
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().code, "MYSQL_PLUGIN_NOT_SUPPORTED");
      });
}

TEST_F(LoginExchangeTest, PacketsBeyondTheBoundEndTheLogin) {
  Meet(
      [&](PacketChannel& channel) {
        const auto response = Greet(channel, MakeGreeting());
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().code, "MYSQL_PACKET_TOO_LARGE");
      },
      [&](PacketChannel& channel) {
        ASSERT_TRUE(channel.Read(1'000));
        EXPECT_TRUE(channel.Write(std::string(100'000, 'x')));
      });
}

TEST_F(LoginExchangeTest, HeaderOfAProxyNamesItsClient) {
  EXPECT_EQ(ProxyHeader({"203.0.113.7", 50'000}, {"127.0.0.1", 3306}),
            "PROXY TCP4 203.0.113.7 127.0.0.1 50000 3306\r\n");
  EXPECT_EQ(ProxyHeader({"2001:db8::1", 1}, {"::1", 2}), "PROXY TCP6 2001:db8::1 ::1 1 2\r\n");
  EXPECT_FALSE(ProxyHeader({"2001:db8::1", 1}, {"127.0.0.1", 2}));
  EXPECT_FALSE(ProxyHeader({"localhost", 1}, {"127.0.0.1", 2}));
  EXPECT_FALSE(ProxyHeader({"", 1}, {"", 2}));
}

TEST_F(LoginExchangeTest, ScramblesHoldNoZero) {
  for (int tries = 0; tries < 1'000; ++tries) {
    const std::string scramble = NewScramble(*core_);
    EXPECT_EQ(scramble.size(), kScrambleBytes);
    EXPECT_EQ(scramble.find('\0'), std::string::npos);
  }
}

}  // namespace
}  // namespace tradewind::mysql
