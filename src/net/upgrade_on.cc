#include "net/upgrade_on.h"

#include <utility>

#include "base/log.h"
#include "runtime/call_on.h"
#include "runtime/detached_connection.h"

namespace tradewind::net {

void RunUpgradeOn(runtime::Core& core, HttpResponse& response) {
  response.upgrade->run = [&core, run = std::move(response.upgrade->run)](UpgradedConnection upgraded) {
    if (core.IsHere()) return run(std::move(upgraded));
    const auto detached = runtime::Detach(std::move(upgraded.connection));
    if (!detached) return;
    runtime::CallOn(core, [&] {
      auto connection = detached->Attach(core);
      if (connection) return run({*std::move(connection), std::move(upgraded.already_read)});
      log::warn("a connection of another node is lost: {}", Describe(connection.error()));
    });
  };
}

}  // namespace tradewind::net
