// Two nodes of two cores each, every core a thread: tenants move between them, and between the cores of each, while clients
// write. What crosses threads on the way is what ThreadSanitizer is to see.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "catalog/test_catalog.h"
#include "net/http_client.h"
#include "node/node.h"
#include "runtime/cores.h"
#include "runtime/fiber.h"

namespace tradewind::node {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

// A node with cores of its own.
class ThreadedNode {
 public:
  ThreadedNode(std::string name, std::string folder) : name_(std::move(name)), folder_(std::move(folder)) {}

  // Runs `body` with the node, on its core 0.
  void With(const std::string& join_url, const std::function<void(Node&)>& body) {
    const auto ran = cores_.RunUntilReturned("test", [&] {
      NodeOptions options;
      options.name = name_;
      options.listen = {"127.0.0.1", 0};
      options.data_folder = folder_;
      if (!join_url.empty()) options.join_url = join_url;
      auto node = Node::Start(cores_[0], options);
      EXPECT_TRUE(node) << Describe(node.error());
      if (!node) return;
      body(**node);
      (*node)->Stop(cores_[0].Now() + 1s);
    });
    EXPECT_TRUE(ran);
  }
  runtime::RealCore& core() { return cores_[0]; }

 private:
  const std::string name_, folder_;
  runtime::Cores cores_{2};
};

class NodeCoresMoveTest : public testing::Test {
 protected:
  // Runs `body` on core 0 of the first of two nodes.
  void WithNodes(const std::function<void()>& body) {
    ThreadedNode first("n1", folder_.File("n1")), second("n2", folder_.File("n2"));
    first.With("", [&](Node& node) {
      core_ = &first.core();
      url_ = node.url();
      std::atomic<bool> over = false;
      runtime::TaskGroup group(*core_);
      // Its core 0 is on a thread that may block.
      group.Spawn("n2", [&] {
        core_->RunOffCore([&] {
          second.With(url_, [&](Node&) {
            while (!over) runtime::SleepFor(5ms);
          });
        });
      });
      http_ = std::make_unique<net::HttpClient>(*core_);
      while (Call("GET", "/v1/nodes").at("nodes").as_array().size() < 2) runtime::Yield();
      body();
      http_->Close();
      http_.reset();
      over = true;
      group.Join();
    });
  }

  json::value Call(const std::string& method, const std::string& target, const std::string& body = "") {
    net::HttpRequest request;
    request.method = method;
    request.headers.Set("content-type", "application/json");
    request.body = body;
    const auto answer = http_->Call(url_ + target, std::move(request), core_->Now() + 60s);
    EXPECT_TRUE(answer) << method << " " << target << ": " << Describe(answer.error());
    return answer && !answer->body.empty() ? json::parse(answer->body) : json::value(json::object{});
  }
  json::value Run(const std::string& tenant, const std::string& sql) {
    const json::value answer =
        Call("POST", "/db/" + tenant + "/v3/pipeline",
             fmt::format(R"({{"requests":[{{"type":"execute","stmt":{{"sql":"{}"}}}},{{"type":"close"}}]}})",
                         sql));
    const json::value* const results = answer.as_object().if_contains("results");
    EXPECT_TRUE(results) << json::serialize(answer);
    const json::value first = results ? results->at(0) : json::value{{"type", "error"}};
    EXPECT_EQ(first.at("type").as_string(), "ok") << json::serialize(first);
    return first;
  }
  void Move(const std::string& tenant, const std::string& to) {
    const json::value started =
        Call("POST", "/v1/moves", fmt::format(R"({{"tenant":"{}","to":"{}"}})", tenant, to));
    const std::string id(started.at("id").as_string());
    std::string phase;
    while (phase != "done" && phase != "cancelled")
      phase = std::string(Call("GET", "/v1/moves/" + id).at("phase").as_string());
    EXPECT_EQ(phase, "done");
  }

  // While its writer's commits wait for the disk it may not find the tenant at rest, and says that it is to be asked again.
  void Pin(const std::string& tenant, int core) {
    json::value answer;
    do answer = Call("PATCH", "/v1/tenants/" + tenant, fmt::format(R"({{"core":{}}})", core));
    while (answer.as_object().contains("code") && answer.at("code") == "TENANT_BUSY");
    ASSERT_TRUE(answer.as_object().contains("core")) << json::serialize(answer);
    EXPECT_EQ(answer.at("core").to_number<int>(), core);
  }

  catalog::TestFolder folder_;
  runtime::Core* core_ = nullptr;
  std::string url_;
  std::unique_ptr<net::HttpClient> http_;
};

TEST_F(NodeCoresMoveTest, TenantsMoveBetweenNodesAndCoresWhileTheyAreWrittenTo) {
  WithNodes([&] {
    const std::vector<std::string> tenants{"a", "b", "c", "d"};
    for (const std::string& tenant : tenants) {
      Call("POST", "/v1/tenants", fmt::format(R"({{"name":"{}","node":"n1"}})", tenant));
      Run(tenant, "CREATE TABLE t(x)");
    }
    bool over = false;
    std::vector<int> written(tenants.size());
    runtime::TaskGroup group(*core_);
    for (size_t at = 0; at < tenants.size(); ++at)
      group.Spawn("writer", [&, at] {
        while (!over) {
          Run(tenants[at], "INSERT INTO t VALUES(hex(randomblob(500)))");
          ++written[at];
        }
      });
    for (const char* to : {"n2", "n1", "n2"}) {
      runtime::TaskGroup moves(*core_);
      for (const std::string& tenant : tenants) moves.Spawn("move", [&, tenant, to] { Move(tenant, to); });
      moves.Join();
      for (const std::string& tenant : tenants)
        for (const int core : {0, 1}) Pin(tenant, core);
    }
    over = true;
    group.Join();
    for (size_t at = 0; at < tenants.size(); ++at) {
      const json::value count = Run(tenants[at], "SELECT count(*) FROM t");
      EXPECT_EQ(count.at("response").at("result").at("rows").at(0).at(0).at("value").as_string(),
                std::to_string(written[at]));
    }
  });
}

}  // namespace
}  // namespace tradewind::node
