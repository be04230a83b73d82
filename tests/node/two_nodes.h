// Two nodes in one process, on a real core and real folders, for unit tests of what needs whole nodes.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "catalog/test_catalog.h"
#include "net/http_client.h"
#include "node/node.h"
#include "runtime/real_core.h"

namespace tradewind::node {

class TwoNodes : public testing::Test {
 protected:
  // Starts n1, which has the catalog, and n2, runs `body` in a fiber, and stops what still runs.
  void WithNodes(const std::function<void()>& body) {
    core_->RunUntilReturned("test", [&] {
      client_ = std::make_unique<net::HttpClient>(*core_);
      n1_ = Start("n1", std::nullopt);
      if (n1_) n2_ = Start("n2", n1_->url());
      if (n2_) body();
      Stop(n2_);
      Stop(n1_);
      client_->Close();
      client_.reset();
    });
  }

  void Stop(std::unique_ptr<Node>& node) {
    if (node) node->Stop(core_->Now());
    node.reset();
  }

  net::HttpResponse Call(Node& node, const std::string& method, const std::string& target,
                         std::string body = {}, const net::Headers& headers = {}) {
    net::HttpRequest request;
    request.method = method;
    request.headers = headers;
    if (!body.empty() && !headers.Has("content-type"))
      request.headers.Set("content-type", "application/json");
    request.body = std::move(body);
    auto response =
        client_->Call(node.url() + target, std::move(request), core_->Now() + std::chrono::seconds(60));
    if (!response) ADD_FAILURE() << method << " " << target << ": " << Describe(response.error());
    return response ? *std::move(response) : net::HttpResponse{};
  }
  // The answer's JSON; the test fails at another status.
  boost::json::value Json(int status, const net::HttpResponse& response) {
    EXPECT_EQ(response.status, status) << response.body;
    boost::json::error_code failed;
    auto value = boost::json::parse(response.body, failed);
    EXPECT_FALSE(failed) << response.body;
    return value;
  }
  std::string CodeOf(int status, const net::HttpResponse& response) {
    const auto value = Json(status, response);
    const auto* object = value.if_object();
    return object && object->contains("code") ? boost::json::value_to<std::string>(object->at("code")) : "";
  }
  // Suspends until the condition holds; a test that waits for ever is ended from outside.
  static void Await(const std::function<bool()>& condition) {
    while (!condition()) runtime::Yield();
  }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  catalog::TestFolder folder_;
  std::unique_ptr<net::HttpClient> client_;
  // Of the nodes that are started next.
  net::ClusterSecret secret_;
  auth::Locks locks_;
  NodeTls tls_;
  std::optional<int64_t> sqlite_version_;
  std::optional<runtime::Address> mysql_listen_;
  bool log_requests_ = false;
  tenant::Quotas quotas_;
  runtime::Duration slow_statement_{};
  std::unique_ptr<Node> n1_;
  std::unique_ptr<Node> n2_;

  NodeOptions OptionsOf(const NodeName& name, const std::optional<std::string>& join_url) const {
    NodeOptions options;
    options.name = name;
    options.listen = {"127.0.0.1", 0};
    options.data_folder = folder_.File(name);
    options.join_url = join_url;
    options.cluster_secret = secret_;
    options.locks = locks_;
    options.tls = tls_;
    options.sqlite_version = sqlite_version_;
    options.mysql_listen = mysql_listen_;
    options.log_requests = log_requests_;
    options.quotas = quotas_;
    options.slow_statement = slow_statement_;
    return options;
  }
  std::unique_ptr<Node> Start(const NodeName& name, const std::optional<std::string>& join_url) {
    auto node = Node::Start(*core_, OptionsOf(name, join_url));
    if (!node) ADD_FAILURE() << Describe(node.error());
    return node ? std::move(*node) : nullptr;
  }
};

}  // namespace tradewind::node
