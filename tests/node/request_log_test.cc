// What the log of whole nodes says of requests, of what is done through the admin API, and of statements that take long;
// and that no secret and no value is in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/log_capture.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const std::string kAdmin = "an admin token of 32 characters!";

class RequestLogTest : public TwoNodes {
 protected:
  net::HttpResponse Run(Node& node, const std::string& sql, const net::Headers& headers = {}) {
    const boost::json::object body{
        {"requests", boost::json::array{boost::json::object{{"type", "execute"}, {"stmt", {{"sql", sql}}}},
                                        boost::json::object{{"type", "close"}}}}};
    return Call(node, "POST", "/db/shop/v3/pipeline?secret=hidden", boost::json::serialize(body), headers);
  }
  void MakeShop() { Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})")); }

  log::LogCapture log_;
};

TEST_F(RequestLogTest, EveryRequestHasAnIdWhichIsTheClientsIfItHasOne) {
  WithNodes([&] {
    MakeShop();
    EXPECT_EQ(Run(*n1_, "SELECT 1", {{"X-Request-Id", "mine-1"}}).headers.Get("x-request-id"), "mine-1");
    const std::string one(Run(*n1_, "SELECT 1").headers.Get("x-request-id").value_or(""));
    const std::string other(Call(*n1_, "GET", "/nothing", "", {{"X-Request-Id", "with a blank"}})
                                .headers.Get("x-request-id")
                                .value_or(""));
    EXPECT_THAT(one, ContainsRegex("^[0-9a-f]+-[0-9a-f]+$"));
    EXPECT_THAT(other, ContainsRegex("^[0-9a-f]+-[0-9a-f]+$")) << "that cannot stand in a log";
    EXPECT_NE(one, other);
  });
}

TEST_F(RequestLogTest, ALineARequestIsWrittenOnlyWhereThatWasChosen) {
  WithNodes([&] {
    MakeShop();
    Run(*n1_, "SELECT 1");
    EXPECT_THAT(log_.Take(), Not(HasSubstr("] request ")));
  });
  log_requests_ = true;
  WithNodes([&] {
    log_.Take();
    Run(*n2_, "SELECT 'a value'", {{"X-Request-Id", "mine-2"}, {"Authorization", "Bearer a.b.c"}});
    const std::string log = log_.Take();
    EXPECT_THAT(log, ContainsRegex("request id=mine-2 peer=127.0.0.1 method=POST path=/db/shop/v3/pipeline "
                                   "status=200 ms=[0-9.]+\n"));
    for (const char* hidden : {"hidden", "a value", "a.b.c"}) EXPECT_THAT(log, Not(HasSubstr(hidden)));
    EXPECT_THAT(log, Not(HasSubstr("internal"))) << "what nodes say to each other is no request of anybody's";
  });
}

TEST_F(RequestLogTest, EveryActionOfAnAdministratorHasALineWithWhoDidWhatToWhom) {
  locks_.admin_token = kAdmin;
  WithNodes([&] {
    const net::Headers admin{{"Authorization", "Bearer " + kAdmin}};
    log_.Take();
    Call(*n2_, "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})", admin);
    std::string log = log_.Take();
    EXPECT_THAT(log,
                ContainsRegex("audit id=[^ ]+ peer=127.0.0.1 who=admin_token method=POST path=/v1/tenants "
                              "tenant=shop status=201 outcome=done\n"));
    EXPECT_THAT(log, HasSubstr(" who=node ")) << "n1, which did it";
    EXPECT_THAT(log, Not(HasSubstr(kAdmin)));
    Call(*n1_, "DELETE", "/v1/tenants/shop", "", {{"Authorization", "Bearer guessed"}});
    EXPECT_THAT(log_.Take(),
                ContainsRegex("who=nobody method=DELETE path=/v1/tenants/shop tenant=shop status=401 "
                              "outcome=ADMIN_TOKEN_WRONG\n"));
    Call(*n1_, "POST", "/v1/moves", R"({"tenant":"shop","to":"n9"})", admin);
    EXPECT_THAT(log_.Take(), HasSubstr("path=/v1/moves tenant=shop status=404 outcome=NODE_NOT_FOUND\n"));
    Call(*n1_, "GET", "/v1/tenants", "", admin);
    EXPECT_THAT(log_.Take(), Not(HasSubstr("audit"))) << "that does nothing";
    Call(*n1_, "PUT", "/v1/imports/none", "", admin);
    EXPECT_THAT(log_.Take(), Not(HasSubstr("audit"))) << "one of thousands of pieces";
    for (const std::string tried : {"GET /v1/tenants", "PUT /v1/imports/none", "GET /metrics"}) {
      const std::string method = tried.substr(0, 3);
      const std::string path = tried.substr(4);
      Call(*n1_, method, path, "", {{"Authorization", "Bearer guessed"}});
      EXPECT_THAT(log_.Take(), ContainsRegex("who=nobody method=" + method + " path=" + path +
                                             " tenant=[^ ]* status=401 outcome=ADMIN_TOKEN_WRONG\n"));
    }
  });
}

TEST_F(RequestLogTest, StatementsThatTakeLongAreLoggedWithoutTheirValues) {
  slow_statement_ = std::chrono::nanoseconds(1);
  WithNodes([&] {
    MakeShop();
    log_.Take();
    Run(*n2_, "SELECT 'a secret', 42 -- of mine");
    EXPECT_THAT(log_.Take(),
                ContainsRegex(
                    "\\[warning\\] slow_statement tenant=shop ms=[0-9.]+ outcome=done sql=\"SELECT \\?\"\n"));
    Run(*n1_, "SELECT missing FROM t WHERE a = 'a secret'");
    const std::string log = log_.Take();
    EXPECT_THAT(log, HasSubstr("outcome=SQLITE_UNKNOWN sql=\"SELECT missing FROM t WHERE a = ?\"\n"));
    EXPECT_THAT(log, Not(HasSubstr("secret")));
  });
}

TEST_F(RequestLogTest, StatementsThatAreShortAreNotLogged) {
  slow_statement_ = std::chrono::hours(1);
  WithNodes([&] {
    MakeShop();
    Run(*n1_, "SELECT 1");
    EXPECT_THAT(log_.Take(), Not(HasSubstr("slow_statement")));
  });
}

}  // namespace
}  // namespace tradewind::node
