// Connections that go from one core of a node to another: one listener deals them to all cores, and one whose requests
// keep asking for another core's tenants goes there. Nothing that the peer has sent is lost by it.
#pragma once

#include <memory>

#include "base/result.h"
#include "runtime/network.h"

namespace tradewind::runtime {

// No core has it: any thread may own it. It closes when it goes away, unless it was attached.
class DetachedConnection {
 public:
  virtual ~DetachedConnection() = default;
  // Makes it a connection of `core`, which is the caller's, without deadlines. Once. Fails, and has closed it, with
  // kIo when the system does not let the core wait for it.
  virtual Result<std::unique_ptr<Connection>> Attach(Core& core) = 0;
};

// What a network's connections are beside Connection, if they can be detached.
class Detachable {
 public:
  virtual ~Detachable() = default;
  // What is left is closed, as by Close().
  virtual std::unique_ptr<DetachedConnection> Detach() = 0;
};

// Takes the connection from its core, which is the caller's; what came and was not read comes along. Null, and closed,
// if it was closed already. Requires: no call in progress, and a connection of a Network. Does not suspend.
std::unique_ptr<DetachedConnection> Detach(std::unique_ptr<Connection> connection);
// The same; what is left of the connection is closed.
std::unique_ptr<DetachedConnection> Detach(Connection& connection);

}  // namespace tradewind::runtime
