// Two nodes that speak TLS with their clients and with each other.
#include <gtest/gtest.h>

#include <string>

#include "net/test_certificates.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

namespace json = boost::json;

class TlsTest : public TwoNodes {
 protected:
  TlsTest() {
    secret_ = net::ClusterSecret("a secret of the cluster, 32 bytes");
    tls_ = {authority_.IdentityFor("IP:127.0.0.1"), authority_.Trust()};
  }
  void WithTlsNodes(const std::function<void()>& body) {
    WithNodes([&] {
      client_->SetTrust(tls_.trust);
      body();
    });
  }

  void Make(const TenantName& tenant) {
    const std::string body = json::serialize(json::object{{"name", tenant}, {"node", "n1"}});
    EXPECT_EQ(Call(*n1_, "POST", "/v1/tenants", body).status, 201);
  }
  // The first value of the statement's first row, as JSON; or the answer.
  std::string Run(Node& node, const TenantName& tenant, const std::string& sql) {
    const json::object body{
        {"requests", json::array{json::object{{"type", "execute"}, {"stmt", {{"sql", sql}}}}}}};
    const auto response = Call(node, "POST", "/db/" + tenant + "/v2/pipeline", json::serialize(body));
    const json::value answer = json::parse(response.body);
    boost::system::error_code none;
    const json::value* const value = answer.find_pointer("/results/0/response/result/rows/0/0/value", none);
    return value ? json::value_to<std::string>(*value) : response.body;
  }
  void Move(const TenantName& tenant, const NodeName& to) {
    const std::string body = json::serialize(json::object{{"tenant", tenant}, {"to", to}});
    const auto started = Json(202, Call(*n1_, "POST", "/v1/moves", body));
    const std::string path = "/v1/moves/" + json::value_to<std::string>(started.at("id"));
    json::value phase;
    Await([&] {
      phase = Json(200, Call(*n1_, "GET", path)).at("phase");
      return phase == "done" || phase == "cancelled";
    });
    EXPECT_EQ(phase, "done");
  }
  // What a client is told that begins now.
  Result<net::HttpResponse> Health(const std::shared_ptr<const net::TlsTrust>& trust) {
    net::HttpClient client(*core_);
    client.SetTrust(trust);
    auto answer = client.Call(n1_->url() + "/health", {}, core_->Now() + std::chrono::seconds(20));
    client.Close();
    return answer;
  }

  const net::TestAuthority authority_{"a CA"};
};

TEST_F(TlsTest, ATenantIsServedThroughBothNodesAndMoves) {
  WithTlsNodes([&] {
    EXPECT_EQ(n1_->url().substr(0, 8), "https://");
    Make("shop");
    Run(*n1_, "shop",
        "CREATE TABLE t AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
        "WHERE x < 2000) SELECT x, randomblob(900) AS y FROM c");
    EXPECT_EQ(Run(*n2_, "shop", "SELECT sum(x) FROM t"), "2001000");
    Move("shop", "n2");
    for (Node* const node : {n1_.get(), n2_.get()})
      EXPECT_EQ(Run(*node, "shop", "SELECT sum(x) FROM t WHERE length(y) = 900"), "2001000");
  });
}

TEST_F(TlsTest, ACertificateThatIsReplacedCountsFromTheNextConnectionOn) {
  WithTlsNodes([&] {
    const net::TestAuthority next("the next CA");
    EXPECT_TRUE(Health(authority_.Trust()));
    EXPECT_FALSE(Health(next.Trust()));
    n1_->RenewIdentity(next.IdentityFor("IP:127.0.0.1"));
    EXPECT_TRUE(Health(next.Trust()));
    const auto refused = Health(authority_.Trust());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "NODE_UNREACHABLE");
    EXPECT_NE(refused.error().message.find("a CA that is not known here"), std::string::npos);
  });
}

TEST_F(TlsTest, NodesGoOnWhenTheirCaIsReplaced) {
  WithTlsNodes([&] {
    Make("shop");
    const net::TestAuthority next("the next CA");
    for (Node* const node : {n1_.get(), n2_.get()}) {
      node->RenewIdentity(next.IdentityFor("IP:127.0.0.1"));
      node->RenewTrust(next.Trust());
    }
    client_->SetTrust(next.Trust());
    Move("shop", "n2");  // Its links are new connections.
    EXPECT_EQ(Run(*n1_, "shop", "SELECT 2"), "2");
  });
}

TEST_F(TlsTest, ANodeDoesNotJoinOneThatHasACertificateOfAnotherCa) {
  core_->RunUntilReturned("test", [&] {
    n1_ = Start("n1", std::nullopt);
    ASSERT_TRUE(n1_);
    tls_.trust = net::TestAuthority("another CA").Trust();
    const auto refused = Node::Start(*core_, OptionsOf("n2", n1_->url()));
    ASSERT_FALSE(refused);
    EXPECT_NE(Describe(refused.error()).find("a CA that is not known here"), std::string::npos)
        << Describe(refused.error());
    Stop(n1_);
  });
}

}  // namespace
}  // namespace tradewind::node
