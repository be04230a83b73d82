// The server of an instance, as whoever hosts it sees it: mariadbd (instance.h), or one of a simulation.
//
// It is read-only when it begins to answer, also when it does so again after it has died.
//
// One core only. What is no look at it suspends, but for PassTo().
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "mysql/server_connection.h"
#include "runtime/core.h"
#include "runtime/network.h"

namespace tradewind::mariadb {

class Server {
 public:
  virtual ~Server() = default;  // Requires: it was ended.

  // A start that comes between makes it read-only again.
  // To be read-only waits for statements that write, and keeps others from writing meanwhile: until the deadline, to the
  // second above, then MYSQL_1205, and it is as it was.
  virtual Result<void> MakeWritable(runtime::TimePoint deadline) = 0;
  virtual Result<void> MakeReadOnly(runtime::TimePoint deadline) = 0;
  // As the control account, in a session of its own. INSTANCE_DOWN (kUnavailable) while no server answers; else as
  // mysql::ServerConnection.
  virtual Result<mysql::ServerAnswer> Query(std::string_view sql, runtime::TimePoint deadline) = 0;
  // Roughly, of its tables, logs and the like.
  virtual uint64_t DataBytes() = 0;
  virtual bool answers() const = 0;  // As far as is known.
  // Where clients log in; another one perhaps after each start.
  virtual const runtime::Address& address() const = 0;

  // Asks the server to end, and kills it at the deadline: it recovers then at the next start, which takes longer, and nothing
  // that was acknowledged is lost. Suspends until it is gone.
  enum class Ended { kCleanly, kKilled };
  virtual Ended Stop(runtime::TimePoint deadline) = 0;
  // Somebody else has it from now on, with hooks of their own (InstanceOptions). Does not suspend.
  virtual void PassTo(std::function<void()> on_restart, std::function<bool()> given_up) = 0;
};

}  // namespace tradewind::mariadb
