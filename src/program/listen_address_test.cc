#include "program/listen_address.h"

#include <gtest/gtest.h>

namespace tradewind::program {
namespace {

TEST(ListenAddress, IsAHostAndAPort) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1:8080", "--listen").value(), (runtime::Address{"127.0.0.1", 8080}));
  EXPECT_EQ(ParseListenAddress("[::1]:0", "--listen").value(), (runtime::Address{"::1", 0}));
  EXPECT_EQ(ParseListenAddress("localhost:65535", "--listen").value(),
            (runtime::Address{"localhost", 65535}));
  for (const char* text : {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http",
                           "127.0.0.1:65536", "127.0.0.1:80x", "::1:8080", "[]:8080"})
    EXPECT_EQ(ParseListenAddress(text, "--listen").error().code, "LISTEN_INVALID") << text;
}

TEST(ListenAddress, LoopbackIsThisMachineOnly) {
  for (const char* host : {"127.0.0.1", "127.8.9.10", "::1", "localhost"})
    EXPECT_TRUE(IsLoopback({host, 1})) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "example.org", "127.0.0.1.example.org"})
    EXPECT_FALSE(IsLoopback({host, 1})) << host;
}

}  // namespace
}  // namespace tradewind::program
