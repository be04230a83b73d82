#include "move/peer_links.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "runtime/random_id.h"

namespace tradewind::move {

namespace {

constexpr std::string_view kProtocol = "tradewind-move/3";
constexpr std::string_view kLinkPath = "/v1/internal/moves/link";
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

Result<std::unique_ptr<MoveChannel>> PeerLinks::OpenChannel(const NodeName& peer,
                                                            runtime::TimePoint deadline) {
  core_.AssertHere();
  TW_TRY_ASSIGN(const Link link, LinkTo(peer, deadline));
  return link->Open();
}

// One link to a node however many moves want it at once.
Result<PeerLinks::Link> PeerLinks::LinkTo(const NodeName& peer, runtime::TimePoint deadline) {
  while (true) {
    if (closed_) return Fail(ErrorKind::kUnavailable, "STOPPING", "the node is ending");
    if (const auto found = outgoing_.find(peer); found != outgoing_.end() && !found->second->lost())
      return found->second;
    if (opening_.insert(peer).second) break;
    if (!opened_.WaitUntil(deadline))
      return Fail(ErrorKind::kTimeout, "NODE_SILENT", "no peer link to node " + peer + " came up in time");
  }
  Result<Link> link = Connect(peer, deadline);
  opening_.erase(peer);
  opened_.NotifyAll();
  if (!link) return link;
  if (closed_) (*link)->Close();
  // The link before this one is lost; its fibers end by themselves.
  if (const Link old = std::exchange(outgoing_[peer], *link))
    fibers_.Spawn("end of a peer link", [old] { old->Join(); });
  return link;
}

Result<PeerLinks::Link> PeerLinks::Connect(const NodeName& peer, runtime::TimePoint deadline) {
  const std::string id = runtime::RandomId(core_);
  std::vector<net::UpgradedConnection> lanes;
  for (const std::string_view lane : kLanes) {
    TW_TRY_ASSIGN(const std::string url, directory_.UrlOf(peer));
    auto upgraded =
        client_.Upgrade(fmt::format("{}{}?id={}&lane={}", url, kLinkPath, id, lane), kProtocol, deadline);
    if (!upgraded) {
      if (upgraded.error().code == "NODE_UNREACHABLE") directory_.Forget(peer);
      return Fail(std::move(upgraded).error());
    }
    lanes.push_back(std::move(*upgraded));
  }
  auto link = std::make_shared<PeerLink>(core_);
  for (size_t lane = 0; lane < lanes.size(); ++lane) {
    auto carried = std::make_shared<net::UpgradedConnection>(std::move(lanes[lane]));
    fibers_.Spawn("peer link to " + peer, [link, lane, carried] {
      link->Serve(static_cast<Urgency>(lane), std::move(carried->connection),
                  std::move(carried->already_read));
    });
  }
  return link;
}

// -- From other nodes

void PeerLinks::AddRoutes(net::Routes& routes) {
  routes.Add({"GET", std::string(kLinkPath), [this](const net::Call& call) { return Accept(call.request); },
              net::Route::Body::kAnything});
}

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
  for (const auto& [peer, link] : outgoing_) link->Close();
  for (const auto& [id, link] : incoming_) link->Close();
}

void PeerLinks::Join() {
  for (const auto& [peer, link] : outgoing_) link->Join();
  WaitFor(lane_ended_, [&] { return incoming_.empty(); });
  fibers_.Join();
  outgoing_.clear();
}

}  // namespace tradewind::move
