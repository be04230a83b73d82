#include "node/node.h"

#include <algorithm>

#include "admin/admin_api.h"
#include "admin/memory_metrics.h"
#include "admin/move_metrics.h"
#include "admin/tenant_maker.h"
#include "admin/tenant_metrics.h"
#include "admin/tenant_sizes.h"
#include "admin/transfers.h"
#include "admin/turn_metrics.h"
#include "balance/placement.h"
#include "base/limits.h"
#include "base/log.h"
#include "catalog/catalog_service.h"
#include "catalog/embedded_catalog.h"
#include "gateway/forwarding.h"
#include "gateway/gateway.h"
#include "gateway/stream_service.h"
#include "move/peer_links.h"
#include "net/api_error.h"
#include "net/metrics.h"
#include "net/seal.h"
#include "runtime/descriptors.h"
#include "sqlite/database_file.h"
#include "sqlite/vfs.h"

namespace tradewind::node {

namespace {

constexpr std::string_view kLatencyPath = "/v1/internal/latency";

// The catalog says no, and will say so again.
bool IsRefusal(const Error& error) {
  return error.code == catalog::kNameTakenCode || error.code == catalog::kOtherClusterCode ||
         error.code == catalog::kForgottenCode || error.code == "NODE_RUNS_ELSEWHERE" ||
         error.code == "NAME_INVALID";
}

// Of a URL: what stands between "//" and the path.
std::string HostIn(std::string_view url) {
  url.remove_prefix(std::min(url.size(), url.find("//") + 2));
  return std::string(url.substr(0, url.find('/')));
}

std::string HealthText(const NodeName& name) {
  return R"({"status":"ok","node":")" + name + "\"}";
}

}  // namespace

Node::Node(runtime::Core& core, NodeOptions options)
    : core_(core),
      options_(std::move(options)),
      client_(core, net::HttpClient::Peers::kNodes, options_.cluster_secret),
      sensor_(core),
      fibers_(core) {}

Node::~Node() = default;

// -- Start

Result<std::unique_ptr<Node>> Node::Start(runtime::Core& core, NodeOptions options) {
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
  tenant::LocalTenants::Options bounds;
  bounds.most_open = MostOpenTenants();
  bounds.is_busy = [this](const TenantName& tenant) { return moves_ && moves_->IsMoving(tenant); };
  tenants_ =
      std::make_unique<tenant::LocalTenants>(core_, options_.data_folder + "/tenants", *removed_, bounds);
  // The port comes first, so that its number is known; requests get 503 until everything is there.
  TW_TRY_ASSIGN(server_, net::HttpServer::Start(
                             core_, options_.listen,
                             [this](const net::HttpRequest& request) { return Handle(request); },
                             options_.cluster_secret));
  url_ = options_.advertise_url.value_or("http://" + server_->local().ToString());
  strangers_.emplace(std::vector{server_->local().ToString(), options_.listen.ToString(), HostIn(url_)},
                     options_.domains);
  TW_TRY(OpenCatalog());
  member_.emplace(catalog::Member{core_, options_.name, *catalog_, [this] { return stopping_; }});
  directory_ = std::make_unique<catalog::Directory>(*catalog_, client_);
  const auto end_streams = [this](const TenantName& tenant) {
    if (streams_) streams_->EndAllOf(tenant);
  };
  moves_ = std::make_unique<move::Moves>(*this, *tenants_, end_streams, [this] { pacer_->Wake(); });
  maker_ = std::make_unique<admin::TenantMaker>(*member_, *journal_, *tenants_, *moves_, end_streams);
  forwarding_ = std::make_unique<gateway::Forwarding>(
      *member_, *directory_, *tenants_, [this](const TenantName& tenant) { maker_->NoteIfLost(tenant); });
  pacer_ = std::make_unique<pace::Pacer>(core_, options_.name, sensor_, CallbacksForPacer());
  links_ = std::make_unique<move::PeerLinks>(
      core_, *directory_, client_,
      [this](std::unique_ptr<move::MoveChannel> channel) { moves_->ServeChannel(std::move(channel)); });
  streams_ = std::make_unique<gateway::StreamService>(core_, *tenants_, *moves_, sensor_);
  gateway_ =
      std::make_unique<gateway::Gateway>(*member_, *directory_, *tenants_, *strangers_, *streams_, sensor_);
  transfers_ =
      std::make_unique<admin::Transfers>(*member_, *tenants_, *maker_, options_.data_folder + "/transfers");
  TW_TRY(transfers_->Start());
  drain_ = std::make_unique<balance::Drain>(core_, options_.name, options_.data_folder + "/drain",
                                            CallbacksForDrain());
  admin_ = std::make_unique<admin::AdminApi>(
      *member_,
      admin::AdminApi::Parts{*directory_, *tenants_, *moves_, *maker_, *drain_, *transfers_, *forwarding_});
  AddRoutes();
  TW_TRY(Recover());
  Result<void> registered = CheckNoTwin();
  if (registered) registered = Register();
  if (!registered && (IsRefusal(registered.error()) || registered.error().code == net::kSecretWrongCode))
    return registered;
  // A node that has tenants serves them even while the catalog is away (docs/move.md, step 5).
  if (!registered && !had_tenants) return registered;
  if (!registered) log::warn("the catalog does not answer yet: {}", Describe(registered.error()));
  serving_ = true;
  fibers_.Spawn("register " + options_.name, [this] { RegisterAndTidy(); });
  return {};
}

size_t Node::MostOpenTenants() const {
  const uint64_t by_descriptors = core_.descriptors().shares().tenants / limits::kFilesPerTenant;
  const uint64_t wanted = options_.open_tenants.value_or(limits::kOpenTenants);
  if (options_.open_tenants && wanted > by_descriptors)
    log::warn("no more than {} of the {} tenants of --open-tenants can be open: the limit of files is {}",
              by_descriptors, wanted, core_.descriptors().limit());
  return std::max<uint64_t>(1, std::min(wanted, by_descriptors));
}

// Beside files of tenants a journal that is missing is a lost one, not a new one.
Result<void> Node::OpenJournal() {
  TW_TRY_ASSIGN(const auto names, core_.disk().List(options_.data_folder + "/tenants"));
  const bool has_tenants =
      std::any_of(names.begin(), names.end(), [](const std::string& name) { return name.ends_with(".db"); });
  TW_TRY_ASSIGN(journal_, move::Journal::Open(
                              core_, options_.data_folder + "/journal",
                              has_tenants ? move::Journal::Missing::kRefuse : move::Journal::Missing::kMake));
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
  if (!options_.join_url) {
    TW_TRY_ASSIGN(auto embedded, catalog::EmbeddedCatalog::Open(core_, folder_->CatalogPath()));
    embedded_ = embedded.get();
    catalog_ = std::move(embedded);
    catalog::AddCatalogRoute(routes_, embedded_);
    return {};
  }
  catalog_ = catalog::CatalogAt(core_, client_, *options_.join_url);
  catalog::AddCatalogRoute(routes_, nullptr);
  return {};
}

catalog::Registration Node::RegistrationOf(bool dry_run) const {
  const FolderIdentity& identity = folder_->identity();
  const int64_t version = options_.sqlite_version.value_or(sqlite::SqliteVersion());
  return {
      {options_.name, url_, false, version}, identity.id, identity.cluster, options_.replace_node, dry_run};
}

Result<void> Node::Register() {
  const auto membership = catalog_->RegisterNode(RegistrationOf(/*dry_run=*/false));
  if (membership)
    return folder_->NoteCluster(membership->cluster,
                                options_.join_url ? CatalogPlace::kElsewhere : CatalogPlace::kHere);
  const Error& why = membership.error();
  if (why.code == net::kSecretWrongCode) return Fail(ErrorKind::kRefused, why.code, why.message, why.action);
  if (!options_.join_url || IsRefusal(why)) return Fail(why);
  return Fail(ErrorKind::kUnavailable, "CLUSTER_UNREACHABLE",
              "no cluster answers at " + *options_.join_url + " (" + why.message + ")",
              "check --join, and that the first node runs");
}

// Before the address of the name is changed: does somebody answer by that name where it was? That is a node with
// a copy of this folder, or one that is to be replaced and lives. (Behind a forwarding address it may be this
// one, which says that it is starting.)
Result<void> Node::CheckNoTwin() {
  const catalog::Registration wanted = RegistrationOf(/*dry_run=*/true);
  const auto membership = catalog_->RegisterNode(wanted);
  if (membership && membership->sqlite > wanted.node.sqlite)
    log::warn(
        "this node has SQLite {} now and had {} before: what that has written it may not read, and tenants "
        "that "
        "have been on it do not move here",
        catalog::SqliteVersionText(wanted.node.sqlite), catalog::SqliteVersionText(membership->sqlite));
  if (!membership) return IsRefusal(membership.error()) ? Fail(membership.error()) : Result<void>();
  if (membership->url.empty() || membership->url == url_) return {};
  net::HttpRequest probe;
  probe.target = "/health";
  probe.idempotent = true;
  const auto answer =
      client_.Call(membership->url + "/health", std::move(probe), core_.Now() + limits::kNodeProbe);
  if (!answer || answer->status != 200 || answer->body != HealthText(options_.name)) return {};
  return Fail(ErrorKind::kRefused, "NODE_RUNS_ELSEWHERE",
              "a node " + options_.name + " runs at " + membership->url,
              "stop that one first, or give another --name");
}

// What needs the catalog and may wait for it.
void Node::RegisterAndTidy() {
  while (!stopping_) {
    const Result<void> registered = Register();
    if (registered) break;
    if (IsRefusal(registered.error())) {
      log::error("this node serves nothing any more: {}", Describe(registered.error()));
      refused_ = registered.error();
      return;
    }
    log::warn("the node is not registered yet: {}", Describe(registered.error()));
    runtime::SleepFor(limits::kReconnectPause);
  }
  if (stopping_) return;
  while (!stopping_) {
    const Result<void> looked = LookForLostTenants();
    if (looked) break;
    log::warn("which tenants are on this node is not compared with the catalog yet: {}",
              Describe(looked.error()));
    runtime::SleepFor(limits::kReconnectPause);
  }
  while (!stopping_) {
    const Result<void> cancelled = CancelForgottenMoves();
    if (cancelled) break;
    log::warn("moves of before the restart wait for the catalog: {}", Describe(cancelled.error()));
    runtime::SleepFor(limits::kReconnectPause);
  }
  moves_->AllowStarts();
  ResumeDrain();
}

// What the catalog says to be here and nobody here knows of: the folder was lost, or is an older one.
Result<void> Node::LookForLostTenants() {
  TW_TRY_ASSIGN(const auto records, catalog_->ListTenants());
  for (const catalog::TenantRecord& record : records)
    if (record.ownership.owner == options_.name) maker_->NoteIfLost(record.name);
  return {};
}

void Node::ResumeDrain() {
  while (!stopping_) {
    const auto nodes = catalog_->Nodes();
    if (!nodes) {
      runtime::SleepFor(limits::kReconnectPause);
      continue;
    }
    for (const catalog::NodeRecord& node : *nodes)
      if (node.name == options_.name && node.draining) drain_->Resume();
    return;
  }
}

pace::Pacer::Callbacks Node::CallbacksForPacer() {
  pace::Pacer::Callbacks callbacks;
  callbacks.moves = [this] {
    const auto sources = moves_->sources();
    return pace::Pacer::Moves(sources.begin(), sources.end());
  };
  callbacks.ask = [this](const NodeName& node, const pace::LatencyCall& call) -> Result<pace::EndLatency> {
    net::HttpRequest request;
    request.method = "POST";
    request.target = kLatencyPath;
    request.body = Encode(call);
    request.idempotent = true;
    TW_TRY_ASSIGN(const auto answer,
                  directory_->Call(node, std::move(request), core_.Now() + limits::kNodeProbe));
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
  callbacks.tenants = [this] { return tenants_->names(); };
  callbacks.bytes_of = [this](const TenantName& tenant) -> uint64_t {
    uint64_t bytes = 0;
    for (const char* suffix : {"", "-wal"}) {
      const auto file = core_.disk().Open(tenants_->PathOf(tenant) + suffix, runtime::OpenMode::kExisting);
      if (!file) continue;
      bytes += (*file)->Size().value_or(0);
    }
    return bytes;
  };
  callbacks.places = [this] { return balance::FetchPlaces(*member_, *forwarding_); };
  callbacks.record = [this](bool draining) { return catalog_->SetDraining(options_.name, draining); };
  callbacks.move_to_end = [this](const move::MoveRequest& request) { return moves_->RunToEnd(request); };
  callbacks.set_pace = [this](const TenantName& tenant, const move::Pace& pace) {
    for (const move::Receipt& receipt : moves_->LiveReceipts())
      if (receipt.tenant == tenant)
        if (auto set = moves_->SetPace(receipt.id, pace); !set)
          log::warn("the pace of move {} could not be set: {}", receipt.id, Describe(set.error()));
  };
  return callbacks;
}

// Moves of tenants that this node owns and knows nothing about: it crashed before the swap was sent
// (docs/move.md, step 1).
Result<void> Node::CancelForgottenMoves() {
  Result<std::vector<catalog::MoveRecord>> records = catalog_->ListLiveMoves();
  if (!records) return Fail(records.error());
  for (const catalog::MoveRecord& record : *records) {
    if (record.source != options_.name || record.state != catalog::MoveState::kForward) continue;
    if (moves_->IsMoving(record.tenant) || !tenants_->Has(record.tenant)) continue;
    move::Receipt receipt;
    receipt.id = record.id;
    receipt.tenant = record.tenant;
    receipt.source = record.source;
    receipt.destination = record.destination;
    receipt.epoch = record.epoch_before;
    receipt.phase = move::Phase::kCancelled;
    receipt.started_at = record.started_at_ms;
    receipt.ended_at = core_.UnixMilliseconds();
    receipt.error = "node " + options_.name + " ended before the hand-over; the tenant stayed there";
    auto set = catalog_->SetMoveState(record.id, catalog::MoveState::kForward, catalog::MoveState::kCancelled,
                                      move::ToJson(receipt));
    // Refused: somebody else has seen to it.
    if (!set && set.error().kind != ErrorKind::kRefused && set.error().kind != ErrorKind::kNotFound)
      return Fail(set.error());
  }
  return {};
}

Result<void> Node::Recover() {
  const std::map<TenantName, move::JournalEntry> entries = journal_->entries();
  for (const auto& [tenant, entry] : entries) {
    switch (entry.role) {
      case move::Role::kCreating:
      case move::Role::kDropping: maker_->Resume(entry); break;
      case move::Role::kOwned: tenants_->AddOwned(tenant, entry.epoch); break;
      case move::Role::kDeleting:
        TW_TRY(tenants_->RemoveFiles(tenant));
        TW_TRY(journal_->Erase(tenant));
        break;
      case move::Role::kSwapping:
      case move::Role::kDual:
      case move::Role::kReceiving:
      case move::Role::kReady:
      case move::Role::kFrozen:
      case move::Role::kOwner:
      case move::Role::kMismatch:
        // One damaged copy does not keep the others from being served.
        if (Result<void> resumed = moves_->Resume(entry); !resumed) {
          log::error("tenant {} is not served here: {}", tenant, Describe(resumed.error()));
          const Error& why = resumed.error();
          const bool missing = why.code == sqlite::kFileGoneCode || why.kind == ErrorKind::kNotFound;
          if (why.code == sqlite::kFileInUseCode)
            moves_->ResumeWhenFree(entry);
          else
            tenants_->AddUnserved(tenant, missing ? tenant::TenantFileMissing(tenant, why.message) : why);
          if (why.code != sqlite::kFileInUseCode) maker_->WatchStranded(entry);
        } else if (entry.role != move::Role::kSwapping && entry.role != move::Role::kDual) {
          maker_->WatchStranded(entry);  // A sender looks by itself.
        }
        break;
    }
  }
  return {};
}

// -- MoveHost

Result<std::unique_ptr<move::MoveChannel>> Node::OpenChannel(const NodeName& peer,
                                                             runtime::TimePoint deadline) {
  return links_->OpenChannel(peer, deadline);
}

void Node::Reached(move::Step step) {
  if (options_.trap.step == move::NameOf(step) && --options_.trap.times == 0) options_.trap.run();
}

move::Engine* Node::FindEngine(std::string_view name) {
  return name == zephyr_.name() ? &zephyr_ : nullptr;
}

void Node::Adopt(std::unique_ptr<tenant::HostedTenant> tenant, Epoch epoch,
                 std::function<void()> first_answer) {
  tenants_->Adopt(std::move(tenant), epoch, std::move(first_answer));
}

// -- Requests

void Node::AddRoutes() {
  routes_.Add({"GET", "/health", [this](const net::Call&) { return Health(); }, net::Route::Body::kAnything,
               net::Route::Needs::kNothing});
  routes_.Add(
      {"GET", "/metrics", [this](const net::Call&) { return Metrics(); }, net::Route::Body::kAnything});
  routes_.Add({"POST", std::string(kLatencyPath),
               [this](const net::Call& call) -> net::Answer {
                 TW_TRY_ASSIGN(const auto asked, pace::DecodeLatencyCall(call.request.body));
                 return net::HttpResponse::Json(200, pace::Encode(pace::ReadEnd(core_, sensor_, asked)));
               },
               net::Route::Body::kAnything});
  links_->AddRoutes(routes_);
  streams_->AddRoutes(routes_);
  gateway_->AddRoutes(routes_);
  admin_->AddRoutes(routes_);
}

std::optional<Error> Node::WhyNoNodesCall(const net::HttpRequest& request) const {
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

net::HttpResponse Node::Handle(const net::HttpRequest& request) {
  const auto refuse = [](const Error& why, int status) {
    net::HttpResponse refusal = net::ErrorResponse(why);
    refusal.status = status;
    return refusal;
  };
  if (!request.proven) {
    if (const auto known = strangers_->Check(request); !known) return refuse(known.error(), 403);
  }
  const net::Routes::Found found = routes_.Find(request);
  // What another node says is looked at only if it is known to be what that has sent.
  if (found.for_nodes || gateway::IsForwarded(request)) {
    if (const auto why = WhyNoNodesCall(request)) {
      net::HttpResponse refusal =
          refuse(*why, why->code == net::kSecretWrongCode ? 403 : net::StatusOf(*why));
      refusal.refuses_unsealed = true;
      return refusal;
    }
  }
  if (!found.route || found.route->needs == net::Route::Needs::kServing) {
    if (!serving_)
      return net::ErrorResponse(Error{ErrorKind::kUnavailable, "NODE_STARTING",
                                      "node " + options_.name + " is starting", "try again"});
    if (refused_) return net::ErrorResponse(*refused_);
  }
  if (!found.route) return net::Routes::Refusal(request, found);
  if (const auto readable = net::Routes::CheckBody(*found.route, request); !readable)
    return refuse(readable.error(), 415);
  net::Answer answer = found.route->run({request, found.name});
  return answer ? *std::move(answer) : net::ErrorResponse(answer.error());
}

net::Answer Node::Health() const {
  if (refused_) return Fail(*refused_);
  if (serving_ && !stopping_) return net::HttpResponse::Json(200, HealthText(options_.name));
  return net::HttpResponse::Json(503, stopping_ ? R"({"status":"draining"})" : R"({"status":"starting"})");
}

net::Answer Node::Metrics() const {
  std::vector<net::MetricSample> samples = gateway_->Metrics();
  for (auto& more : {admin::TurnMetrics(core_), admin::TenantMetrics(*tenants_, core_),
                     admin::MoveMetrics(moves_->LiveReceipts()), admin::DrainMetrics(drain_->progress()),
                     admin::PaceMetrics(sensor_.Read(), pacer_->bucket().rate(), pacer_->worst_ratio()),
                     admin::MemoryMetrics()})
    samples.insert(samples.end(), more.begin(), more.end());
  net::HttpResponse response = net::HttpResponse::Text(200, net::RenderMetrics(samples));
  response.headers.Set("Content-Type", "text/plain; version=0.0.4");
  return response;
}

void Node::Stop(runtime::TimePoint drain_until) {
  if (server_) server_->Drain(drain_until);
  stopping_ = true;
  // From here on nothing waits for another node, nor for a client.
  if (tenants_) tenants_->StopWaits();
  if (moves_) moves_->StopWaits();
  if (transfers_) transfers_->BeginStop();
  if (streams_) streams_->Stop();
  client_.Close();
  if (gateway_) gateway_->Stop();
  if (drain_) drain_->Stop();
  if (pacer_) pacer_->Stop();
  if (links_) links_->Close();
  if (moves_) moves_->Stop();
  if (drain_) drain_->Join();
  if (maker_) maker_->Join();
  if (pacer_) pacer_->Join();
  if (transfers_) transfers_->Stop();
  if (server_) server_->Stop();
  if (links_) links_->Join();
  fibers_.Join();
  if (removed_) removed_->Stop();
  if (tenants_) tenants_->CloseAll();
  if (journal_) journal_->Close();
  if (embedded_) static_cast<catalog::EmbeddedCatalog*>(embedded_)->Close();
}

}  // namespace tradewind::node
