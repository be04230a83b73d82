#include "report/report.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace tradewind::report {
namespace {

namespace json = boost::json;

constexpr std::string_view kOpening = R"(<script type="application/json" id="results">)";

size_t CountOf(std::string_view needle, std::string_view text) {
  size_t count = 0;
  for (size_t at = text.find(needle); at != text.npos; at = text.find(needle, at + 1)) ++count;
  return count;
}

// What a browser takes for the results: everything up to the first end of a script.
std::string_view EmbeddedResults(std::string_view page) {
  const size_t from = page.find(kOpening) + kOpening.size();
  return page.substr(from, page.find("</script", from) - from);
}

TEST(ReportTest, PageHoldsTheResultsAsTheyAre) {
  const json::value results = json::parse(R"({"format":1,"title":"a \"title\"","totals":{"p95_ms":3.25}})");
  EXPECT_EQ(json::parse(EmbeddedResults(RenderReport(results))), results);
}

TEST(ReportTest, NoStringEndsTheEmbeddedJson) {
  for (const std::string_view hostile :
       {"</script>", "</SCRIPT ", "<!--<script>", "<script>alert(1)</script>", "]]>", "<!--script-->",
        "<!--results-->",
        "a\xE2\x80\xA8"
        "b\xE2\x80\xA9"
        "c",
        "\xE2\x80", "\"\\"}) {
    const json::value results{{"complaints", json::array{json::string(hostile)}},
                              {"options", json::object{{json::string(hostile), 1}}}};
    const std::string page = RenderReport(results);
    const std::string_view embedded = EmbeddedResults(page);
    EXPECT_EQ(embedded.find('<'), embedded.npos) << hostile;
    EXPECT_EQ(embedded.find("\xE2\x80\xA8"), embedded.npos);
    EXPECT_EQ(embedded.find("\xE2\x80\xA9"), embedded.npos);
    if (hostile != "\xE2\x80") {  // Half a character is no JSON to the parser, yet a browser reads on.
      EXPECT_EQ(json::parse(embedded), results) << hostile;
    }
    EXPECT_EQ(CountOf("<script", page), 2U) << hostile;
    EXPECT_EQ(CountOf("</script", page), 2U) << hostile;
  }
}

TEST(ReportTest, PageIsCompleteAndAsksForNothing) {
  const std::string page = RenderReport(json::object{});
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
  for (const std::string_view mark :
       {"<!--style-->", "<!--results-->", "<!--script-->", " src=", "url(", "@import"})
    EXPECT_EQ(page.find(mark), page.npos) << mark;
  EXPECT_NE(page.find("default-src 'none'"), page.npos);
}

}  // namespace
}  // namespace tradewind::report
