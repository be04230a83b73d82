#include "net/url.h"

#include <gtest/gtest.h>

namespace tradewind::net {
namespace {

TEST(Url, IsSplitIntoAddressAndTarget) {
  auto url = ParseUrl("http://n1.example:8080/db/shop/v2?x=1#part");
  ASSERT_TRUE(url) << Describe(url.error());
  EXPECT_EQ(url->address, (runtime::Address{"n1.example", 8080}));
  EXPECT_EQ(url->target, "/db/shop/v2?x=1");
}

TEST(Url, HasDefaultsForPortAndPath) {
  auto url = ParseUrl("http://127.0.0.1");
  ASSERT_TRUE(url) << Describe(url.error());
  EXPECT_EQ(url->address, (runtime::Address{"127.0.0.1", 80}));
  EXPECT_EQ(url->target, "/");
  EXPECT_EQ(ParseUrl("http://h:1?q=2")->target, "/?q=2");
}

TEST(Url, LosesTheBracketsOfAnIpv6Host) {
  auto url = ParseUrl("http://[::1]:99/");
  ASSERT_TRUE(url) << Describe(url.error());
  EXPECT_EQ(url->address, (runtime::Address{"::1", 99}));
}

TEST(Url, WithHttpsIsSpokenToInTls) {
  const auto url = ParseUrl("https://h/a");
  ASSERT_TRUE(url) << Describe(url.error());
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->address, (runtime::Address{"h", 443}));
  EXPECT_EQ(ParseUrl("https://h:8443")->address.port, 8443);
  EXPECT_FALSE(ParseUrl("http://h/a")->tls);
}

TEST(Url, ThatIsNoneIsRefused) {
  for (const char* text : {"", "h:8080", "127.0.0.1:8080", "ftp://h/", "http://", "http://h:99999/",
                           "http://h:x/", "http://user@h/", "http://h/ a"}) {
    auto url = ParseUrl(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, "URL_INVALID") << text;
  }
}

HttpRequest WithTarget(std::string target) {
  HttpRequest request;
  request.target = std::move(target);
  return request;
}

TEST(RequestTarget, GivesPathAndQueryDecoded) {
  HttpRequest request = WithTarget("/a%20b//v3/x?key=v%26w&empty=&bare&key=again");
  ASSERT_TRUE(SplitTarget(request));
  EXPECT_EQ(request.path, "/a b//v3/x");
  EXPECT_EQ(request.query["key"], "v&w");
  EXPECT_EQ(request.query.count("empty"), 1u);
  EXPECT_EQ(request.query.count("bare"), 1u);
}

TEST(RequestTarget, MayBeginWithTwoSlashesOrBeAWholeUrl) {
  HttpRequest request = WithTarget("//v3/pipeline");
  ASSERT_TRUE(SplitTarget(request));
  EXPECT_EQ(request.path, "//v3/pipeline");
  request = WithTarget("http://h:1/p?q=1");
  ASSERT_TRUE(SplitTarget(request));
  EXPECT_EQ(request.path, "/p");
  EXPECT_EQ(request.query["q"], "1");
}

TEST(RequestTarget, MayHaveAnyQuery) {
  HttpRequest request = WithTarget("/a?/~6?/=?%41&&=x&b=c=d&e+f=+");
  ASSERT_TRUE(SplitTarget(request));
  EXPECT_EQ(request.query, (std::map<std::string, std::string, std::less<>>{
                               {"/~6?/", "?A"}, {"", "x"}, {"b", "c=d"}, {"e+f", "+"}}));
  for (const char* target : {"/a???", "/?", "/a?&", "/a?=", "/a?%26", "/a??\x2f#/?%&"}) {
    HttpRequest other = WithTarget(target);
    EXPECT_TRUE(SplitTarget(other)) << target;
  }
}

TEST(RequestTarget, WithBrokenEscapesIsRefused) {
  for (const char* target :
       {"/%", "/%zz", "/x?a=%1", "/x?a=%", "/x?%4=b", "/x?a=\x80", "/x?a b", "/%4", "no-slash"}) {
    HttpRequest request = WithTarget(target);
    EXPECT_FALSE(SplitTarget(request)) << target;
  }
}

TEST(RequestTarget, LeavesNothingOfTheOneBefore) {
  HttpRequest request = WithTarget("/a?x=1");
  ASSERT_TRUE(SplitTarget(request));
  request.target = "/b";
  ASSERT_TRUE(SplitTarget(request));
  EXPECT_EQ(request.path, "/b");
  EXPECT_TRUE(request.query.empty());
}

}  // namespace
}  // namespace tradewind::net
