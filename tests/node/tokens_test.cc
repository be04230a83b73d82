// Nodes that ask for tokens: what a client without one, with another's or with a forged one can do and learn.
#include <gtest/gtest.h>

#include <string>

#include "auth/token.h"
#include "base/base64.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

namespace json = boost::json;

const std::string kAdmin = "an admin token of 32 characters!";

class TokensTest : public TwoNodes {
 protected:
  TokensTest() {
    secret_ = net::ClusterSecret("a secret of the cluster, 32 bytes");
    locks_ = {auth::VerifyingKeys::Parse(key_.PublicPem()).value(), kAdmin};
  }

  std::string TokenFor(const TenantName& tenant, auth::Access access = auth::Access::kWrite) {
    auth::Token token;
    (access == auth::Access::kWrite ? token.writable : token.readable).insert(tenant);
    return key_.Sign(token);
  }
  static auth::Token ForEverything() {
    auth::Token token;
    token.everywhere = auth::Access::kWrite;
    return token;
  }
  net::Headers With(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }
  // A tenant on n1, with a table t.
  void Make(const TenantName& tenant) {
    const std::string body = json::serialize(json::object{{"name", tenant}, {"node", "n1"}});
    EXPECT_EQ(Call(*n1_, "POST", "/v1/tenants", body, With(kAdmin)).status, 201);
    EXPECT_EQ(Run(*n1_, tenant, TokenFor(tenant), "CREATE TABLE t (x)"), "ok");
  }
  net::HttpResponse Pipeline(Node& node, const TenantName& tenant, const net::Headers& headers,
                             const std::string& sql, const std::string& baton = {}) {
    json::object body{{"requests", json::array{json::object{{"type", "execute"}, {"stmt", {{"sql", sql}}}}}}};
    if (!baton.empty()) body["baton"] = baton;
    return Call(node, "POST", "/db/" + tenant + "/v2/pipeline", json::serialize(body), headers);
  }
  // "ok", the code of the statement's error, or of the request's behind its status.
  std::string Run(Node& node, const TenantName& tenant, const std::string& token, const std::string& sql) {
    return Outcome(Pipeline(node, tenant, With(token), sql));
  }
  std::string Outcome(const net::HttpResponse& response) {
    const json::value answer = json::parse(response.body);
    if (response.status != 200)
      return std::to_string(response.status) + " " + json::value_to<std::string>(answer.at("code"));
    const json::value& result = answer.at("results").at(0);
    if (result.at("type") == "ok") return "ok";
    return json::value_to<std::string>(result.at("error").at("code"));
  }

  const auth::SigningKey key_ = auth::SigningKey::Generate();
};

TEST_F(TokensTest, AreAskedForWhateverNodeIsAsked) {
  WithNodes([&] {
    Make("shop");
    for (Node* const node : {n1_.get(), n2_.get()}) {
      EXPECT_EQ(Outcome(Pipeline(*node, "shop", {}, "SELECT 1")), "401 AUTH_HEADER_NOT_FOUND");
      EXPECT_EQ(Run(*node, "shop", "nonsense", "SELECT 1"), "401 AUTH_JWT_INVALID");
      const std::string forged = auth::SigningKey::Generate().Sign(ForEverything());
      EXPECT_EQ(Run(*node, "shop", forged, "SELECT 1"), "401 AUTH_JWT_INVALID");
      auth::Token expired = ForEverything();
      expired.expires_at_s = core_->UnixMilliseconds() / 1000;
      EXPECT_EQ(Run(*node, "shop", key_.Sign(expired), "SELECT 1"), "401 AUTH_JWT_EXPIRED");
      EXPECT_EQ(Run(*node, "shop", TokenFor("shop"), "SELECT 1"), "ok");
      EXPECT_EQ(Run(*node, "shop", kAdmin, "SELECT 1"), "ok");
      EXPECT_EQ(Call(*node, "GET", "/db/shop/v2").status, 401);
      EXPECT_EQ(Call(*node, "GET", "/db/shop/v2", {}, With(TokenFor("shop"))).status, 200);
      EXPECT_EQ(Call(*node, "GET", "/health").status, 200) << "it says nothing";
    }
  });
}

// The algorithm is the server's choice: none, and those that take the public key for a shared secret.
TEST_F(TokensTest, WithAnotherAlgorithmAreNone) {
  WithNodes([&] {
    Make("shop");
    const std::string claims = EncodeBase64(Base64::kUrl, R"({"id":"shop"})");
    const std::string right = TokenFor("shop");
    const std::string signature = right.substr(right.rfind('.'));
    for (const std::string alg : {"none", "None", "HS256", "RS256", "ES256", "EdDSA "}) {
      const std::string header = EncodeBase64(Base64::kUrl, R"({"alg":")" + alg + R"(","typ":"JWT"})");
      for (const std::string& end : {std::string("."), signature})
        EXPECT_EQ(Run(*n1_, "shop", header + "." + claims + end, "SELECT 1"), "401 AUTH_JWT_INVALID") << alg;
    }
  });
}

TEST_F(TokensTest, OfAnotherTenantDoNotTellWhetherThereIsOne) {
  WithNodes([&] {
    Make("shop");
    Make("secret");
    for (Node* const node : {n1_.get(), n2_.get()}) {
      for (const std::string method : {"GET", "POST"}) {
        const auto ask = [&](const std::string& name) {
          const std::string target = "/db/" + name + (method == "GET" ? "/v2" : "/v2/pipeline");
          net::HttpResponse answer =
              Call(*node, method, target, method == "GET" ? "" : "{}", With(TokenFor("shop")));
          for (size_t at; (at = answer.body.find(name)) != std::string::npos;)
            answer.body.replace(at, name.size(), "X");
          return std::to_string(answer.status) + answer.body;
        };
        EXPECT_EQ(ask("secret"), ask("nobody"));
        EXPECT_EQ(ask("secret").substr(0, 3), "404");
      }
      // The same words as those for a token that would open it.
      EXPECT_EQ(Run(*node, "secret", TokenFor("shop"), "SELECT 1"), "404 TENANT_NOT_FOUND");
      EXPECT_EQ(Run(*node, "nobody", TokenFor("nobody"), "SELECT 1"), "404 TENANT_NOT_FOUND");
    }
  });
}

TEST_F(TokensTest, ThatMayReadDoNotWriteThroughAnyNode) {
  WithNodes([&] {
    Make("shop");
    const std::string reads = TokenFor("shop", auth::Access::kRead);
    auth::Token rows;
    rows.writable = {"shop"};
    rows.schemas.emplace();
    const std::string writes_rows = key_.Sign(rows);
    for (Node* const node : {n1_.get(), n2_.get()}) {
      EXPECT_EQ(Run(*node, "shop", reads, "SELECT count(*) FROM t"), "ok");
      EXPECT_EQ(Run(*node, "shop", reads, "INSERT INTO t VALUES (1)"), "SQLITE_READONLY");
      EXPECT_EQ(Run(*node, "shop", reads, "BEGIN IMMEDIATE"), "SQLITE_READONLY");
      EXPECT_EQ(Run(*node, "shop", writes_rows, "INSERT INTO t VALUES (1)"), "ok");
      EXPECT_EQ(Run(*node, "shop", writes_rows, "CREATE TABLE u (x)"), "SQLITE_AUTH");
    }
  });
}

// In each kind of request that carries SQL.
TEST_F(TokensTest, ThatMayReadDoNotWriteByAnyRequest) {
  WithNodes([&] {
    Make("shop");
    const net::Headers reads = With(TokenFor("shop", auth::Access::kRead));
    const std::string stmt = R"({"sql":"INSERT INTO t VALUES (1) RETURNING x"})";
    const std::string batch = R"({"steps":[{"stmt":)" + stmt + R"(},{"stmt":{"sql":"SELECT 1"}}]})";
    const auto pipeline = [](const std::string& requests) { return R"({"requests":[)" + requests + "]}"; };
    for (Node* const node : {n1_.get(), n2_.get()}) {
      for (const auto& [path, body] : {
               std::pair{"/v1/execute", R"({"stmt":)" + stmt + "}"},
               {"/v1/batch", R"({"batch":)" + batch + "}"},
               {"/v2/pipeline", pipeline(R"({"type":"batch","batch":)" + batch + "}")},
               {"/v2/pipeline",
                pipeline(
                    R"x({"type":"sequence","sql":"SELECT 1; DELETE FROM t; INSERT INTO t VALUES (1)"})x")},
               {"/v3/pipeline",
                pipeline(R"x({"type":"store_sql","sql_id":1,"sql":"INSERT INTO t VALUES (1)"},)x"
                         R"({"type":"execute","stmt":{"sql_id":1}})")},
               {"/v3/cursor", R"({"batch":)" + batch + "}"},
           }) {
        const net::HttpResponse answer = Call(*node, "POST", std::string("/db/shop") + path, body, reads);
        EXPECT_NE(answer.body.find("SQLITE_READONLY"), std::string::npos) << path << " " << answer.body;
      }
      const net::HttpResponse count = Pipeline(*node, "shop", reads, "SELECT count(*) FROM t");
      EXPECT_NE(count.body.find(R"("value":"0")"), std::string::npos) << count.body;
    }
  });
}

// A baton of n1 is given to n2, which passes the request on.
TEST_F(TokensTest, CountForEachRequestOfAStream) {
  WithNodes([&] {
    Make("shop");
    const std::string writes = TokenFor("shop");
    const auto baton_of = [](const net::HttpResponse& response) {
      return json::value_to<std::string>(json::parse(response.body).at("baton"));
    };
    net::HttpResponse begun = Pipeline(*n1_, "shop", With(writes), "BEGIN");
    for (Node* const node : {n1_.get(), n2_.get()}) {
      EXPECT_EQ(Outcome(Pipeline(*node, "shop", {}, "SELECT 1", baton_of(begun))),
                "401 AUTH_HEADER_NOT_FOUND");
      begun = Pipeline(*node, "shop", With(TokenFor("shop", auth::Access::kRead)), "INSERT INTO t VALUES (1)",
                       baton_of(begun));
      EXPECT_EQ(Outcome(begun), "SQLITE_READONLY");
      begun = Pipeline(*node, "shop", With(writes), "INSERT INTO t VALUES (1)", baton_of(begun));
      EXPECT_EQ(Outcome(begun), "ok");
    }
    EXPECT_EQ(Outcome(Pipeline(*n2_, "shop", With(writes), "COMMIT", baton_of(begun))), "ok");
  });
}

// What a node says of itself when it passes a request on is believed of nodes only.
TEST_F(TokensTest, AreNotReplacedByWhatOnlyNodesSay) {
  WithNodes([&] {
    Make("shop");
    net::Headers headers{{"x-tradewind-rights", "rw,ddl"}};
    EXPECT_EQ(Outcome(Pipeline(*n1_, "shop", headers, "SELECT 1")), "401 AUTH_HEADER_NOT_FOUND");
    headers.Set("x-tradewind-forwarded", "1");
    EXPECT_EQ(Outcome(Pipeline(*n1_, "shop", headers, "SELECT 1")), "403 CLUSTER_SECRET_WRONG");
    headers = With(TokenFor("shop", auth::Access::kRead));
    headers.Set("x-tradewind-rights", "rw,ddl");
    EXPECT_EQ(Outcome(Pipeline(*n1_, "shop", headers, "INSERT INTO t VALUES (1)")), "SQLITE_READONLY");
    EXPECT_EQ(Call(*n1_, "POST", "/v1/internal/streams", "{}", With(kAdmin)).status, 403);
  });
}

TEST_F(TokensTest, OfTenantsDoNotOpenTheAdminApi) {
  WithNodes([&] {
    Make("shop");
    const std::string everything = key_.Sign(ForEverything());
    for (Node* const node : {n1_.get(), n2_.get()}) {
      for (const auto& [method, target] : {std::pair{"GET", "/v1/tenants"},
                                           {"GET", "/v1/tenants/shop"},
                                           {"DELETE", "/v1/tenants/shop"},
                                           {"GET", "/v1/nodes"},
                                           {"GET", "/v1/moves"},
                                           {"GET", "/metrics"}}) {
        EXPECT_EQ(CodeOf(401, Call(*node, method, target)), "AUTH_HEADER_NOT_FOUND") << target;
        EXPECT_EQ(CodeOf(401, Call(*node, method, target, {}, With(everything))), "ADMIN_TOKEN_WRONG")
            << target;
      }
      EXPECT_EQ(Call(*node, "GET", "/v1/tenants/shop", {}, With(kAdmin)).status, 200);
      EXPECT_EQ(Call(*node, "GET", "/metrics", {}, With(kAdmin)).status, 200);
    }
    const std::string move = R"({"tenant":"shop","to":"n2"})";
    EXPECT_EQ(CodeOf(401, Call(*n1_, "POST", "/v1/moves", move)), "AUTH_HEADER_NOT_FOUND");
    EXPECT_EQ(Call(*n2_, "POST", "/v1/moves", move, With(kAdmin)).status, 202) << "passed on to the owner";
  });
}

}  // namespace
}  // namespace tradewind::node
