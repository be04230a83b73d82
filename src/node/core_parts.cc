#include "node/core_parts.h"

#include <algorithm>
#include <utility>

#include "admin/instance_metrics.h"
#include "admin/move_metrics.h"
#include "admin/tenant_metrics.h"
#include "admin/turn_metrics.h"
#include "base/limits.h"
#include "base/log.h"
#include "mariadb/instance_files.h"
#include "runtime/call_on.h"
#include "runtime/descriptors.h"
#include "slacker/node_instances.h"

namespace tradewind::node {

CoreParts::CoreParts(runtime::Core& core, const NodeOptions& options, tenant::RemovedFiles& removed,
                     tenant::NameClaims& claims, tenant::TenantCores& table)
    : core_(core),
      options_(options),
      claims_(claims),
      client_(core, net::HttpClient::Peers::kNodes, options.cluster_secret),
      sensor_(core),
      instances_(MakeInstances()),
      tenants_(core, options.data_folder + "/tenants", removed, TenantBounds(table)),
      reception_(core, options, state_),
      slacker_(*instances_),
      wakes_(core) {
  client_.SetTrust(options.tls.trust);
}

CoreParts::~CoreParts() = default;

std::unique_ptr<slacker::CoreInstances> CoreParts::MakeInstances() {
  const auto owns = [this](const TenantName& name) { return Owns(name); };
  if (options_.make_instances) return options_.make_instances(core_, options_.data_folder, owns);
  return std::make_unique<slacker::NodeInstances>(core_, options_.data_folder + "/templates", owns);
}

// What a node may have open is shared out between its cores.
tenant::LocalTenants::Options CoreParts::TenantBounds(tenant::TenantCores& table) {
  const uint64_t cores = core_.siblings().size(),
                 of_node = options_.open_tenants.value_or(limits::kOpenTenants);
  const uint64_t wanted = of_node / cores + (core_.number() < of_node % cores ? 1 : 0);
  core_.descriptors().SetMostOfTenants(wanted * limits::kFilesPerTenant);
  const uint64_t by_descriptors = core_.descriptors().shares().tenants / limits::kFilesPerTenant;
  if (options_.open_tenants && wanted > by_descriptors)
    log::warn("no more than {} of the {} tenants of --open-tenants can be open: the limit of files is {}",
              by_descriptors, wanted, core_.descriptors().limit());
  tenant::LocalTenants::Options bounds;
  bounds.most_open = std::max<uint64_t>(1, std::min(wanted, by_descriptors));
  if (core_.number() == 0) bounds.claims = &claims_;
  bounds.cores = &table;
  bounds.second_files = &instances_->files();
  bounds.quotas = options_.quotas;
  bounds.is_busy = [this](const TenantName& tenant) { return moves_ && moves_->IsMoving(tenant); };
  return bounds;
}

Result<bool> CoreParts::Owns(const TenantName& tenant) {
  if (!once_)
    return Fail(ErrorKind::kUnavailable, "NODE_STARTING", "the node has no catalog yet", "try again");
  const auto record = once_->catalog.GetTenant(tenant);
  if (!record && record.error().kind == ErrorKind::kNotFound) return false;
  if (!record) return Fail(record.error());
  return record->ownership.owner == options_.name;
}

void CoreParts::Connect(Once once) {
  core_.AssertHere();
  once_.emplace(std::move(once));
  member_.emplace(catalog::Member{core_, options_.name, once_->catalog, [this] { return state_.stopping; }});
  runtime::Core& first = *core_.siblings().front();
  if (&core_ != &first) portions_ = std::make_unique<pace::PortionedBucket>(core_, first, once_->bucket);
  directory_ = std::make_unique<catalog::Directory>(once_->catalog, client_);
  moves_ = std::make_unique<move::Moves>(
      *this, tenants_, claims_,
      [this](const TenantName& tenant) {
        mysql_->AwaitLeft(tenant, core_.Now() + limits::kParkedRequest);
        streams_->EndAllOf(tenant);
      },
      [this] { WakePacer(); });
  links_ = std::make_unique<move::PeerLinks>(core_, *directory_, client_,
                                             [this](std::unique_ptr<move::MoveChannel> channel) {
                                               moves_->incoming().ServeChannel(std::move(channel));
                                             });
  streams_ = std::make_unique<gateway::StreamService>(core_, tenants_, *moves_, options_.stream_idle,
                                                      options_.slow_statement);
  gateway_ = std::make_unique<gateway::Gateway>(*member_, once_->gateway, *directory_, once_->tenants,
                                                reception_.strangers(), reception_.authenticator(), sensor_,
                                                options_.stream_idle);
  mysql_ = std::make_unique<gateway::MysqlService>(core_, tenants_, *moves_, sensor_);
  mysql_owners_ = std::make_unique<gateway::MysqlOwners>(*member_, once_->tenants, *directory_, client_,
                                                         once_->mysql_services);
  mysql_sessions_ = std::make_unique<gateway::MysqlSessions>(core_, *mysql_owners_, sensor_);
}

gateway::CoreTenants CoreParts::OfTenants() {
  return {core_, tenants_, *moves_, *streams_};
}

void CoreParts::AddRoutes() {
  reception_.AddHealthRoutes();
  once_->tenants.AddRoutes(reception_.routes(), sensor_);
  gateway_->AddRoutes(reception_.routes());
  mysql_owners_->AddRoutes(reception_.routes());
}

// Whoever starts a move does not wait for it.
void CoreParts::WakePacer() {
  runtime::Core& first = *core_.siblings().front();
  if (first.IsHere()) return once_->wake_pacer();
  wakes_.Spawn("wake pacer", [this, &first] { runtime::CallOn(first, [this] { once_->wake_pacer(); }); });
}

void CoreParts::SettleThrottle() {
  if (portions_) portions_->Settle();
}

std::vector<net::MetricSample> CoreParts::Metrics() {
  core_.AssertHere();
  std::vector<net::MetricSample> samples = gateway_->Metrics();
  samples.push_back(streams_->Metric());
  samples.push_back(
      net::HistogramSample("tradewind_commit_sync_seconds",
                           "How long answers waited for the disk to have the commits that they show.",
                           streams_->durability_waits()));
  for (auto& more : {mysql_sessions_->Metrics(), admin::TurnMetrics(core_),
                     admin::TenantMetrics(tenants_, core_), admin::MoveMetrics(moves_->outgoing().receipts()),
                     admin::MoveTotalMetrics(moves_->outgoing().totals()), reception_.Metrics(),
                     admin::InstanceMetrics(tenants_, instances_->names())})
    samples.insert(samples.end(), more.begin(), more.end());
  return samples;
}

// -- The end

void CoreParts::DrainSessions(runtime::TimePoint deadline) {
  if (mysql_sessions_) mysql_sessions_->Drain(deadline);
}

void CoreParts::StopWaits() {
  core_.AssertHere();
  state_.stopping = true;
  tenants_.StopWaits();
  if (mysql_owners_) mysql_owners_->StopWaits();
  if (moves_) moves_->incoming().StopWaits();
}

void CoreParts::EndStreams() {
  if (streams_) streams_->Stop();
  if (mysql_sessions_) mysql_sessions_->Stop();
  if (mysql_) mysql_->Stop();
  client_.Close();
  if (mysql_owners_) mysql_owners_->Join();
  if (gateway_) gateway_->Stop();
}

void CoreParts::EndMoves() {
  if (links_) links_->Close();
  if (moves_) moves_->Stop();
  wakes_.Join();
  if (portions_) portions_->Stop();
}

void CoreParts::EndConnections() {
  reception_.Stop();
  if (links_) links_->Join();
}

// -- MoveHost

Result<std::unique_ptr<move::MoveChannel>> CoreParts::OpenChannel(const NodeName& peer,
                                                                  const TenantName& tenant,
                                                                  runtime::TimePoint deadline) {
  return links_->OpenChannel(peer, tenant, deadline);
}

pace::Throttle& CoreParts::paced_throttle() {
  if (portions_) return *portions_;
  return once_->bucket;
}

move::Engine* CoreParts::FindEngine(std::string_view name) {
  if (name == zephyr_.name()) return &zephyr_;
  return name == slacker_.name() ? &slacker_ : nullptr;
}

// A copy whose making had not begun is nobody's yet.
move::Engine& CoreParts::EngineOf(const TenantName& tenant) {
  const std::string folder = mariadb::InstanceFolderOf(TenantPath(tenant));
  for (const std::string& place : {folder, folder + ".making"}) {
    const auto exists = core_.disk().Exists(place);
    if (!exists) log::error("which engine tenant {} is of: {}", tenant, Describe(exists.error()));
    if (exists && *exists) return slacker_;
  }
  return zephyr_;
}

bool CoreParts::IsMovingElsewhere(const TenantName& tenant) {
  if (core_.siblings().size() == 1) return false;
  const auto core = once_->tenants.CoreThatMoves(tenant);
  return core && *core != core_.number();
}

void CoreParts::LearnQuotas(const TenantName& tenant) {
  while (!state_.stopping) {
    const auto record = once_->catalog.GetTenant(tenant);
    const auto quotas =
        record ? tenant::ParseQuotas(record->quotas) : Result<tenant::Quotas>(tenant::Quotas{});
    if (record && tenants_.Has(tenant)) tenants_.SetQuotas(tenant, quotas.value_or(tenant::Quotas{}));
    if (record || record.error().kind == ErrorKind::kNotFound) return;
    runtime::SleepFor(limits::kReconnectPause);
  }
}

void CoreParts::Adopt(std::unique_ptr<tenant::HostedTenant> tenant, Epoch epoch,
                      std::function<void()> first_answer) {
  const TenantName name = tenant->name();
  tenants_.Adopt(std::move(tenant), epoch, std::move(first_answer));
  wakes_.Spawn("quotas of " + name, [this, name] { LearnQuotas(name); });
}

}  // namespace tradewind::node
