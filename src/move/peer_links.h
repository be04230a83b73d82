// The links (move/peer_link.h) of this node: one to each node that its tenants move to, opened when the
// first move wants it, and those that other nodes have opened to this one. A link is two connections, each an
// HTTP upgrade; the query of its address says which link and which lane it is for.
//
// This core only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/directory.h"
#include "move/peer_link.h"
#include "net/http.h"
#include "net/http_client.h"
#include "net/routes.h"
#include "runtime/fiber.h"

namespace tradewind::move {

class PeerLinks {
 public:
  // `on_opened` runs in a fiber of its own for each channel that another node opens.
  PeerLinks(runtime::Core& core, catalog::Directory& directory, net::HttpClient& client,
            PeerLink::OnOpened on_opened);
  ~PeerLinks();  // Requires: Stop() has returned.

  // A new channel to another node. Fails with NODE_NOT_FOUND, NODE_UNREACHABLE, UPGRADE_REFUSED. Suspends.
  Result<std::unique_ptr<MoveChannel>> OpenChannel(const NodeName& peer, runtime::TimePoint deadline);

  // Adds the address at which another node opens a lane of a link here.
  void AddRoutes(net::Routes& routes);

  // Ends all links, so that every channel ends. Does not suspend.
  void Close();
  // Suspends until no fiber of a link runs. Requires: Close() was called, and no channel is in use.
  void Join();

 private:
  using Link = std::shared_ptr<PeerLink>;

  net::Answer Accept(const net::HttpRequest& request);
  Result<Link> LinkTo(const NodeName& peer, runtime::TimePoint deadline);
  Result<Link> Connect(const NodeName& peer, runtime::TimePoint deadline);
  void ServeIncoming(const std::string& id, Urgency lane, net::UpgradedConnection upgraded);

  runtime::Core& core_;
  catalog::Directory& directory_;
  net::HttpClient& client_;
  const PeerLink::OnOpened on_opened_;
  std::map<NodeName, Link> outgoing_;
  std::set<NodeName> opening_;  // Links that are being opened.
  runtime::WaitQueue opened_;
  std::map<std::string, Link> incoming_;
  std::map<std::string, int> incoming_lanes_;  // Connections of each that are being read.
  bool closed_ = false;
  runtime::WaitQueue lane_ended_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::move
