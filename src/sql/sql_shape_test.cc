#include "sql/sql_shape.h"

#include <gtest/gtest.h>

namespace tradewind::sql {
namespace {

std::string Shape(std::string_view sql) {
  return ShapeOf(sql, 1000);
}

TEST(SqlShape, ShowsWhatAStatementDoesWithoutAnyValue) {
  EXPECT_EQ(
      Shape("SELECT  name\n FROM user -- who\nWHERE id = 42 AND mail = 'it''s@me' /* x */ LIMIT 1.5e-9"),
      "SELECT name FROM user WHERE id = ? AND mail = ? LIMIT ?");
  EXPECT_EQ(Shape("UPDATE t SET a=x'00FF', b=0x1F, c=.5, d=-7 WHERE t1.col2=:name"),
            "UPDATE t SET a=?, b=?, c=?, d=-? WHERE t1.col2=:name");
}

TEST(SqlShape, KeepsParametersAsTheyAreWritten) {
  EXPECT_EQ(Shape("SELECT ?, ?12, @a, $b, :c"), "SELECT ?, ?12, @a, $b, :c");
}

TEST(SqlShape, ShowsOneOfAListOfValues) {
  EXPECT_EQ(Shape("SELECT * FROM t WHERE id IN (1, 2, 3,4) AND s = 'a'"),
            "SELECT * FROM t WHERE id IN (?) AND s = ?");
}

TEST(SqlShape, TakesTextBetweenDoubleQuotesForAValueWhereOneCanStand) {
  EXPECT_EQ(Shape(R"(SELECT "u"."name" AS "n" FROM "user" "u" JOIN "mail" ON "u"."id" = "mail"."user")"),
            R"(SELECT "u"."name" AS "n" FROM "user" ? JOIN "mail" ON "u"."id" = "mail"."user")");
  EXPECT_EQ(Shape(R"(SELECT 1 FROM t WHERE password = "hunter2")"), "SELECT ? FROM t WHERE password = ?");
  EXPECT_EQ(Shape("INSERT INTO [my table] VALUES(`a`, 'b')"), "INSERT INTO [my table] VALUES(`a`, ?)");
}

TEST(SqlShape, ShowsNothingOfAValueThatIsNotClosed) {
  EXPECT_EQ(Shape("SELECT 'secret"), "SELECT ?");
  EXPECT_EQ(Shape("SELECT x'ab"), "SELECT ?");
  EXPECT_EQ(Shape("SELECT [open"), "SELECT [open");
  EXPECT_EQ(Shape("SELECT 1 /* secret"), "SELECT ?");
}

TEST(SqlShape, IsCutToItsBound) {
  EXPECT_EQ(ShapeOf("SELECT abcdefghij FROM t", 14), "SELECT abcd...");
  EXPECT_EQ(ShapeOf("SELECT 1", 8), "SELECT ?");
  EXPECT_LE(ShapeOf("SELECT \xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 12).size(), 12u);
  EXPECT_EQ(ShapeOf("", 10), "");
}

TEST(SqlShape, KeepsTheSemicolonsOfAScript) {
  EXPECT_EQ(Shape("BEGIN; DELETE FROM t;\n COMMIT"), "BEGIN; DELETE FROM t; COMMIT");
}

}  // namespace
}  // namespace tradewind::sql
