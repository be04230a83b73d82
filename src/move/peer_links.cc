#include "move/peer_links.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "net/api_error.h"
#include "runtime/random_id.h"

namespace tradewind::move {

namespace {

constexpr std::string_view kProtocol = "tradewind-move/3";
constexpr std::array<std::string_view, 2> kLanes = {"urgent", "bulk"};  // In the order of Urgency.

std::string QueryText(const net::HttpRequest& request, std::string_view name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : std::string(found->second);
}

}  // namespace

PeerLinks::PeerLinks(runtime::Core& core, catalog::Directory& directory, net::HttpClient& client,
                     PeerLink::OnOpened on_opened)
    : core_(core), directory_(directory), client_(client), on_opened_(std::move(on_opened)), fibers_(core) {}

PeerLinks::~PeerLinks() = default;

// -- To other nodes

Result<std::unique_ptr<MoveChannel>> PeerLinks::OpenChannel(const NodeName& peer, const TenantName& tenant,
                                                            runtime::TimePoint deadline) {
  core_.AssertHere();
  // As long as a link to it lives it is the same process.
  if (const auto sole = sole_.find(peer); sole != sole_.end()) {
    if (!sole->second->lost()) return sole->second->Open();
    sole_.erase(sole);
  }
  TW_TRY_ASSIGN(const CoreAnswer answer, AskCore(peer, tenant, deadline));
  TW_TRY_ASSIGN(const Link link, LinkTo({peer, answer.core}, deadline));
  if (answer.cores == 1) sole_[peer] = link;
  return link->Open();
}

Result<CoreAnswer> PeerLinks::AskCore(const NodeName& peer, const TenantName& tenant,
                                      runtime::TimePoint deadline) {
  net::HttpRequest request;
  request.method = "POST";
  request.target = kCorePath;
  request.body = tenant;
  request.idempotent = true;
  TW_TRY_ASSIGN(const auto answer, directory_.Call(peer, std::move(request), deadline));
  if (answer.status == 404) return CoreAnswer{};  // Of a version in which a node is one core.
  if (answer.status != 200) return Fail(net::ParseErrorResponse(answer));
  return DecodeCoreAnswer(answer.body);
}

// One link to a core of a node however many moves want it at once.
Result<PeerLinks::Link> PeerLinks::LinkTo(const End& end, runtime::TimePoint deadline) {
  while (true) {
    if (closed_) return Fail(ErrorKind::kUnavailable, "STOPPING", "the node is ending");
    if (const auto found = outgoing_.find(end); found != outgoing_.end() && !found->second->lost())
      return found->second;
    if (opening_.insert(end).second) break;
    if (!opened_.WaitUntil(deadline))
      return Fail(ErrorKind::kTimeout, "NODE_SILENT",
                  "no peer link to node " + end.node + " came up in time");
  }
  Result<Link> link = Connect(end, deadline);
  opening_.erase(end);
  opened_.NotifyAll();
  if (!link) return link;
  if (closed_) (*link)->Close();
  // The link before this one is lost; its fibers end by themselves.
  if (const Link old = std::exchange(outgoing_[end], *link))
    fibers_.Spawn("end of a peer link", [old] { old->Join(); });
  return link;
}

Result<PeerLinks::Link> PeerLinks::Connect(const End& end, runtime::TimePoint deadline) {
  const std::string id = runtime::RandomId(core_);
  std::vector<net::UpgradedConnection> lanes;
  for (const std::string_view lane : kLanes) {
    TW_TRY_ASSIGN(const std::string url, directory_.UrlOf(end.node));
    auto upgraded = client_.Upgrade(
        fmt::format("{}{}?id={}&lane={}&core={}", url, kLinkPath, id, lane, end.core), kProtocol, deadline);
    if (!upgraded) {
      if (upgraded.error().code == "NODE_UNREACHABLE") directory_.Forget(end.node);
      return Fail(std::move(upgraded).error());
    }
    lanes.push_back(std::move(*upgraded));
  }
  auto link = std::make_shared<PeerLink>(core_);
  for (size_t lane = 0; lane < lanes.size(); ++lane) {
    auto carried = std::make_shared<net::UpgradedConnection>(std::move(lanes[lane]));
    fibers_.Spawn("peer link to " + end.node, [link, lane, carried] {
      link->Serve(static_cast<Urgency>(lane), std::move(carried->connection),
                  std::move(carried->already_read));
    });
  }
  return link;
}

// -- From other nodes

net::Answer PeerLinks::Accept(const net::HttpRequest& request) {
  core_.AssertHere();
  const std::string id = QueryText(request, "id");
  const std::string lane = QueryText(request, "lane");
  if (!runtime::IsRandomId(id) || (lane != kLanes[0] && lane != kLanes[1]))
    return Fail(ErrorKind::kInvalid, "LINK_INVALID", "a peer link needs an id and a lane",
                "run the same version of tradewind on both nodes");
  const Urgency kind = lane == kLanes[0] ? Urgency::kUrgent : Urgency::kBulk;
  if (const auto found = incoming_.find(id); found != incoming_.end() && found->second->has_lane(kind))
    return Fail(ErrorKind::kRefused, "LINK_IN_USE", "the peer link has this lane already", "open a new link");
  net::HttpResponse response;
  response.upgrade = net::Upgrade{std::string(kProtocol), [this, id, kind](net::UpgradedConnection upgraded) {
                                    ServeIncoming(id, kind, std::move(upgraded));
                                  }};
  return response;
}

void PeerLinks::ServeIncoming(const std::string& id, Urgency lane, net::UpgradedConnection upgraded) {
  core_.AssertHere();
  if (closed_) return;
  Link& entry = incoming_[id];
  if (!entry) entry = std::make_shared<PeerLink>(core_, on_opened_);
  const Link link = entry;
  ++incoming_lanes_[id];
  link->Serve(lane, std::move(upgraded.connection), std::move(upgraded.already_read));
  if (--incoming_lanes_[id] == 0) {
    incoming_lanes_.erase(id);
    link->Join();
    incoming_.erase(id);
  }
  lane_ended_.NotifyAll();
}

// -- End

void PeerLinks::Close() {
  closed_ = true;
  for (const auto& [end, link] : outgoing_) link->Close();
  for (const auto& [id, link] : incoming_) link->Close();
}

void PeerLinks::Join() {
  for (const auto& [end, link] : outgoing_) link->Join();
  WaitFor(lane_ended_, [&] { return incoming_.empty(); });
  fibers_.Join();
  sole_.clear();
  outgoing_.clear();
}

}  // namespace tradewind::move
