#include "cli/sql_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tradewind::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SplitStatements, CutsAtSemicolons) {
  EXPECT_THAT(SplitStatements("select 1; select 2 ;\n"), ElementsAre("select 1", "select 2"));
  EXPECT_THAT(SplitStatements("select 1"), ElementsAre("select 1"));
}

TEST(SplitStatements, LeavesOutWhatIsNoStatement) {
  EXPECT_THAT(SplitStatements(""), IsEmpty());
  EXPECT_THAT(SplitStatements(" ;; -- nothing; here\n /* nor; here */ ;"), IsEmpty());
}

TEST(SplitStatements, FilesOfOtherSystemsAreUnderstood) {
  EXPECT_THAT(SplitStatements("\uFEFFselect 1;\r\nselect 2;\r\n"), ElementsAre("select 1", "select 2"));
  const std::string trigger = "create trigger t insert on a begin delete from c; end";
  EXPECT_THAT(SplitStatements("\uFEFF" + trigger + ";select 1"), ElementsAre(trigger, "select 1"));
  EXPECT_THAT(SplitStatements("\uFEFF"), IsEmpty());
}

TEST(SplitStatements, QuotesAndCommentsHideSemicolons) {
  EXPECT_THAT(SplitStatements("select ';''', \"a;b\", `c;d`, [e;f] -- ;\n, 1 /* ; */ + 1; select 2"),
              ElementsAre("select ';''', \"a;b\", `c;d`, [e;f] -- ;\n, 1 /* ; */ + 1", "select 2"));
  EXPECT_THAT(SplitStatements("select 'open; end"), ElementsAre("select 'open; end"));
}

TEST(SplitStatements, ATriggerEndsAtItsEnd) {
  const std::string trigger =
      "create temp trigger t after insert on a begin update b set x = case when 1 then 2 end; delete from c; "
      "end";
  EXPECT_THAT(SplitStatements(trigger + "; select 1;"), ElementsAre(trigger, "select 1"));
  EXPECT_THAT(SplitStatements("create table trigger_log(x); select 1"),
              ElementsAre("create table trigger_log(x)", "select 1"));
}

}  // namespace
}  // namespace tradewind::cli
