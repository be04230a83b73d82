#include "runtime/network.h"

#include "base/check.h"
#include "runtime/detached_connection.h"

namespace tradewind::runtime {

std::string Address::ToString() const {
  const bool needs_brackets = host.find(':') != std::string::npos;
  return (needs_brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::unique_ptr<DetachedConnection> Detach(std::unique_ptr<Connection> connection) {
  return Detach(*connection);
}

std::unique_ptr<DetachedConnection> Detach(Connection& connection) {
  auto* const detachable = dynamic_cast<Detachable*>(&connection);
  TW_CHECK(detachable, "only a connection of a network goes from core to core");
  return detachable->Detach();
}

}  // namespace tradewind::runtime
