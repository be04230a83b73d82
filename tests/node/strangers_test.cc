#include "gateway/strangers.h"

#include <gtest/gtest.h>

#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

std::string Refusal(const gateway::Strangers& strangers, const net::Headers& headers,
                    std::string target = "/") {
  net::HttpRequest request;
  request.target = std::move(target);
  request.headers = headers;
  const auto checked = strangers.Check(request);
  return checked ? "" : checked.error().code;
}

const gateway::Strangers kLocal({"127.0.0.1:8080"}, {});
const gateway::Strangers kPublic({"10.1.2.3:8080", "node1.internal:8080"}, {"db.example.com"});

TEST(Strangers, HostsAreThoseOfTheNode) {
  for (const char* host : {"127.0.0.1:8080", "127.0.0.1", "127.0.0.2:9", "localhost:8080", "LOCALHOST:1",
                           "[::1]:8080", "shop.localhost:8080", "shop.localhost."})
    EXPECT_EQ(Refusal(kLocal, {{"Host", host}}), "") << host;
  for (const char* host : {"evil.example", "evil.example:8080", "10.1.2.3:8080", "localhost.evil.example",
                           "127.0.0.1.evil.example", "me@127.0.0.1", "", "127.0.0.1:8080, evil.example",
                           "[::2]", "evil.example.", "0.0.0.0:8080"})
    EXPECT_EQ(Refusal(kLocal, {{"Host", host}}), "HOST_NOT_ALLOWED") << host;
  for (const char* host :
       {"10.1.2.3:8080", "NODE1.internal.:8080", "db.example.com", "shop.db.example.com:443"})
    EXPECT_EQ(Refusal(kPublic, {{"Host", host}}), "") << host;
  for (const char* host : {"10.1.2.4:8080", "example.com", "evildb.example.com", "shop.node1.internal"})
    EXPECT_EQ(Refusal(kPublic, {{"Host", host}}), "HOST_NOT_ALLOWED") << host;
}

TEST(Strangers, AHostIsNamedOnceAndTheTargetCounts) {
  EXPECT_EQ(Refusal(kLocal, {}), "") << "no browser leaves it out";
  EXPECT_EQ(Refusal(kLocal, {{"Host", "localhost"}, {"HOST", "localhost"}}), "HOST_NOT_ALLOWED");
  EXPECT_EQ(Refusal(kLocal, {{"Host", "localhost"}}, "http://evil.example/v1/tenants"), "HOST_NOT_ALLOWED");
  EXPECT_EQ(Refusal(kLocal, {{"Host", "localhost"}}, "http://localhost:8080/v1/tenants"), "");
}

TEST(Strangers, AtAWildcardEveryAddressIsItsOwnAndNoName) {
  const gateway::Strangers everywhere({"0.0.0.0:8080"}, {});
  for (const char* host : {"192.168.1.7:8080", "[fe80::1]:8080", "localhost"})
    EXPECT_EQ(Refusal(everywhere, {{"Host", host}}), "") << host;
  EXPECT_EQ(Refusal(everywhere, {{"Host", "evil.example:8080"}}), "HOST_NOT_ALLOWED");
}

TEST(Strangers, PagesAreThoseOfTheNodeOrOfADomain) {
  const auto from = [](const gateway::Strangers& strangers, const char* host, const char* origin) {
    return Refusal(strangers, {{"Host", host}, {"Origin", origin}});
  };
  EXPECT_EQ(from(kLocal, "127.0.0.1:8080", "http://127.0.0.1:8080"), "");
  EXPECT_EQ(from(kLocal, "127.0.0.1:8080", "http://LocalHost:8080"), "");
  EXPECT_EQ(from(kPublic, "shop.db.example.com", "https://shop.db.example.com"), "");
  EXPECT_EQ(from(kPublic, "shop.db.example.com:8080", "https://app.db.example.com"), "");
  for (const char* origin :
       {"http://evil.example", "http://evil.example:8080", "null", "", "file://", "http://127.0.0.1:3000",
        "http://127.0.0.1", "https://127.0.0.1.evil.example:8080", "chrome-extension://127.0.0.1:8080",
        "http://a@127.0.0.1:8080", "127.0.0.1:8080"})
    EXPECT_EQ(from(kLocal, "127.0.0.1:8080", origin), "ORIGIN_NOT_ALLOWED") << origin;
  EXPECT_EQ(from(kPublic, "db.example.com", "https://example.com"), "ORIGIN_NOT_ALLOWED");
  EXPECT_EQ(Refusal(kLocal, {{"Host", "localhost:80"},
                             {"Origin", "http://localhost:80"},
                             {"ORIGIN", "http://evil.example"}}),
            "ORIGIN_NOT_ALLOWED");
}

TEST(Strangers, WhatAnotherSiteCausedIsRefused) {
  EXPECT_EQ(Refusal(kLocal, {{"Host", "localhost"}, {"Sec-Fetch-Site", "cross-site"}}), "CROSS_SITE_REQUEST");
  for (const char* site : {"none", "same-origin", "same-site"})
    EXPECT_EQ(Refusal(kLocal, {{"Host", "localhost"}, {"Sec-Fetch-Site", site}}), "") << site;
}

TEST(Strangers, ATenantIsTheFirstLabelOfAHostThatIsNotTheNodesOwn) {
  EXPECT_EQ(kLocal.TenantIn("SHOP.localhost:8080"), "shop");
  EXPECT_EQ(kPublic.TenantIn("shop.db.example.com"), "shop");
  for (const char* host : {"localhost.", "localhost:8080", "127.0.0.1:8080", "[::1]", "db.example.com",
                           "node1.internal:8080", ""})
    EXPECT_EQ(kPublic.TenantIn(host), std::nullopt) << host;
}

TEST(Strangers, ADomainIsAName) {
  EXPECT_EQ(gateway::ParseDomain("*.DB.Example.com.").value(), "db.example.com");
  EXPECT_EQ(gateway::ParseDomain("10.0.0.1").value(), "10.0.0.1");
  for (const char* text : {"", "*", "*.*", "http://a", "a:80", "a/b", "a,b"})
    EXPECT_FALSE(gateway::ParseDomain(text)) << text;
}

class StrangersAtANode : public TwoNodes {};

TEST_F(StrangersAtANode, AreRefusedByEveryPath) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    const std::string pipeline =
        R"({"requests":[{"type":"execute","stmt":{"sql":"select 1"}},{"type":"close"}]})";
    for (Node* node : {n1_.get(), n2_.get()}) {
      for (const char* target :
           {"/health", "/metrics", "/v1/tenants", "/db/shop/v2/pipeline", "/", "/v1/internal/sizes"}) {
        EXPECT_EQ(CodeOf(403, Call(*node, "POST", target, pipeline, {{"Host", "evil.example"}})),
                  "HOST_NOT_ALLOWED");
        EXPECT_EQ(CodeOf(403, Call(*node, "POST", target, pipeline, {{"Origin", "http://evil.example"}})),
                  "ORIGIN_NOT_ALLOWED");
        EXPECT_EQ(CodeOf(403, Call(*node, "POST", target, pipeline, {{"Sec-Fetch-Site", "cross-site"}})),
                  "CROSS_SITE_REQUEST");
      }
      const net::HttpResponse named =
          Call(*node, "POST", "/v2/pipeline", pipeline, {{"Host", "Shop.localhost:1"}});
      EXPECT_EQ(named.status, 200) << named.body;
      EXPECT_EQ(Call(*node, "POST", "/db/shop/v2/pipeline", pipeline, {{"Origin", node->url()}}).status, 200);
    }
  });
}

TEST_F(StrangersAtANode, AnUpgradeOfAForeignPageIsRefused) {
  WithNodes([&] {
    net::HttpRequest request;
    request.target = "/db/shop";
    request.headers = {{"Host", "localhost"}, {"Origin", "http://evil.example"}};
    const auto address = net::ParseUrl(n1_->url())->address;
    const auto upgraded =
        client_->Upgrade(address, request, "websocket", core_->Now() + std::chrono::seconds(60));
    ASSERT_FALSE(upgraded);
    EXPECT_NE(upgraded.error().message.find("ORIGIN_NOT_ALLOWED"), std::string::npos)
        << upgraded.error().message;
  });
}

TEST_F(StrangersAtANode, JsonIsTakenOnlyWhereItSaysThatItIs) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    const std::string pipeline =
        R"({"requests":[{"type":"execute","stmt":{"sql":"select 1"}},{"type":"close"}]})";
    const auto raw = [&](const char* method, const char* target, std::string body,
                         const net::Headers& headers) {
      net::HttpRequest request;
      request.method = method;
      request.headers = headers;
      request.body = std::move(body);
      return client_->Call(n2_->url() + target, request, core_->Now() + std::chrono::seconds(60)).value();
    };
    for (const char* type : {"text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
                             "multipart/form-data; boundary=x", ""}) {
      EXPECT_EQ(CodeOf(415, raw("POST", "/v1/tenants", R"({"name":"t"})", {{"content-type", type}})),
                "CONTENT_TYPE_NOT_JSON");
      EXPECT_EQ(CodeOf(415, raw("POST", "/v1/nodes/n1/drain", "{}", {{"content-type", type}})),
                "CONTENT_TYPE_NOT_JSON");
      EXPECT_EQ(CodeOf(415, raw("POST", "/v1/moves/m/cancel", "", {{"content-type", type}})),
                "CONTENT_TYPE_NOT_JSON");
      EXPECT_EQ(CodeOf(415, raw("PATCH", "/v1/tenants/shop", "{}", {{"content-type", type}})),
                "CONTENT_TYPE_NOT_JSON");
      EXPECT_EQ(CodeOf(415, raw("POST", "/db/shop/v3/pipeline", pipeline, {{"content-type", type}})),
                "CONTENT_TYPE_NOT_JSON");
    }
    EXPECT_EQ(CodeOf(415, raw("POST", "/v1/tenants", R"({"name":"t"})", {})), "CONTENT_TYPE_NOT_JSON");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "GET", "/v1/tenants/t")), "TENANT_NOT_FOUND");
    EXPECT_EQ(raw("POST", "/db/shop/v2/pipeline", pipeline, {}).status, 200) << "some clients say no type";
    EXPECT_EQ(raw("POST", "/db/shop/v2/pipeline", pipeline, {{"Origin", n2_->url()}}).status, 415);
    EXPECT_EQ(
        raw("POST", "/db/shop/v2/pipeline", pipeline, {{"Content-Type", "Application/Json; charset=utf-8"}})
            .status,
        200);
    EXPECT_EQ(raw("DELETE", "/v1/tenants/shop", "", {}).status, 204);
  });
}

}  // namespace
}  // namespace tradewind::node
