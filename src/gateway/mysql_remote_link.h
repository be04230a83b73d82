// A link to a server through the owner of its tenant, another node or another core of this one: on a connection that has
// left HTTP (mysql_frames.h).
//
// This core only.
#pragma once

#include <memory>

#include "base/result.h"
#include "gateway/mysql_link.h"
#include "net/http.h"
#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::gateway {

// Logs in over the connection. `fibers` outlives the link by the time that one of them needs to end. The observer
// outlives the link. Suspends. The owner's error, or that of the connection.
Result<mysql::OrRefused<MysqlOpened>> OpenRemoteLink(runtime::TaskGroup& fibers,
                                                     net::UpgradedConnection upgraded,
                                                     const MysqlLinkCall& call, MysqlLinkObserver& observer,
                                                     runtime::TimePoint deadline);

}  // namespace tradewind::gateway
