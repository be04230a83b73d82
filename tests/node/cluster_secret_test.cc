// Nodes that share a secret, as `serve` starts them; elsewhere in the tests they have none.
#include <gtest/gtest.h>

#include "net/seal.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

class NodesWithASecret : public TwoNodes {
 protected:
  NodesWithASecret() { secret_ = net::ClusterSecret(std::string(32, 'a')); }

  net::HttpResponse Raw(Node& node, net::HttpClient& client, const char* method, const std::string& target,
                        const net::Headers& headers = {}) {
    net::HttpRequest request;
    request.method = method;
    request.headers = headers;
    auto answer =
        client.Call(node.url() + target, std::move(request), core_->Now() + std::chrono::seconds(60));
    return answer ? *std::move(answer) : net::HttpResponse::Text(0, Describe(answer.error()));
  }
};

constexpr const char* kInternal[] = {"/v1/internal/streams",        "/v1/internal/latency",
                                     "/v1/internal/sizes",          "/v1/internal/catalog/nodes",
                                     "/v1/internal/catalog/swap",   "/v1/internal/moves/link?id=0&lane=bulk",
                                     "/v1/internal/moves/../sizes", "/v1/internal/",
                                     "/v1/%69nternal/catalog/nodes"};

TEST_F(NodesWithASecret, ServeAndMoveATenantTogether) {
  WithNodes([&] {
    Json(201, Call(*n2_, "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})"));
    const std::string pipeline =
        R"({"requests":[{"type":"execute","stmt":{"sql":"create table if not exists t(a) "}},{"type":"close"}]
})";
    EXPECT_EQ(Call(*n2_, "POST", "/db/shop/v2/pipeline", pipeline).status, 200);
    const auto started = Json(202, Call(*n2_, "POST", "/v1/moves", R"({"tenant":"shop","to":"n2"})"));
    const std::string id = boost::json::value_to<std::string>(started.at("id"));
    Await([&] {
      return Json(200, Call(*n1_, "GET", "/v1/moves/" + id)).at("phase") == "done" || HasFailure();
    });
    EXPECT_EQ(Json(200, Call(*n1_, "GET", "/v1/tenants/shop")).at("owner"), "n2");
    EXPECT_EQ(Call(*n1_, "POST", "/db/shop/v2/pipeline", pipeline).status, 200);
  });
}

TEST_F(NodesWithASecret, AnswerNobodyElseOnWhatIsForNodes) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    // Another version, which seals and proves nothing; and one with another secret.
    net::HttpClient without(*core_, net::HttpClient::Peers::kNodes);
    net::HttpClient other(*core_, net::HttpClient::Peers::kNodes, net::ClusterSecret(std::string(32, 'b')));
    const net::Headers forwarded{{"x-tradewind-forwarded", "1"}};
    for (Node* node : {n1_.get(), n2_.get()}) {
      for (const char* target : kInternal)
        for (const char* method : {"GET", "POST"}) {
          EXPECT_EQ(CodeOf(403, Call(*node, method, target)), "CLUSTER_SECRET_WRONG") << target;
          for (net::HttpClient* client : {&without, &other})
            EXPECT_NE(Raw(*node, *client, method, target).body.find("CLUSTER_SECRET_WRONG"),
                      std::string::npos)
                << target;
        }
      for (const char* target : {"/v1/tenants/shop", "/v1/nodes", "/db/shop/v3/pipeline", "/health"}) {
        EXPECT_EQ(CodeOf(403, Call(*node, "GET", target, "", forwarded)), "CLUSTER_SECRET_WRONG") << target;
        EXPECT_NE(Raw(*node, other, "GET", target, forwarded).body.find("CLUSTER_SECRET_WRONG"),
                  std::string::npos);
      }
      // A seal that holds and a proof that only looks like one make no node of a stranger.
      net::HttpRequest request;
      request.target = "/v1/internal/sizes";
      net::Seal seal = net::SealOf(request, "");
      seal.proof = std::string(net::kProofDigits, '0');
      EXPECT_EQ(
          CodeOf(403, Call(*node, "GET", request.target, "", {{"x-tradewind-seal", net::ToText(seal)}})),
          "CLUSTER_SECRET_WRONG");
      // Nor is its Host left unlooked at.
      request.target = "/v1/tenants";
      seal = net::SealOf(request, "");
      const net::Headers rebound{{"x-tradewind-seal", net::ToText(seal)}, {"host", "evil.example"}};
      EXPECT_EQ(Call(*node, "GET", "/v1/tenants", "", rebound).status, 403);
    }
    const auto link =
        other.Upgrade(n1_->url() + "/v1/internal/moves/link?id=0123456789abcdef0123456789abcdef&lane=bulk",
                      "tradewind-move/3", core_->Now() + std::chrono::seconds(60));
    ASSERT_FALSE(link);
    EXPECT_NE(link.error().code, "ANSWER_LOST");
    without.Close();
    other.Close();
  });
}

TEST_F(NodesWithASecret, TakeNoNodeWithAnotherIn) {
  WithNodes([&] {
    for (const std::string& secret : {std::string(32, 'b'), std::string()}) {
      NodeOptions options = OptionsOf("n3", n1_->url());
      options.cluster_secret = net::ClusterSecret(secret);
      const auto joined = Node::Start(*core_, options);
      ASSERT_FALSE(joined);
      EXPECT_EQ(joined.error().code, "CLUSTER_SECRET_WRONG");
      EXPECT_NE(joined.error().action.find("--cluster-secret-file"), std::string::npos);
    }
    EXPECT_EQ(Json(200, Call(*n1_, "GET", "/v1/nodes")).at("nodes").as_array().size(), 2u);
  });
}

TEST_F(NodesWithASecret, ThatComeBackWithAnotherDoNotStart) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})"));
    Stop(n2_);
    NodeOptions options = OptionsOf("n2", n1_->url());
    options.cluster_secret = net::ClusterSecret(std::string(32, 'b'));
    const auto back = Node::Start(*core_, options);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, "CLUSTER_SECRET_WRONG");
    n2_ = Start("n2", n1_->url());
    EXPECT_EQ(Json(200, Call(*n1_, "GET", "/v1/tenants/shop")).at("state"), "serving");
  });
}

TEST_F(NodesWithASecret, SayItNowhere) {
  WithNodes([&] {
    const std::string secret(32, 'a');
    for (const char* target : {"/metrics", "/v1/nodes", "/health", "/v1/internal/sizes"})
      EXPECT_EQ(Call(*n1_, "GET", target).body.find(secret), std::string::npos);
  });
}

}  // namespace
}  // namespace tradewind::node
