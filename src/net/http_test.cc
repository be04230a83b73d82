#include "net/http.h"

#include <gtest/gtest.h>

namespace tradewind::net {
namespace {

TEST(Headers, AreFoundWithoutRegardToCase) {
  Headers headers{{"Content-Type", "text/plain"}, {"X-Namespace", "shop"}};
  EXPECT_EQ(headers.Get("content-type"), "text/plain");
  EXPECT_EQ(headers.Get("X-NAMESPACE"), "shop");
  EXPECT_FALSE(headers.Has("X-Name"));
}

TEST(Headers, KeepTheirOrderAndTheFirstOfANameWins) {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}};
  EXPECT_EQ(headers.Get("A"), "1");
  EXPECT_EQ(headers[2].second, "3");
  headers.Set("a", "4");
  EXPECT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers.Get("A"), "4");
}

TEST(Headers, CannotBeSplitByAValue) {
  Headers headers;
  headers.Add("X", "a\r\nSet-Cookie: b");
  EXPECT_EQ(headers.Get("X"), "a  Set-Cookie: b");
}

TEST(Headers, FindATokenInAList) {
  Headers headers{{"Connection", "keep-alive ,  Upgrade"}, {"connection", "x"}};
  EXPECT_TRUE(headers.HasToken("Connection", "upgrade"));
  EXPECT_TRUE(headers.HasToken("Connection", "x"));
  EXPECT_FALSE(headers.HasToken("Connection", "up"));
}

TEST(ErrorResponse, IsJsonWhateverTheMessageHolds) {
  EXPECT_EQ(HttpResponse::Error(400, "a \"b\" \\ \n").body, R"({"error":"a \"b\" \\ \n"})");
}

}  // namespace
}  // namespace tradewind::net
