#include "net/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/api_error.h"

namespace tradewind::net {
namespace {

HttpRequest Request(std::string method, std::string path) {
  HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

Routes Sample() {
  Routes routes;
  for (const auto& [method, path] : {std::pair("GET", "/v1/tenants"),
                                     {"POST", "/v1/tenants"},
                                     {"GET", "/v1/tenants/*"},
                                     {"POST", "/db/*/v2/pipeline"},
                                     {"GET", "/health"}})
    routes.Add({method, path, [](const Call& call) -> Answer { return HttpResponse::Text(200, call.name); }});
  return routes;
}

TEST(Routes, FindAPathByItsMethodAndItsSegments) {
  const Routes routes = Sample();
  EXPECT_EQ(routes.Find(Request("GET", "/v1/tenants")).route, &routes.all()[0]);
  EXPECT_EQ(routes.Find(Request("POST", "/v1/tenants")).route, &routes.all()[1]);
  const auto one = routes.Find(Request("GET", "/v1/tenants/shop"));
  EXPECT_EQ(one.route, &routes.all()[2]);
  EXPECT_EQ(one.name, "shop");
  EXPECT_EQ(routes.Find(Request("POST", "/db/shop/v2/pipeline")).name, "shop");
}

TEST(Routes, TakeRepeatedSlashesForOneButNotAnEmptyName) {
  const Routes routes = Sample();
  EXPECT_EQ(routes.Find(Request("POST", "//db/shop//v2/pipeline")).name, "shop");
  EXPECT_EQ(routes.Find(Request("GET", "/v1/tenants/")).route, nullptr);
  EXPECT_EQ(routes.Find(Request("GET", "/v1/tenants/a/b")).route, nullptr);
  EXPECT_EQ(routes.Find(Request("GET", "health")).route, nullptr);
}

TEST(Routes, SayWhichMethodsThereAreWhenItIsAnother) {
  const Routes routes = Sample();
  const HttpRequest request = Request("DELETE", "/v1/tenants");
  const auto found = routes.Find(request);
  EXPECT_EQ(found.route, nullptr);
  const HttpResponse refusal = Routes::Refusal(request, found);
  EXPECT_EQ(refusal.status, 405);
  EXPECT_EQ(refusal.headers.Get("Allow"), "GET, POST");
  EXPECT_EQ(ParseErrorResponse(refusal).code, "METHOD_NOT_ALLOWED");
}

TEST(Routes, SayThatThereIsNothing) {
  const Routes routes = Sample();
  const HttpRequest request = Request("GET", "/nothing");
  const HttpResponse refusal = Routes::Refusal(request, routes.Find(request));
  EXPECT_EQ(refusal.status, 404);
  EXPECT_EQ(ParseErrorResponse(refusal).code, "PATH_NOT_FOUND");
}

TEST(Routes, KnowWhatIsForNodesHoweverItIsAskedFor) {
  Routes routes = Sample();
  routes.Add(
      {"POST", "/v1/internal/streams", [](const Call&) -> Answer { return HttpResponse::Text(200, ""); }});
  for (const char* path :
       {"/v1/internal/streams", "//v1//internal///streams", "/v1/internal/nothing", "/v1/internal"})
    for (const char* method : {"POST", "GET"})
      EXPECT_TRUE(routes.Find(Request(method, path)).for_nodes) << path;
  EXPECT_FALSE(routes.Find(Request("GET", "/v1/tenants/internal")).for_nodes);
  EXPECT_FALSE(routes.Find(Request("GET", "/v1/internals")).for_nodes);
}

TEST(Routes, WantJsonUnlessARouteSaysOtherwise) {
  HttpRequest request = Request("POST", "/v1/tenants");
  request.body = "{}";
  const auto code_for = [&](Route::Body body) {
    Route route{"POST", "/v1/tenants", {}};
    route.body = body;
    const Result<void> checked = Routes::CheckBody(route, request);
    return checked ? std::string() : checked.error().code;
  };
  EXPECT_EQ(code_for(Route::Body::kJson), kNotJsonCode);
  EXPECT_EQ(code_for(Route::Body::kMaybeJson), "");
  EXPECT_EQ(code_for(Route::Body::kAnything), "");
  request.headers.Set("origin", "http://localhost");
  EXPECT_EQ(code_for(Route::Body::kMaybeJson), kNotJsonCode) << "a browser has sent it";
  request.headers.Set("content-type", "text/plain");
  EXPECT_EQ(code_for(Route::Body::kJson), kNotJsonCode);
  EXPECT_EQ(code_for(Route::Body::kMaybeJson), kNotJsonCode);
  request.headers.Set("authorization", "Basic c2hvcDpzaG9w");
  EXPECT_EQ(code_for(Route::Body::kMaybeJson), kNotJsonCode) << "a browser may have kept that";
  for (const char* token : {"Bearer token", "bearer token"}) {
    request.headers.Set("authorization", token);
    EXPECT_EQ(code_for(Route::Body::kMaybeJson), "") << "no page makes a browser send one";
  }
  EXPECT_EQ(code_for(Route::Body::kJson), kNotJsonCode);
  request.headers.Set("content-type", "application/json; charset=utf-8");
  EXPECT_EQ(code_for(Route::Body::kJson), "");
  EXPECT_EQ(code_for(Route::Body::kMaybeJson), "");
}

}  // namespace
}  // namespace tradewind::net
