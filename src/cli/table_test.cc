#include "cli/table.h"

#include <gtest/gtest.h>

namespace tradewind::cli {
namespace {

TEST(Table, AlignsWordsToTheLeftAndNumbersToTheRight) {
  Table table({"NAME", "EPOCH"});
  table.AddRow({"shop", "3"});
  table.AddRow({"a-long-name", "12"});
  EXPECT_EQ(table.ToString(),
            "NAME         EPOCH\n"
            "shop             3\n"
            "a-long-name     12\n");
}

TEST(Table, CountsCharactersAndNotBytes) {
  Table table({"A", "B"});
  table.AddRow({"äö", "x"});
  table.AddRow({"abc", "y"});
  EXPECT_EQ(table.ToString(), "A    B\näö   x\nabc  y\n");
}

TEST(Table, StoredControlCharactersDoNotReachTheTerminal) {
  Table table({"A"});
  table.AddRow({"one\ntwo\x1b[31m"});
  EXPECT_EQ(table.ToString(), "A\none\\ntwo\\x1b[31m\n");
}

TEST(Table, PropertiesAreAligned) {
  EXPECT_EQ(PropertyList({{"id", "m1"}, {"phase", "done"}}), "id     m1\nphase  done\n");
}

}  // namespace
}  // namespace tradewind::cli
