#include "sim/cluster.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "runtime/descriptors.h"
#include "runtime/fiber.h"
#include "sim/instances/sim_instances.h"
#include "sim/instances/sim_server.h"
#include "sqlite/vfs.h"

namespace tradewind::sim {

using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

void MustStart(const Result<void>& started) {
  if (!started) ADD_FAILURE() << Describe(started.error());
  TW_CHECK(started.has_value(), "a simulated node must start");
}

void FailTest(std::string_view checker, const std::string& what) {
  ADD_FAILURE() << checker << ": " << what;
}

}  // namespace

Cluster::Cluster(uint64_t seed, std::vector<std::string> hosts, NodeBounds bounds, Report report)
    : world_(seed),
      checkers_(world_, report ? std::move(report) : FailTest),
      hosts_(std::move(hosts)),
      bounds_(bounds) {
  sqlite::InitializeSqlite();
  sqlite::ResetRandomness();
  for (const std::string& host : hosts_) {
    world_.AddCore(host, bounds_.cores);
    MustStart(Start(host));
  }
  client_core_ = &world_.AddCore("client");
  http_ = std::make_unique<net::HttpClient>(*client_core_);
}

Cluster::~Cluster() {
  InClient([&] { http_->Close(); });
  for (const std::string& host : hosts_)
    if (nodes_.contains(host)) End(host, 5s);
  http_.reset();
}

std::vector<std::string> Cluster::urls() const {
  std::vector<std::string> urls;
  for (const std::string& host : hosts_) urls.push_back("http://" + host + ":8080");
  return urls;
}

node::NodeOptions Cluster::OptionsFor(const std::string& host, const std::string& name) {
  node::NodeOptions options;
  options.name = name;
  options.listen = {host, 8080};
  options.data_folder = "/data";
  options.open_tenants = bounds_.open_tenants;
  options.make_instances = SimInstances::MakerOf(servers_);
  if (host != hosts_.front()) options.join_url = "http://" + hosts_.front() + ":8080";
  return options;
}

std::string Cluster::TryStart(const std::string& host, const std::string& name, bool replace) {
  node::NodeOptions options = OptionsFor(host, name);
  options.replace_node = replace;
  SimCore& core = world_.AddCore(host);
  std::string code;
  world_.RunFiber(core, "start " + name, [&] {
    auto node = node::Node::Start(core, options);
    if (!node) code = node.error().code;
    if (node) nodes_[host] = std::move(*node);
  });
  if (code.empty()) hosts_.push_back(host);
  if (code.empty() && name != host) checkers_.Stop();  // They know nodes by their hosts.
  return code;
}

Result<void> Cluster::Start(const std::string& host) {
  node::NodeOptions options = OptionsFor(host, host);
  options.trap = traps_[host];
  SimCore& core = world_.CoreOf(host);
  Result<void> started;
  world_.RunFiber(core, "start " + host, [&] {
    auto node = node::Node::Start(core, options);
    if (node)
      nodes_[host] = std::move(*node);
    else
      started = Fail(node.error());
    if (node && guest_) guest_->Arrive(host, *nodes_[host]);
  });
  // Later, so that the node has not heard of it.
  if (bounds_.descriptors)
    for (runtime::Core* const each : core.siblings()) each->descriptors().SetLimit(*bounds_.descriptors);
  return started;
}

void Cluster::End(const std::string& host, runtime::Duration drain) {
  node::Node& node = *nodes_.at(host);
  SimCore& core = static_cast<SimCore&>(node.core());
  world_.RunFiber(core, "stop " + host, [&] {
    if (guest_) guest_->Leave(host);
    node.Stop(core.Now() + drain);
  });
  nodes_.erase(host);
}

void Cluster::KillServer(const std::string& host, const std::string& tenant) {
  SimServer* const server = servers_.Find(host, tenant);
  if (!server) return;
  SimCore& core = server->core();
  core.Spawn("server dies", [this, host, tenant, &core] {
    SimServer* const found = servers_.Find(host, tenant);
    if (found && &found->core() == &core) found->Die();
  });
}

void Cluster::SetGuest(Guest& guest) {
  guest_ = &guest;
  for (const auto& [host, node] : nodes_)
    InNode(host, [&, &at = host](node::Node& arrived) { guest.Arrive(at, arrived); });
}

void Cluster::InNode(const std::string& host, const std::function<void(node::Node&)>& body) {
  node::Node& node = *nodes_.at(host);
  world_.RunFiber(static_cast<SimCore&>(node.core()), "in " + host, [&] { body(node); });
}

bool Cluster::IsDown(const std::string& host) const {
  return std::find(down_.begin(), down_.end(), host) != down_.end();
}

void Cluster::TakeDown(const std::string& host, bool power_lost) {
  if (IsDown(host)) return;
  down_.push_back(host);
  if (power_lost)
    world_.Crash(host);
  else
    world_.Kill(host);
}

void Cluster::TakeDownAt(const std::string& victim, const std::string& host, const std::string& step,
                         int times, bool power_lost) {
  SetTrap(host, {step, times, [this, victim, power_lost] { TakeDown(victim, power_lost); }});
}

void Cluster::SetTrap(const std::string& host, node::StepTrap trap) {
  traps_[host] = std::move(trap);
  if (const auto running = nodes_.find(host); running != nodes_.end()) running->second->SetTrap(traps_[host]);
}

void Cluster::GoDownAt(const std::string& host, const std::string& step, int times, bool power_lost) {
  TakeDownAt(host, host, step, times, power_lost);
}

void Cluster::BringBack() {
  MustStart(TryBringBack(down_.front()));
}

Result<void> Cluster::TryBringBack(const std::string& host) {
  traps_.clear();
  for (const auto& [name, node] : nodes_) node->SetTrap({});
  if (nodes_.contains(host)) {
    End(host, 0s);
    world_.Restart(host);
  }
  TW_TRY(Start(host));
  std::erase(down_, host);
  return {};
}

std::optional<json::value> Cluster::TryCall(const std::string& host, const std::string& method,
                                            const std::string& target, const std::string& body) {
  net::HttpRequest request;
  request.method = method;
  request.headers.Set("content-type", "application/json");
  request.body = body;
  const auto answer = http_->Call("http://" + host + ":8080" + target, request, client_core_->Now() + 30s);
  if (!answer || answer->status >= 300) return std::nullopt;
  return json::parse(answer->body);
}

json::value Cluster::Call(const std::string& host, const std::string& method, const std::string& target,
                          const std::string& body) {
  // Connections to a host that went down take their time to notice.
  const runtime::TimePoint patience = client_core_->Now() + 1min;
  while (client_core_->Now() < patience) {
    if (auto answer = TryCall(host, method, target, body)) return *std::move(answer);
    runtime::SleepFor(20ms);
  }
  ADD_FAILURE() << method << " " << target << " at " << host << " fails";
  return json::object();
}

std::string Cluster::StartMove(const std::string& tenant, const std::string& to, uint64_t rate_bytes_per_s) {
  const json::object request{{"tenant", tenant}, {"to", to}, {"rate_bytes_per_s", rate_bytes_per_s}};
  const auto started = Call(hosts_.front(), "POST", "/v1/moves", json::serialize(request));
  const json::value* const id = started.as_object().if_contains("id");  // None of one that failed.
  return id ? std::string(id->as_string()) : std::string();
}

json::object Cluster::AwaitMove(const std::string& id) {
  const runtime::TimePoint patience = client_core_->Now() + 5min;
  while (client_core_->Now() < patience) {
    const auto receipt = TryCall(hosts_.front(), "GET", "/v1/moves/" + id);
    if (receipt) {
      const auto& phase = receipt->at("phase").as_string();
      if (phase == "done" || phase == "cancelled") return receipt->as_object();
    }
    runtime::SleepFor(5ms);
  }
  ADD_FAILURE() << "the move " << id
                << " does not end: " << json::serialize(Call(hosts_.front(), "GET", "/v1/moves/" + id));
  return {};
}

std::unique_ptr<load::Bank> Cluster::OpenBank(load::BankOptions options) {
  Call(hosts_.front(), "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})");
  options.servers = urls();
  auto bank = load::Bank::Make(*client_core_, *http_, std::move(options)).value();
  const auto filled = bank->Fill();
  if (!filled) ADD_FAILURE() << Describe(filled.error());
  bank->Start();
  AwaitUse(*bank);
  return bank;
}

void Cluster::AwaitUse(load::Bank& bank) {
  EXPECT_TRUE(bank.AwaitTransfers(5, client_core_->Now() + 10min)) << "the tenant is not in use";
}

void Cluster::ExpectNothingLost(load::Bank& bank, int tries) {
  auto verdict = bank.Verify();
  for (int tried = 1; tried < tries && !verdict; ++tried) verdict = bank.Verify();
  ASSERT_TRUE(verdict) << Describe(verdict.error());
  EXPECT_TRUE(verdict->ok()) << verdict->integrity << ", lost " << verdict->ledger.lost << ", doubled "
                             << verdict->ledger.doubled << ", ghosts " << verdict->ledger.ghosts
                             << ", balances " << verdict->balances_agree << ", entries "
                             << verdict->entries_agree;
}

bool Cluster::HasFile(const std::string& host, const std::string& tenant) {
  return world_.CoreOf(host).disk().Exists("/data/tenants/" + tenant + ".db").value();
}

std::vector<std::string> Cluster::FilesOf(const std::string& host, const std::string& folder) {
  return world_.CoreOf(host).disk().List(folder).value();
}

}  // namespace tradewind::sim
