#include "mysql/kill_request.h"

#include <gtest/gtest.h>

#include <string>

namespace tradewind::mysql {
namespace {

std::string Query(const std::string& text) {
  return "\x03" + text;
}

TEST(KillRequest, FindsTheNumberInEveryForm) {
  for (const char* const text :
       {"KILL 7", "kill query 7", "KILL HARD CONNECTION 7;", "Kill\tsoft\n query  7 ; "})
    EXPECT_EQ(ParseKill(Query(text)).value().connection, 7u) << text;
  EXPECT_EQ(ParseKill(std::string("\x0c\x01\x02\x00\x80", 5)).value().connection, 0x80000201u);
}

TEST(KillRequest, PutsAnotherNumberInItsPlaceAndChangesNothingElse) {
  EXPECT_EQ(ParseKill(Query("KILL  QUERY 2147483650 ;")).value().PayloadFor(12), Query("KILL  QUERY 12 ;"));
  EXPECT_EQ(ParseKill(std::string("\x0c\x01\x02\x00\x80", 5)).value().PayloadFor(258),
            std::string("\x0c\x02\x01\x00\x00", 5));
}

TEST(KillRequest, TakesNothingElseForOne) {
  for (const char* const text : {"", "KILL", "KILL x", "KILL 7 8", "KILL 7; SELECT 1", "KILL QUERY ID 7",
                                 "KILL 99999999999", "KILL USER crm", "SELECT 7", "KILL 7 -- now"})
    EXPECT_FALSE(ParseKill(Query(text))) << text;
  EXPECT_FALSE(ParseKill(""));
  EXPECT_FALSE(ParseKill("\x0c"));
  EXPECT_FALSE(ParseKill("\x16KILL 7"));
}

}  // namespace
}  // namespace tradewind::mysql
