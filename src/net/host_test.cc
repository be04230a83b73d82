#include "net/host.h"

#include <gtest/gtest.h>

namespace tradewind::net {
namespace {

std::string Name(std::string_view text) {
  const auto host = ParseHost(text);
  return host ? host->name : "none";
}

TEST(Host, IsReadAsItsOwnerWouldWriteIt) {
  EXPECT_EQ(Name("LocalHost:8080"), "localhost");
  EXPECT_EQ(Name("shop.localhost."), "shop.localhost");
  EXPECT_EQ(Name("127.0.0.1:"), "127.0.0.1");
  EXPECT_EQ(Name("[::1]:8080"), "::1");
  EXPECT_EQ(Name("[0:0:0:0:0:0:0:1]"), "::1");
  EXPECT_EQ(Name("[::FFFF:127.0.0.1]:1"), "127.0.0.1");
  EXPECT_EQ(Name("my_node-1:80"), "my_node-1");
  EXPECT_EQ(ParseHost("h:65535")->port, 65535);
  EXPECT_EQ(ParseHost("h")->port, std::nullopt);
  EXPECT_EQ(ToText(*ParseHost("[::1]:8080")), "[::1]:8080");
  EXPECT_EQ(ToText(*ParseHost("a.B:1")), "a.b:1");
}

TEST(Host, IsNoneWhenNoHostIsWrittenThatWay) {
  for (const char* text : {"",
                           ":80",
                           ".",
                           "..",
                           ".a",
                           "a..b",
                           "a..",
                           "me@localhost",
                           "localhost:80@evil",
                           "localhost:http",
                           "localhost:99999",
                           "localhost:80:80",
                           "localhost/",
                           "local host",
                           "local\x01host",
                           "[::1",
                           "::1",
                           "[::1%25lo]",
                           "[::1]x",
                           "[localhost]",
                           "[]",
                           "h:-1",
                           "h:+1",
                           "*.localhost",
                           "\xc3\xa4.localhost"})
    EXPECT_EQ(Name(text), "none") << text;
}

TEST(Host, IsLoopbackOnlyWhenItCannotLeadElsewhere) {
  for (const char* text : {"127.0.0.1", "127.8.9.10:80", "[::1]", "[::ffff:127.0.0.1]", "localhost",
                           "a.localhost", "a.b.LOCALHOST."})
    EXPECT_TRUE(IsLoopback(*ParseHost(text))) << text;
  for (const char* text : {"127.0.0.1.example.org", "127.1", "2130706433", "0x7f.0.0.1", "128.0.0.1",
                           "0.0.0.0", "[::]", "[::2]", "localhost.example.org", "evillocalhost", "local"})
    EXPECT_FALSE(IsLoopback(*ParseHost(text))) << text;
}

TEST(Host, OriginsAreThoseOfWebPages) {
  EXPECT_EQ(ParseOrigin("http://h").port, 80);
  EXPECT_EQ(ParseOrigin("HTTPS://H").port, 443);
  EXPECT_EQ(ParseOrigin("https://h:8080").host->name, "h");
  EXPECT_EQ(ParseOrigin("https://h:8080").port, 8080);
  for (const char* text :
       {"null", "", "h", "file://", "file://localhost", "chrome-extension://localhost", "http:/localhost",
        "http://", "http://a@localhost", "http://localhost/", "http://localhost,x"})
    EXPECT_FALSE(ParseOrigin(text).host) << text;
}

TEST(Host, JsonIsWhatSaysSo) {
  EXPECT_TRUE(SaysJson({{"content-type", "application/json"}}));
  EXPECT_TRUE(SaysJson({{"Content-Type", " Application/JSON ; charset=utf-8"}}));
  for (const char* type : {"", "text/plain", "text/plain; application/json", "application/jsonp",
                           "application/json5", "application/x-www-form-urlencoded",
                           "multipart/form-data; boundary=application/json", "text/plain, application/json"})
    EXPECT_FALSE(SaysJson({{"content-type", type}})) << type;
  EXPECT_FALSE(SaysJson({}));
  EXPECT_FALSE(SaysJson({{"content-type", "application/json"}, {"CONTENT-TYPE", "text/plain"}}));
}

}  // namespace
}  // namespace tradewind::net
