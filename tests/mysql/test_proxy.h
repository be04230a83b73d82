// A proxy as small as the rooms it proves allow: it logs its clients in itself, relays their requests and the answers in
// pieces, and moves their sessions to the other of two servers whenever they stand at a boundary. What the real one does
// beyond that (holding back, draining, pacing, limits) is not here.
//
// The servers replicate from each other, and a session that moves waits until the other server has what its own had.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "mysql/answer.h"
#include "mysql/login_exchange.h"
#include "mysql/server_connection.h"
#include "mysql/session_snapshot.h"
#include "mysql/session_state.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "runtime/network.h"
#include "tests/mysql/mariadb_server.h"

namespace tradewind::tests {

class TestProxy {
 public:
  TestProxy(runtime::Core& core, const MariaDbServer& first, const MariaDbServer& second);
  ~TestProxy();  // Stops.

  const runtime::Address& address() const { return address_; }
  // Suspends until its clients have gone.
  void Stop();
  // A session moves at every boundary from now on, or at none.
  void SetMoving(bool moving) { moving_ = moving; }

  struct Counts {
    uint64_t requests = 0;
    uint64_t moves = 0;
    uint64_t kept_by_transaction = 0;
    uint64_t kept_by_tie = 0;
    uint64_t asked_for_status = 0;
    uint64_t failures = 0;  // Of moves and of relaying: none is expected.
    std::set<mysql::Tie> ties = {};
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Session;
  void Serve(std::unique_ptr<runtime::Connection> client);
  Result<void> LogClientIn(Session& session);
  Result<void> RelayRequests(Session& session);
  Result<void> RelayRequest(Session& session, bool& goes_on);
  Result<void> RelayAnswer(Session& session, mysql::Request& request);
  Result<void> ChangeUser(Session& session, mysql::Request& request);
  Result<void> MoveIfPossible(Session& session);
  Result<void> Move(Session& session, const mysql::SessionSnapshot& snapshot);
  Result<void> Failed(const Error& error);

  runtime::Core& core_;
  const MariaDbServer* servers_[2];
  std::unique_ptr<runtime::Listener> listener_;
  runtime::Address address_;
  runtime::TaskGroup clients_;
  bool moving_ = true;
  Counts counts_;
};

}  // namespace tradewind::tests
