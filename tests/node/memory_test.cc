// What clients can make a node hold, and that others are served meanwhile.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "admin/tenant_maker.h"
#include "base/memory_pool.h"
#include "net/url.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kMiB = 1 << 20;
constexpr char kPipeline[] = "/db/shop/v2/pipeline";

std::string Execute(const std::string& sql) {
  return R"({"type":"execute","stmt":{"sql":")" + sql + R"("}})";
}

std::string Body(const std::vector<std::string>& requests) {
  std::string body = R"({"requests":[)";
  for (size_t at = 0; at < requests.size(); ++at) body += (at > 0 ? "," : "") + requests[at];
  return body + "]}";
}

size_t Count(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class MemoryTest : public TwoNodes {
 protected:
  ~MemoryTest() override { Memory().SetBound(bound_); }
  // From here on the process may have so much more than it has.
  static void Leave(uint64_t bytes) { Memory().SetBound(Memory().used() + bytes); }
  void MakeShop() {
    catalog::Need(n1_->maker().Create("shop", ""));
    Json(200, Call(*n1_, "POST", kPipeline, Body({Execute("CREATE TABLE t (v)"), R"({"type":"close"})"})));
  }
  std::string Ask(Node& node, const std::string& sql) {
    return Call(node, "POST", kPipeline, Body({Execute(sql), R"({"type":"close"})"})).body;
  }
  std::unique_ptr<runtime::Connection> Send(Node& node, const std::string& body) {
    const auto address = catalog::Need(net::ParseUrl(node.url())).address;
    auto client = catalog::Need(core_->network().Connect(address, core_->Now() + 10s));
    const std::string request =
        std::string("POST ") + kPipeline +
        " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    catalog::Need(client->Write(std::as_bytes(std::span(request))));
    return client;
  }

 private:
  const uint64_t bound_ = Memory().bound();
};

TEST_F(MemoryTest, APipelineWhoseResultsFindNoRoomEndsBeforeTheNextRequestRuns) {
  WithNodes([&] {
    MakeShop();
    std::vector<std::string> requests(40, Execute("SELECT hex(zeroblob(500000))"));  // 1 MB each.
    requests.push_back(Execute("INSERT INTO t VALUES (1)"));
    requests.emplace_back(R"({"type":"close"})");
    for (Node* node : {n1_.get(), n2_.get()}) {
      Leave(30 * kMiB);
      const auto answer = Call(*node, "POST", kPipeline, Body(requests));
      Leave(1'000 * kMiB);
      EXPECT_EQ(answer.status, 200);
      const size_t refused = Count(answer.body, R"("code":"SERVER_MEMORY")");
      EXPECT_GT(refused, 20u);
      EXPECT_LT(refused, 41u);  // Some have run, and the last one has not:
      EXPECT_NE(Ask(*node, "SELECT count(*) FROM t").find(R"("value":"0")"), std::string::npos);
    }
  });
}

TEST_F(MemoryTest, AnswersOfClientsThatDoNotReadAreCountedAndOthersAreServed) {
  WithNodes([&] {
    MakeShop();
    const std::atomic<uint64_t>& answers = MemoryOf(MemoryKind::kAnswers);
    const uint64_t before = answers;
    const std::string large = Body(std::vector<std::string>(8, Execute("SELECT hex(zeroblob(500000))")));
    Leave(60 * kMiB);
    std::vector<std::unique_ptr<runtime::Connection>> clients;
    for (int client = 0; client < 8; ++client) clients.push_back(Send(*n1_, large));
    Await([&] { return answers > before + 6 * kMiB; });
    // Whoever wants little is served, through both nodes, and the process stays within its bound.
    for (Node* node : {n1_.get(), n2_.get()})
      for (int time = 0; time < 20; ++time) {
        EXPECT_NE(Ask(*node, "SELECT 41 + 1").find("\"42\""), std::string::npos);
        EXPECT_LE(Memory().used(), Memory().bound());
      }
    EXPECT_NE(Call(*n1_, "GET", "/metrics").body.find("tradewind_memory_bytes{kind=\"answers\"}"),
              std::string::npos);
    for (auto& client : clients) client->Close();
    Await([&] { return answers == before; });
  });
}

TEST_F(MemoryTest, OneOfManyLargeStatementsIsRefusedAndTheSmallGoOn) {
  WithNodes([&] {
    MakeShop();
    const std::string sql = "SELECT typeof(max(zeroblob(9000000) || 'x', zeroblob(9000000) || 'y'))";
    EXPECT_NE(Ask(*n2_, sql).find("\"text\""), std::string::npos);
    Leave(24 * kMiB);
    EXPECT_NE(Ask(*n2_, sql).find("SERVER_MEMORY"), std::string::npos);
    EXPECT_NE(Ask(*n2_, "SELECT typeof(max(1, 2))").find("\"integer\""), std::string::npos);
    Leave(1'000 * kMiB);
    EXPECT_NE(Ask(*n2_, sql).find("\"text\""), std::string::npos);
  });
}

}  // namespace
}  // namespace tradewind::node
