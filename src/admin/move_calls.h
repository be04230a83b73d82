// Calls about a move, at the node that runs it: the source, or, once the move has been reversed, the
// destination, which then sends the tenant back. Whoever is asked finds that node by the catalog.
//
// This core only.
#pragma once

#include <functional>
#include <string>

#include "base/ids.h"
#include "catalog/catalog.h"
#include "catalog/member.h"
#include "gateway/forwarding.h"
#include "gateway/node_tenants.h"
#include "net/http.h"
#include "runtime/core.h"

namespace tradewind::admin {

// The node that sends the pages of a move, by what the catalog says of it.
const NodeName& SenderOf(const catalog::MoveRecord& record);

// Asks the sender of a move, by the newest record that `look` returns. An answer with the code
// MOVE_OWNED_BY_DESTINATION, or a source that cannot be reached, leads to the destination; MOVE_SWAPPING and
// MOVE_NOT_HERE (the move has just ended, or its node has just been restarted) to another try, until the
// deadline. Fails with MOVE_OVER (kRefused), and as `look` and `ask` do. Suspends.
net::Answer AskSender(runtime::Core& core, const MoveId& id,
                      const std::function<Result<catalog::MoveRecord>()>& look,
                      const std::function<net::Answer(const NodeName&)>& ask, runtime::TimePoint deadline);

class MoveCalls {
 public:
  MoveCalls(const catalog::Member& member, gateway::NodeTenants& tenants, gateway::Forwarding& forwarding)
      : member_(member), tenants_(tenants), forwarding_(forwarding) {}

  // Each answers the call of the admin API with a receipt (the list: with all of them). Suspends.
  net::Answer Show(const net::HttpRequest& request, const MoveId& id);
  net::Answer List();
  net::Answer Cancel(const net::HttpRequest& request, const MoveId& id);
  net::Answer Set(const net::HttpRequest& request, const MoveId& id);

 private:
  // Carries out `here` at the node that sends the pages of the move.
  net::Answer AtSender(const net::HttpRequest& request, const MoveId& id,
                       const std::function<net::Answer()>& here);
  // The newest receipt of a move that can be had. `sender_is_away` (may be set already) says that its sender
  // does not answer, for the next ones. Suspends.
  std::string ReceiptNow(const catalog::MoveRecord& record, bool& sender_is_away);

  const catalog::Member& member_;
  gateway::NodeTenants& tenants_;
  gateway::Forwarding& forwarding_;
};

}  // namespace tradewind::admin
