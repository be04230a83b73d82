#include "gateway/baton.h"

#include <gtest/gtest.h>

#include "runtime/random_id.h"
#include "runtime/test_core.h"

namespace tradewind::gateway {
namespace {

class BatonTest : public testing::Test {
 protected:
  runtime::TestCore core_;
  const std::string process_ = runtime::RandomId(core_);
  const GatewayId gateway_ = "n1." + process_;
};

TEST_F(BatonTest, SaysWhichGatewayHasTheStream) {
  const std::string text = MakeBaton(core_, gateway_, 42);
  const auto baton = ParseBaton(text);
  ASSERT_TRUE(baton);
  EXPECT_EQ(baton->node, "n1");
  EXPECT_EQ(baton->gateway, gateway_);
  EXPECT_EQ(baton->stream, 42u);
  EXPECT_EQ(baton->text, text);
}

TEST_F(BatonTest, IsNeverMadeTwice) {
  EXPECT_NE(MakeBaton(core_, gateway_, 42), MakeBaton(core_, gateway_, 42));
}

TEST_F(BatonTest, IsNothingThatAGatewayDoesNotGiveOut) {
  const std::string random = runtime::RandomId(core_);
  ASSERT_TRUE(ParseBaton("n1." + process_ + ".7." + random));
  for (const std::string& text :
       {std::string(), std::string("..."), "n1." + process_ + ".7", "n1." + process_ + ".7." + random + ".",
        "n1." + process_ + ".7." + random + ".x", "n 1." + process_ + ".7." + random,
        "." + process_ + ".7." + random, "n1.x.7." + random, "n1." + process_ + ".7.x",
        "n1." + process_ + ".." + random, "n1." + process_ + ".-7." + random,
        "n1." + process_ + ".7x." + random, "n1." + process_ + ".18446744073709551616." + random})
    EXPECT_FALSE(ParseBaton(text)) << text;
  EXPECT_EQ(ParseBaton("n1." + process_ + ".18446744073709551615." + random)->stream, UINT64_MAX);
}

}  // namespace
}  // namespace tradewind::gateway
