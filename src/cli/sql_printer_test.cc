#include "cli/sql_printer.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tradewind::cli {
namespace {

sql::StatementResult Rows() {
  sql::StatementResult result;
  result.columns = {{"id", std::nullopt}, {"name", std::nullopt}};
  result.rows = {{int64_t{9007199254740993}, std::string("a,\"b\"\nc")},
                 {std::monostate(), sql::Blob{std::string("\x00\xff", 2)}},
                 {2.5, std::string()}};
  return result;
}

TEST(SqlPrinter, ShowsATable) {
  EXPECT_EQ(RowsText(Rows(), RowMode::kTable),
            "id                name\n"
            "9007199254740993  a,\"b\"\\nc\n"
            "NULL              x'00ff'\n"
            "2.5\n");
}

TEST(SqlPrinter, QuotesInCsvWhatNeedsIt) {
  EXPECT_EQ(RowsText(Rows(), RowMode::kCsv),
            "id,name\r\n9007199254740993,\"a,\"\"b\"\"\nc\"\r\n,x'00ff'\r\n2.5,\"\"\r\n");
}

TEST(SqlPrinter, KeepsIntegersExactInJson) {
  EXPECT_EQ(
      RowsText(Rows(), RowMode::kJson),
      "[{\"id\":9007199254740993,\"name\":\"a,\\\"b\\\"\\nc\"},{\"id\":null,\"name\":{\"base64\":\"AP8\"}},"
      "{\"id\":2.5E0,\"name\":\"\"}]\n");
}

TEST(SqlPrinter, ShowsListsAndLines) {
  EXPECT_EQ(RowsText(Rows(), RowMode::kList), "9007199254740993|a,\"b\"\nc\nNULL|x'00ff'\n2.5|\n");
  EXPECT_TRUE(RowsText(Rows(), RowMode::kLine).starts_with("  id = 9007199254740993\nname = a"));
}

TEST(SqlPrinter, SaysNothingOfAStatementWithoutColumns) {
  for (const char* mode : {"table", "list", "csv", "json", "line"})
    EXPECT_EQ(RowsText({}, ParseRowMode(mode).value()), "") << mode;
  EXPECT_FALSE(ParseRowMode("xml"));
}

}  // namespace
}  // namespace tradewind::cli
