// The links (move/peer_link.h) of a core of this node: one to each core of another node that its tenants move to, opened
// when the first move wants it, and those that other nodes have opened to this core. A link is two connections, each an
// HTTP upgrade; the query of its address says which link, which lane and which core it is for, so that both lanes end
// where the tenant is, and pages do not cross cores. Which core that is the other node is asked first (core_answer.h).
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
#include "move/core_answer.h"
#include "move/peer_link.h"
#include "net/http.h"
#include "net/http_client.h"
#include "runtime/fiber.h"

namespace tradewind::move {

class PeerLinks {
 public:
  // `on_opened` runs in a fiber of its own for each channel that another node opens.
  PeerLinks(runtime::Core& core, catalog::Directory& directory, net::HttpClient& client,
            PeerLink::OnOpened on_opened);
  ~PeerLinks();  // Requires: Stop() has returned.

  // A new channel to the core of another node that has the tenant, or will. Fails with NODE_NOT_FOUND,
  // NODE_UNREACHABLE, UPGRADE_REFUSED. Suspends.
  Result<std::unique_ptr<MoveChannel>> OpenChannel(const NodeName& peer, const TenantName& tenant,
                                                   runtime::TimePoint deadline);

  // Answers a request of another node for a lane of a link to this core.
  net::Answer Accept(const net::HttpRequest& request);

  // Ends all links, so that every channel ends. Does not suspend.
  void Close();
  // Suspends until no fiber of a link runs. Requires: Close() was called, and no channel is in use.
  void Join();

 private:
  using Link = std::shared_ptr<PeerLink>;
  struct End {
    NodeName node;
    size_t core;
    auto operator<=>(const End&) const = default;
  };

  Result<CoreAnswer> AskCore(const NodeName& peer, const TenantName& tenant, runtime::TimePoint deadline);
  Result<Link> LinkTo(const End& end, runtime::TimePoint deadline);
  Result<Link> Connect(const End& end, runtime::TimePoint deadline);
  void ServeIncoming(const std::string& id, Urgency lane, net::UpgradedConnection upgraded);

  runtime::Core& core_;
  catalog::Directory& directory_;
  net::HttpClient& client_;
  const PeerLink::OnOpened on_opened_;
  std::map<End, Link> outgoing_;
  std::set<End> opening_;          // Links that are being opened.
  std::map<NodeName, Link> sole_;  // Of those, to nodes that had one core when they were asked.
  runtime::WaitQueue opened_;
  std::map<std::string, Link> incoming_;
  std::map<std::string, int> incoming_lanes_;  // Connections of each that are being read.
  bool closed_ = false;
  runtime::WaitQueue lane_ended_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::move
