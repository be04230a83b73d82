#include "net/api_error.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>

namespace tradewind::net {
namespace {

namespace json = boost::json;

const std::map<ErrorKind, int> kStatuses = {
    {ErrorKind::kInvalid, 400},     {ErrorKind::kUnauthorized, 401}, {ErrorKind::kNotFound, 404},
    {ErrorKind::kExists, 409},      {ErrorKind::kRefused, 409},      {ErrorKind::kTooLarge, 413},
    {ErrorKind::kUnavailable, 503}, {ErrorKind::kTimeout, 504},      {ErrorKind::kIo, 500},
    {ErrorKind::kCorrupt, 500},     {ErrorKind::kInternal, 500},
};

TEST(ApiError, EachKindHasItsStatus) {
  for (const auto& [kind, status] : kStatuses)
    EXPECT_EQ(ErrorResponse({kind, "CODE", "what happened", ""}).status, status) << KindName(kind);
}

TEST(ApiError, AFullDiskIsNotTheSendersFault) {
  EXPECT_EQ(StatusOf({ErrorKind::kTooLarge, "DISK_FULL", "", ""}), 507);
}

TEST(ApiError, TheBodySaysWhatHappenedAndWhatToDo) {
  const HttpResponse response =
      ErrorResponse({ErrorKind::kNotFound, "TENANT_NOT_FOUND", "there is no \"a\"\n", "look at the list"});
  EXPECT_EQ(response.headers.Get("content-type"), "application/json");
  EXPECT_EQ(json::parse(response.body), (json::value{{"error", "there is no \"a\"\n"},
                                                     {"code", "TENANT_NOT_FOUND"},
                                                     {"kind", "not_found"},
                                                     {"action", "look at the list"}}));
}

TEST(ApiError, TheBodyIsJsonWhateverBytesTheMessageHolds) {
  json::error_code failed;
  const auto body = json::parse(ErrorResponse({ErrorKind::kInternal, "CODE", "\xff\x01", ""}).body, failed);
  ASSERT_FALSE(failed) << failed.message();
  EXPECT_EQ(body.at("error").as_string(), "\xEF\xBF\xBD\x01");
}

TEST(ApiError, ComesBackAsItWas) {
  for (const auto& [kind, status] : kStatuses) {
    const Error error = ParseErrorResponse(ErrorResponse({kind, "CODE", "what happened", "what to do"}));
    EXPECT_EQ(error.kind, kind);
    EXPECT_EQ(error.code, "CODE");
    EXPECT_EQ(error.message, "what happened");
    EXPECT_EQ(error.action, "what to do");
  }
}

TEST(ApiError, AnAnswerOfSomethingElseIsReadByItsStatus) {
  const Error error = ParseErrorResponse(HttpResponse::Text(503, "<html>no</html>"));
  EXPECT_EQ(error.kind, ErrorKind::kUnavailable);
  EXPECT_EQ(error.code, "HTTP_ANSWER");
  EXPECT_EQ(error.message, "the server answered 503 <html>no</html>");
  EXPECT_EQ(ParseErrorResponse(HttpResponse::Json(404, R"({"error":7})")).kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace tradewind::net
