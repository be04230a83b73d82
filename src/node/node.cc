#include "node/node.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "admin/memory_metrics.h"
#include "admin/move_metrics.h"
#include "admin/request_metrics.h"
#include "balance/placement.h"
#include "base/limits.h"
#include "base/log.h"
#include "catalog/catalog_on_core.h"
#include "catalog/catalog_service.h"
#include "catalog/embedded_catalog.h"
#include "mariadb/instance_files.h"
#include "net/api_error.h"
#include "net/metrics.h"
#include "net/seal.h"
#include "pace/end_latency.h"
#include "runtime/call_on.h"
#include "runtime/random_id.h"
#include "sqlite/vfs.h"

namespace tradewind::node {

namespace {

constexpr std::string_view kLatencyPath = "/v1/internal/latency";

}  // namespace

Node::Node(runtime::Core& core, NodeOptions options)
    : core_(core),
      options_(std::move(options)),
      trap_times_(options_.trap.times),
      claims_(core),
      table_(core),
      tenants_(table_),
      fibers_(core) {}

Node::~Node() = default;

void Node::OnEachCore(const std::function<void(CoreParts&)>& work) {
  runtime::TaskGroup calls(core_);
  for (size_t number = 1; number < parts_.size(); ++number)
    calls.Spawn("each core", [&work, parts = parts_[number].get()] {
      runtime::CallOn(parts->core(), [&] { work(*parts); });
    });
  if (!parts_.empty()) work(first());
  calls.Join();
}

// -- Start

Result<std::unique_ptr<Node>> Node::Start(runtime::Core& core, NodeOptions options) {
  core.AssertHere();
  if (!IsValidName(options.name))
    return Fail(ErrorKind::kInvalid, "NAME_INVALID", "'" + options.name + "' is no name for a node",
                "use up to 63 of a-z, 0-9, - and _, beginning with a letter or digit");
  if (!options.trap.step.empty() && (!move::ParseStep(options.trap.step) || options.trap.times < 1))
    return Fail(ErrorKind::kInvalid, "STEP_UNKNOWN", "'" + options.trap.step + "' is no step of a move");
  sqlite::InitializeSqlite();
  std::unique_ptr<Node> node(new Node(core, std::move(options)));
  if (Result<void> opened = node->Open(); !opened) {
    node->Stop(core.Now());
    return Fail(std::move(opened).error());
  }
  return node;
}

Result<void> Node::Open() {
  TW_TRY_ASSIGN(folder_, DataFolder::Claim(core_, options_.data_folder, options_.name));
  TW_TRY(OpenJournal());
  const bool had_tenants = !journal_->entries().empty();
  TW_TRY(folder_->CheckCatalog(options_.join_url.has_value(), had_tenants));
  removed_ = std::make_unique<tenant::RemovedFiles>(core_, options_.data_folder + "/removed");
  TW_TRY(removed_->Start());
  // A folder may have been copied here: that of a WAL that says so is taken for durable (sqlite/commit_log.h).
  TW_TRY(core_.disk().SyncDirectory(options_.data_folder + "/tenants"));
  for (runtime::Core* const core : core_.siblings())
    runtime::CallOn(*core, [&] {
      parts_.push_back(std::make_unique<CoreParts>(*core, options_, *removed_, claims_, table_));
    });
  // The port comes first, so that its number is known; requests get 503 until everything is there.
  TW_TRY(first().reception().Listen());
  TW_TRY(OpenCatalog());
  ConnectCores();
  Connect();
  TW_TRY(transfers_->Start());
  AddRoutes();
  TW_TRY(recovery_->FollowJournal());
  recovery_->StartInstances();
  Result<void> registered = enrolment_->CheckNoTwin();
  if (registered) registered = enrolment_->Register();
  if (!registered &&
      (Enrolment::IsRefusal(registered.error()) || registered.error().code == net::kSecretWrongCode))
    return registered;
  // A node that has tenants serves them even while the catalog is away (docs/move.md, step 5).
  if (!registered && !had_tenants) return registered;
  if (!registered) log::warn("the catalog does not answer yet: {}", Describe(registered.error()));
  OnEachCore([](CoreParts& parts) { parts.state().serving = true; });
  if (options_.mysql_listen) TW_TRY(ListenForMysql({"", *options_.mysql_listen, options_.mysql_needs_tls}));
  for (const MysqlTenantPort& port : options_.mysql_tenant_ports) TW_TRY(ListenForMysql(port));
  fibers_.Spawn("register " + options_.name, [this] { RegisterAndTidy(); });
  return {};
}

// Beside files of tenants a journal that is missing is a lost one, not a new one.
Result<void> Node::OpenJournal() {
  TW_TRY_ASSIGN(const auto names, core_.disk().List(options_.data_folder + "/tenants"));
  const bool has_tenants = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name.ends_with(".db") || name.ends_with(mariadb::kInstanceSuffix);
  });
  TW_TRY_ASSIGN(journal_, move::Journal::Open(
                              core_, options_.data_folder + "/journal",
                              has_tenants ? move::Journal::Missing::kRefuse : move::Journal::Missing::kMake));
  tenants_.SetJournal(*journal_);
  // The map of a copy that is whole: the node ended between the note of that and the removal of the map.
  constexpr std::string_view kMap = ".db-presence";
  for (const std::string& name : names) {
    if (!name.ends_with(kMap)) continue;
    const auto entry = journal_->entries().find(name.substr(0, name.size() - kMap.size()));
    if (entry == journal_->entries().end() || entry->second.role != move::Role::kOwned) continue;
    TW_TRY(core_.disk().Remove(options_.data_folder + "/tenants/" + name));
  }
  return {};
}

Result<void> Node::OpenCatalog() {
  net::Routes& routes = first().reception().routes();
  if (!options_.join_url) {
    TW_TRY_ASSIGN(auto embedded, catalog::EmbeddedCatalog::Open(core_, folder_->CatalogPath()));
    embedded_ = embedded.get();
    catalog_ = std::move(embedded);
    catalog::AddCatalogRoute(routes, embedded_);
    return {};
  }
  catalog_ = catalog::CatalogAt(core_, first().client(), *options_.join_url);
  catalog::AddCatalogRoute(routes, nullptr);
  return {};
}

// Core 0 goes first. From the end on connections are dealt to all.
void Node::ConnectCores() {
  called_catalog_ = std::make_unique<catalog::CatalogOnCore>(core_, *catalog_);
  for (const auto& parts : parts_) {
    sensors_.Add(parts->core(), parts->sensor());
    paced_moves_.Add(*parts);
  }
  pacer_ = std::make_unique<pace::Pacer>(
      core_, options_.name, sensors_, [this] { return paced_moves_.Now(); }, CallbacksForPacer());
  const gateway::GatewayId gateway = options_.name + "." + runtime::RandomId(core_);
  std::vector<gateway::Gateway*> gateways;
  for (const auto& parts : parts_) {
    catalog::Catalog& catalog = parts == parts_.front() ? *catalog_ : *called_catalog_;
    runtime::CallOn(parts->core(), [&] {
      if (parts != parts_.front()) parts->reception().ListenBeside(first().reception());
      parts->Connect({catalog, *journal_, pacer_->bucket(), tenants_, gateway, mysql_services_,
                      [this](move::Step step) { Reached(step); }, [this] { pacer_->Wake(); }});
    });
    tenants_.Add(parts->OfTenants());
    mysql_services_.push_back(&parts->mysql());
    gateways.push_back(&parts->gateway());
  }
  std::vector<Reception*> receptions;
  for (const auto& parts : parts_) {
    runtime::CallOn(parts->core(), [&] { parts->gateway().SetGateways(gateways); });
    receptions.push_back(&parts->reception());
  }
  for (size_t number = 1; number < parts_.size(); ++number)
    runtime::CallOn(parts_[number]->core(), [&] { parts_[number]->AddRoutes(); });
  if (options_.hand_over)
    for (const auto& parts : parts_)
      runtime::CallOn(parts->core(), [&] { parts->reception().HandTo(receptions); });
  first().reception().DealTo(receptions);
}

void Node::Connect() {
  CoreParts& parts = first();
  forwarding_ =
      std::make_unique<gateway::Forwarding>(parts.member(), parts.directory(), tenants_,
                                            [this](const TenantName& tenant) { maker_->NoteIfLost(tenant); });
  maker_ = std::make_unique<admin::TenantMaker>(parts.member(), *journal_, claims_, tenants_);
  core_change_.emplace(parts.member(), *journal_, claims_, tenants_);
  transfers_ = std::make_unique<admin::Transfers>(parts.member(), tenants_, *maker_,
                                                  options_.data_folder + "/transfers");
  drain_ = std::make_unique<balance::Drain>(core_, options_.name, options_.data_folder + "/drain",
                                            CallbacksForDrain());
  admin_ = std::make_unique<admin::AdminApi>(
      parts.member(),
      admin::AdminApi::Parts{parts.directory(), tenants_, *maker_, *core_change_, *drain_, *transfers_,
                             *forwarding_, embedded_, options_.join_url.value_or("")});
  std::vector<CoreParts*> by_core;
  for (const auto& of_core : parts_) by_core.push_back(of_core.get());
  move_routes_.emplace(tenants_, std::move(by_core));
  enrolment_.emplace(parts.member(), options_, url(), *folder_, parts.client());
  recovery_.emplace(parts.member(), Recovery::Parts{*journal_, tenants_, *maker_, *drain_});
}

Result<void> Node::ListenForMysql(const MysqlTenantPort& wanted) {
  std::vector<gateway::MysqlSessions*> sessions;
  for (const auto& parts : parts_) sessions.push_back(&parts->mysql_sessions());
  auto port = std::make_unique<gateway::MysqlPort>(first().member(), first().mysql_owners(), tenants_,
                                                   std::move(sessions),
                                                   static_cast<uint32_t>(mysql_ports_.size()), wanted.tenant);
  port->SetIdentity(options_.tls.identity, wanted.needs_tls);
  Result<void> listens = port->Listen(wanted.address);
  if (listens) {
    log::info("MySQL's protocol is spoken at {}{}", port->local().ToString(),
              wanted.tenant.empty() ? "" : " for tenant " + wanted.tenant);
    mysql_ports_.push_back(std::move(port));
    return listens;
  }
  if (listens.error().code != "ADDRESS_IN_USE") return listens;
  return Fail(ErrorKind::kRefused, "MYSQL_ADDRESS_IN_USE",
              "another process listens on " + wanted.address.ToString() + " already",
              fmt::format("stop it, or give another port with {} (port 0: any free one)",
                          wanted.tenant.empty() ? "--mysql-listen" : "--mysql-listen-for"));
}

// What needs the catalog and may wait for it.
void Node::RegisterAndTidy() {
  const NodeState& state = first().state();
  while (!state.stopping) {
    const Result<void> registered = enrolment_->Register();
    if (registered) break;
    if (Enrolment::IsRefusal(registered.error())) {
      log::error("this node serves nothing any more: {}", Describe(registered.error()));
      OnEachCore([&](CoreParts& parts) { parts.state().refused = registered.error(); });
      return;
    }
    log::warn("the node is not registered yet: {}", Describe(registered.error()));
    runtime::SleepFor(limits::kReconnectPause);
  }
  LearnQuotas();
  if (!state.stopping) recovery_->FollowCatalog();
}

// A catalog of an earlier version has none, and says that it does not know the call.
void Node::LearnQuotas() {
  const NodeState& state = first().state();
  while (!state.stopping) {
    const auto records = catalog_->ListQuotas();
    if (!records && records.error().kind == ErrorKind::kInvalid) return;
    if (!records) {
      runtime::SleepFor(limits::kReconnectPause);
      continue;
    }
    std::map<TenantName, tenant::Quotas> own;
    for (const catalog::TenantRecord& record : *records)
      if (const auto quotas = tenant::ParseQuotas(record.quotas))
        own[record.name] = *quotas;
      else
        log::warn("the quotas of tenant {} are not known: {}", record.name, Describe(quotas.error()));
    OnEachCore([&](CoreParts& parts) { parts.tenants().SetQuotas(own); });
    return;
  }
}

pace::MoveEnds::Callbacks Node::CallbacksForPacer() {
  pace::MoveEnds::Callbacks callbacks;
  callbacks.ask = [this](const NodeName& node, const pace::LatencyCall& call) -> Result<pace::EndLatency> {
    net::HttpRequest request;
    request.method = "POST";
    request.target = kLatencyPath;
    request.body = Encode(call);
    request.idempotent = true;
    TW_TRY_ASSIGN(const auto answer,
                  first().directory().Call(node, std::move(request), core_.Now() + limits::kNodeProbe));
    if (answer.status != 200) return Fail(net::ParseErrorResponse(answer));
    return pace::DecodeEndLatency(answer.body);
  };
  callbacks.objectives = [this]() -> Result<std::vector<pace::TenantObjective>> {
    TW_TRY_ASSIGN(const auto records, catalog_->ListObjectives());
    std::vector<pace::TenantObjective> objectives;
    for (const catalog::TenantRecord& record : records)
      if (const auto objective = pace::ParseObjective(record.objective))
        objectives.push_back({record.name, record.ownership.owner, *objective});
    return objectives;
  };
  return callbacks;
}

balance::Drain::Callbacks Node::CallbacksForDrain() {
  balance::Drain::Callbacks callbacks;
  callbacks.tenants = [this] { return tenants_.names(); };
  callbacks.bytes_of = [this](const TenantName& tenant) -> uint64_t {
    const auto known = tenants_.At(tenant, [&](gateway::CoreTenants& home) {
      const tenant::HostedTenant* const open = home.tenants.IfOpen(tenant);
      return open ? open->Size() : std::nullopt;
    });
    if (known) return uint64_t{known->page_size} * known->page_count;
    uint64_t bytes = 0;
    for (const char* suffix : {"", "-wal"}) {
      const auto file = core_.disk().Open(tenants_.PathOf(tenant) + suffix, runtime::OpenMode::kExisting);
      if (!file) continue;
      bytes += (*file)->Size().value_or(0);
    }
    return bytes;
  };
  callbacks.places = [this] { return balance::FetchPlaces(first().member(), *forwarding_); };
  callbacks.record = [this](bool draining) { return catalog_->SetDraining(options_.name, draining); };
  callbacks.move_to_end = [this](const move::MoveRequest& request) {
    return tenants_.At(request.tenant,
                       [&](gateway::CoreTenants& home) { return home.moves.RunToEnd(request); });
  };
  callbacks.set_pace = [this](const TenantName& tenant, const move::Pace& pace) {
    tenants_.At(tenant, [&](gateway::CoreTenants& home) {
      for (const move::Receipt& receipt : home.moves.outgoing().receipts())
        if (receipt.tenant == tenant)
          if (auto set = home.moves.outgoing().SetPace(receipt.id, pace); !set)
            log::warn("the pace of move {} could not be set: {}", receipt.id, Describe(set.error()));
    });
  };
  return callbacks;
}

// On any core.
void Node::Reached(move::Step step) {
  const StepTrap& trap = options_.trap;
  if (trap.step == move::NameOf(step) && --trap_times_ == 0) trap.run();
}

// -- What is read again

void Node::RenewLocks(const auth::Locks& locks) {
  OnEachCore([&](CoreParts& parts) { parts.reception().authenticator().Replace(locks); });
}

void Node::RenewIdentity(const std::shared_ptr<const net::TlsIdentity>& identity) {
  first().reception().SetIdentity(identity);
  for (const auto& port : mysql_ports_) port->ReplaceIdentity(identity);
}

void Node::RenewTrust(const std::shared_ptr<const net::TlsTrust>& trust) {
  OnEachCore([&](CoreParts& parts) { parts.client().SetTrust(trust); });
}

// -- Requests

void Node::AddRoutes() {
  net::Routes& routes = first().reception().routes();
  routes.Add(
      {"GET", "/metrics", [this](const net::Call&) { return Metrics(); }, net::Route::Body::kAnything});
  routes.Add({"POST", std::string(kLatencyPath),
              [this](const net::Call& call) -> net::Answer {
                TW_TRY_ASSIGN(const auto asked, pace::DecodeLatencyCall(call.request.body));
                return net::HttpResponse::Json(200, pace::Encode(sensors_.Read(asked)));
              },
              net::Route::Body::kAnything});
  first().AddRoutes();
  move_routes_->AddTo(routes);
  admin_->AddRoutes(routes);
}

// What each core has is told apart by its number where there are several; histograms, and what is said of tenants by
// their names, are of all together.
net::Answer Node::Metrics() {
  std::vector<net::MetricSample> samples;
  pace::RequestTotals totals;
  for (const auto& parts : parts_) {
    runtime::Core& core = parts->core();
    auto of_core = runtime::CallOn(core, [&] { return parts->Metrics(); });
    totals.Add(runtime::CallOn(core, [&] { return parts->sensor().totals(); }));
    if (parts_.size() > 1)
      for (net::MetricSample& sample : of_core)
        if (!sample.histogram) sample.labels.emplace_back("core", std::to_string(core.number()));
    net::AddSamples(samples, std::move(of_core));
  }
  for (auto& more :
       {admin::RequestMetrics(totals, options_.metrics_tenants), admin::DrainMetrics(drain_->progress()),
        admin::PaceMetrics(sensors_.ReadNow(), pacer_->bucket().rate(), pacer_->worst_ratio()),
        admin::MemoryMetrics()})
    samples.insert(samples.end(), more.begin(), more.end());
  net::HttpResponse response = net::HttpResponse::Text(200, net::RenderMetrics(samples));
  response.headers.Set("Content-Type", "text/plain; version=0.0.4");
  return response;
}

// -- End

// Each step is taken on all cores before the next one: none closes a tenant while another one still serves.
void Node::Stop(runtime::TimePoint drain_until) {
  for (const auto& port : mysql_ports_) port->Stop();
  OnEachCore([&](CoreParts& parts) { parts.DrainSessions(drain_until); });
  OnEachCore([&](CoreParts& parts) { parts.reception().Drain(drain_until); });
  OnEachCore([](CoreParts& parts) { parts.StopWaits(); });
  if (transfers_) transfers_->BeginStop();
  OnEachCore([](CoreParts& parts) { parts.EndStreams(); });
  if (drain_) drain_->Stop();
  if (pacer_) pacer_->Stop();
  OnEachCore([](CoreParts& parts) { parts.EndMoves(); });
  if (drain_) drain_->Join();
  if (maker_) maker_->Join();
  if (pacer_) pacer_->Join();
  if (transfers_) transfers_->Stop();
  OnEachCore([](CoreParts& parts) { parts.EndConnections(); });
  fibers_.Join();
  if (removed_) removed_->Stop();
  OnEachCore([](CoreParts& parts) { parts.tenants().CloseAll(); });
  if (journal_) journal_->Close();
  if (embedded_) embedded_->Close();
  for (size_t number = parts_.size(); number-- > 0;)
    runtime::CallOn(parts_[number]->core(), [&] { table_.Join(); });
  while (parts_.size() > 1) {
    std::unique_ptr<CoreParts> last = std::move(parts_.back());
    parts_.pop_back();
    runtime::CallOn(last->core(), [&] { last.reset(); });
  }
}

}  // namespace tradewind::node
