#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "base/log_capture.h"

namespace tradewind::log {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { SetFormat(Format::kText); }
  std::string Line() {
    std::string line = capture_.Take();
    EXPECT_THAT(line, EndsWith("\n"));
    if (!line.empty()) line.pop_back();
    EXPECT_EQ(line.find('\n'), std::string::npos) << "it is one line";
    return line;
  }
  boost::json::object Json() {
    boost::json::error_code failed;
    const auto value = boost::json::parse(Line(), failed);
    EXPECT_FALSE(failed);
    return value.is_object() ? value.get_object() : boost::json::object();
  }

 private:
  LogCapture capture_;
};

TEST_F(LogTest, AnEventIsItsNameAndItsValues) {
  SetFormat(Format::kText);
  Event(Level::kInfo, "request",
        {{"id", "ab-1"}, {"path", "/db/a b\n\"c\""}, {"status", int64_t{200}}, {"ms", 1.25}, {"empty", ""}});
  EXPECT_THAT(Line(),
              EndsWith(R"([info] request id=ab-1 path="/db/a b\n\"c\"" status=200 ms=1.250 empty="")"));
}

TEST_F(LogTest, AMessageOfSeveralLinesIsOneLine) {
  SetFormat(Format::kText);
  warn("of {}", "two\nlines");
  EXPECT_THAT(Line(), EndsWith("[warning] of two lines"));
}

TEST_F(LogTest, AsJsonEachLineIsAnObject) {
  SetFormat(Format::kJson);
  Event(Level::kInfo, "request", {{"id", "a\"b"}, {"status", int64_t{200}}, {"ms", 1.25}});
  const auto event = Json();
  EXPECT_EQ(event.at("event"), "request");
  EXPECT_EQ(event.at("id"), "a\"b");
  EXPECT_EQ(event.at("status"), 200);
  EXPECT_EQ(event.at("ms"), 1.25);
  EXPECT_EQ(event.at("level"), "info");
  EXPECT_TRUE(event.contains("time"));
  error("it's \"{}\"\nwith a line", "quoted");
  const auto message = Json();
  EXPECT_EQ(message.at("message"), "it's \"quoted\"\nwith a line");
  EXPECT_EQ(message.at("level"), "error");
}

TEST_F(LogTest, BytesThatAreNoUtf8DoNotSpoilTheLine) {
  SetFormat(Format::kJson);
  Event(Level::kInfo, "request", {{"path", "/\xFF\xFE"}, {"name", "caf\xC3\xA9"}});
  const auto event = Json();
  EXPECT_EQ(event.at("path"), "/\?\?");
  EXPECT_EQ(event.at("name"), "caf\xC3\xA9");
}

}  // namespace
}  // namespace tradewind::log
