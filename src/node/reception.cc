#include "node/reception.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "gateway/forwarding.h"
#include "gateway/health.h"
#include "net/api_error.h"
#include "net/call_for.h"
#include "net/seal.h"
#include "net/upgrade_on.h"

namespace tradewind::node {

namespace {

// Of a URL: what stands between "//" and the path.
std::string HostIn(std::string_view url) {
  url.remove_prefix(std::min(url.size(), url.find("//") + 2));
  return std::string(url.substr(0, url.find('/')));
}

net::HttpResponse Refuse(const Error& why, int status) {
  net::HttpResponse refusal = net::ErrorResponse(why);
  refusal.status = status;
  return refusal;
}

// A page of that origin may read the answer.
void AllowPage(net::HttpResponse& response, const std::string& origin) {
  response.headers.Set("Access-Control-Allow-Origin", origin);
  response.headers.Add("Vary", "Origin");
}

}  // namespace

Reception::Reception(runtime::Core& core, const NodeOptions& options, const NodeState& state)
    : core_(core),
      options_(options),
      state_(state),
      authenticator_(options.locks),
      log_(core, options.log_requests, !options.locks.admin_token.empty()) {}

Reception::~Reception() = default;

Result<void> Reception::Listen() {
  TW_TRY_ASSIGN(server_, net::HttpServer::Start(
                             core_, options_.listen,
                             [this](const net::HttpRequest& request) { return Handle(request); },
                             options_.cluster_secret));
  server_->SetIdentity(options_.tls.identity);
  url_ = options_.advertise_url.value_or((options_.tls.identity ? "https://" : "http://") +
                                         server_->local().ToString());
  strangers_.emplace(std::vector{server_->local().ToString(), options_.listen.ToString(), HostIn(url_)},
                     options_.domains, options_.cors_origins);
  return {};
}

void Reception::ListenBeside(Reception& first) {
  core_.AssertHere();
  first_ = &first;
  url_ = first.url_;
  strangers_.emplace(*first.strangers_);
  server_ = net::HttpServer::StartBeside(
      core_, first.server_->local(), [this](const net::HttpRequest& request) { return Handle(request); },
      options_.cluster_secret);
}

void Reception::DealTo(const std::vector<Reception*>& all) {
  core_.AssertHere();
  std::vector<net::HttpServer*> others;
  for (const Reception* const reception : all)
    if (reception != this) others.push_back(reception->server_.get());
  server_->DealTo(std::move(others));
}

void Reception::HandTo(const std::vector<Reception*>& all) {
  core_.AssertHere();
  std::vector<net::HttpServer*> by_core;
  for (const Reception* const reception : all) by_core.push_back(reception->server_.get());
  server_->HandTo(std::move(by_core));
}

// Live: it answers, and is not to be started anew; ready: it serves, and is to be sent requests. What watches over servers
// asks with either method.
void Reception::AddHealthRoutes() {
  const auto add = [&](const std::string& path, const std::function<net::Answer()>& answer) {
    for (const char* method : {"GET", "HEAD"})
      routes_.Add({method, path, [answer](const net::Call&) { return answer(); }, net::Route::Body::kAnything,
                   net::Route::Needs::kNothing, net::Route::For::kAnybody});
  };
  add("/health", [this] { return Health(); });
  add("/health/ready", [this] { return Health(); });
  add("/health/live", [] { return net::HttpResponse::Json(200, R"({"status":"live"})"); });
}

void Reception::Count(const net::HttpRequest& request, const net::Routes::Found& found, int status) {
  ++answers_[std::min<size_t>(static_cast<size_t>(std::max(status, 0)) / 100, answers_.size() - 1)];
  if (found.route && found.route->whom == net::Route::For::kAdmin && !found.for_nodes)
    admin_seconds_.Record(std::chrono::duration<double>(core_.Now() - request.arrived).count());
}

std::vector<net::MetricSample> Reception::Metrics() const {
  core_.AssertHere();
  std::vector<net::MetricSample> samples;
  for (size_t digit = 1; digit < answers_.size(); ++digit)
    samples.push_back({"tradewind_http_answers_total",
                       net::MetricSample::Kind::kCounter,
                       "Answers over HTTP, also to other nodes.",
                       {{"status", std::to_string(digit) + "xx"}},
                       static_cast<double>(answers_[digit])});
  samples.push_back(net::HistogramSample("tradewind_admin_request_seconds",
                                         "Requests to the admin API, from arrival to answer.",
                                         admin_seconds_));
  return samples;
}

std::optional<Error> Reception::WhyNoNodesCall(const net::HttpRequest& request) const {
  if (request.proven) return std::nullopt;
  if (options_.cluster_secret.empty())
    return Error{ErrorKind::kInvalid, "CALL_UNSEALED",
                 "a call between nodes must bear the hash of what it says",
                 "run the same version of tradewind on all nodes"};
  return Error{
      ErrorKind::kRefused, std::string(net::kSecretWrongCode),
      "this is for the nodes of the cluster, and who calls does not prove that it knows their secret",
      std::string(net::kSecretWrongAction)};
}

// The request is copied here, so that core 0 does not have to; of the answer only values cross.
net::HttpResponse Reception::AtFirst(const net::HttpRequest& request, const std::string& id) {
  net::HttpRequest there = request;
  there.headers.Set(kRequestIdField, id);
  net::HttpResponse response = net::CallOnFor(first_->core_, request.caller, [&](net::Caller* caller) {
    there.caller = caller;
    return first_->Handle(there);
  });
  if (response.upgrade) net::RunUpgradeOn(first_->core_, response);
  return response;
}

std::optional<net::HttpResponse> Reception::AnswerPreflight(const net::HttpRequest& request) const {
  const auto method = request.headers.Get("access-control-request-method");
  if (request.method != "OPTIONS" || !method) return std::nullopt;
  const auto page = strangers_->AllowedPage(request);
  net::HttpRequest meant;
  meant.method = std::string(*method);
  meant.path = request.path;
  const net::Routes::Found found = routes_.Find(meant);
  if (!page || !found.route || !found.route->for_pages) return std::nullopt;
  net::HttpResponse answer;
  answer.status = 204;
  answer.headers.Set("Access-Control-Allow-Methods", "GET, POST");
  answer.headers.Set("Access-Control-Allow-Headers",
                     request.headers.Get("access-control-request-headers").value_or("content-type"));
  answer.headers.Set("Access-Control-Max-Age", std::to_string(limits::kPreflightSeconds));
  AllowPage(answer, *page);
  return answer;
}

net::HttpResponse Reception::Handle(const net::HttpRequest& request) {
  core_.AssertHere();
  if (auto preflight = AnswerPreflight(request)) return *std::move(preflight);
  const net::Routes::Found found = routes_.Find(request);
  const auto page = found.route && found.route->for_pages ? strangers_->AllowedPage(request) : std::nullopt;
  const std::string id = log_.IdOf(request);
  net::HttpResponse response = AnswerTo(request, found, id, page.has_value());
  // What core 0 answers is counted and logged there.
  if (found.route || !first_) {
    Count(request, found, response.upgrade ? 101 : response.status);
    log_.Note(request, found, id, response);
  }
  if (!found.for_nodes) response.headers.Set(kRequestIdField, id);
  if (page) AllowPage(response, *page);
  return response;
}

net::HttpResponse Reception::AnswerTo(const net::HttpRequest& request, const net::Routes::Found& found,
                                      const std::string& id, bool from_page) {
  if (!request.proven && !from_page) {
    if (const auto known = strangers_->Check(request); !known) return Refuse(known.error(), 403);
  }
  if (!found.route && first_) return AtFirst(request, id);
  // What another node says is looked at only if it is known to be what that has sent.
  if (found.for_nodes || gateway::IsForwarded(request)) {
    if (const auto why = WhyNoNodesCall(request)) {
      net::HttpResponse refusal =
          Refuse(*why, why->code == net::kSecretWrongCode ? 403 : net::StatusOf(*why));
      refusal.refuses_unsealed = true;
      return refusal;
    }
  }
  if (!found.route || found.route->needs == net::Route::Needs::kServing) {
    if (!state_.serving)
      return net::ErrorResponse(Error{ErrorKind::kUnavailable, "NODE_STARTING",
                                      "node " + options_.name + " is starting", "try again"});
    if (state_.refused) return net::ErrorResponse(*state_.refused);
  }
  if (!found.route) return net::Routes::Refusal(request, found);
  if (found.route->whom == net::Route::For::kAdmin && !request.proven) {
    if (const auto admin = authenticator_.AsAdmin(request.headers.Get("authorization")); !admin)
      return net::ErrorResponse(admin.error());
  }
  if (const auto readable = net::Routes::CheckBody(*found.route, request); !readable && !from_page)
    return Refuse(readable.error(), 415);
  net::Answer answer = found.route->run({request, found.name});
  return answer ? *std::move(answer) : net::ErrorResponse(answer.error());
}

net::Answer Reception::Health() const {
  if (state_.refused) return Fail(*state_.refused);
  if (state_.serving && !state_.stopping)
    return net::HttpResponse::Json(200, gateway::Encode({options_.name, core_.siblings().size()}));
  return net::HttpResponse::Json(503,
                                 state_.stopping ? R"({"status":"draining"})" : R"({"status":"starting"})");
}

void Reception::Drain(runtime::TimePoint deadline) {
  if (server_) server_->Drain(deadline);
}

void Reception::Stop() {
  if (server_) server_->Stop();
}

}  // namespace tradewind::node
