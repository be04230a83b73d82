#include "node/core_parts.h"

#include <algorithm>
#include <utility>

#include "admin/move_metrics.h"
#include "admin/tenant_metrics.h"
#include "admin/turn_metrics.h"
#include "base/limits.h"
#include "base/log.h"
#include "runtime/descriptors.h"

namespace tradewind::node {

CoreParts::CoreParts(runtime::Core& core, const NodeOptions& options, tenant::RemovedFiles& removed,
                     tenant::NameClaims& claims, tenant::TenantCores& table)
    : core_(core),
      options_(options),
      claims_(claims),
      client_(core, net::HttpClient::Peers::kNodes, options.cluster_secret),
      sensor_(core),
      tenants_(core, options.data_folder + "/tenants", removed, TenantBounds(table)),
      reception_(core, options, state_) {}

CoreParts::~CoreParts() = default;

// What a node may have open is shared out between its cores.
tenant::LocalTenants::Options CoreParts::TenantBounds(tenant::TenantCores& table) const {
  const uint64_t by_descriptors = core_.descriptors().shares().tenants / limits::kFilesPerTenant;
  const uint64_t wanted = options_.open_tenants.value_or(limits::kOpenTenants) / core_.siblings().size();
  if (options_.open_tenants && wanted > by_descriptors)
    log::warn("no more than {} of the {} tenants of --open-tenants can be open: the limit of files is {}",
              by_descriptors, wanted, core_.descriptors().limit());
  tenant::LocalTenants::Options bounds;
  bounds.most_open = std::max<uint64_t>(1, std::min(wanted, by_descriptors));
  if (core_.number() == 0) bounds.claims = &claims_;
  bounds.cores = &table;
  bounds.is_busy = [this](const TenantName& tenant) { return moves_ && moves_->IsMoving(tenant); };
  return bounds;
}

void CoreParts::Connect(Once once) {
  core_.AssertHere();
  once_.emplace(std::move(once));
  member_.emplace(catalog::Member{core_, options_.name, once_->catalog, [this] { return state_.stopping; }});
  directory_ = std::make_unique<catalog::Directory>(once_->catalog, client_);
  moves_ = std::make_unique<move::Moves>(
      *this, tenants_, claims_, [this](const TenantName& tenant) { streams_->EndAllOf(tenant); },
      [this] { once_->pacer.Wake(); });
  links_ = std::make_unique<move::PeerLinks>(
      core_, *directory_, client_,
      [this](std::unique_ptr<move::MoveChannel> channel) { moves_->ServeChannel(std::move(channel)); });
  streams_ = std::make_unique<gateway::StreamService>(core_, tenants_, *moves_);
  gateway_ = std::make_unique<gateway::Gateway>(*member_, once_->gateway, *directory_, once_->tenants,
                                                reception_.strangers(), sensor_);
}

gateway::CoreTenants CoreParts::OfTenants() {
  return {core_, tenants_, *moves_, *streams_};
}

void CoreParts::AddRoutes() {
  reception_.AddHealthRoute();
  once_->tenants.AddRoutes(reception_.routes(), sensor_);
  gateway_->AddRoutes(reception_.routes());
}

void CoreParts::AddMoveRoutes() {
  links_->AddRoutes(reception_.routes());
}

std::vector<net::MetricSample> CoreParts::Metrics() {
  core_.AssertHere();
  std::vector<net::MetricSample> samples = gateway_->Metrics();
  samples.push_back(streams_->Metric());
  for (auto& more : {admin::TurnMetrics(core_), admin::TenantMetrics(tenants_, core_),
                     admin::MoveMetrics(moves_->LiveReceipts())})
    samples.insert(samples.end(), more.begin(), more.end());
  return samples;
}

// -- The end

void CoreParts::StopWaits() {
  core_.AssertHere();
  state_.stopping = true;
  tenants_.StopWaits();
  if (moves_) moves_->StopWaits();
}

void CoreParts::EndStreams() {
  if (streams_) streams_->Stop();
  client_.Close();
  if (gateway_) gateway_->Stop();
}

void CoreParts::EndMoves() {
  if (links_) links_->Close();
  if (moves_) moves_->Stop();
}

void CoreParts::EndConnections() {
  reception_.Stop();
  if (links_) links_->Join();
}

// -- MoveHost

Result<std::unique_ptr<move::MoveChannel>> CoreParts::OpenChannel(const NodeName& peer,
                                                                  runtime::TimePoint deadline) {
  return links_->OpenChannel(peer, deadline);
}

move::Engine* CoreParts::FindEngine(std::string_view name) {
  return name == zephyr_.name() ? &zephyr_ : nullptr;
}

void CoreParts::Adopt(std::unique_ptr<tenant::HostedTenant> tenant, Epoch epoch,
                      std::function<void()> first_answer) {
  tenants_.Adopt(std::move(tenant), epoch, std::move(first_answer));
}

}  // namespace tradewind::node
