// A moment from which on nothing changes in an instance, whoever is connected to it.
//
//   read_only = 1                  nobody writes any more but who may do so nevertheless (READ_ONLY ADMIN); it waits for
//                                  statements that write, and would keep all others from writing meanwhile: so it does not
//                                  wait here, but is tried again and again
//   BACKUP STAGE BLOCK_COMMIT      and those do not commit; held by a connection, so it ends with this process
//
// A transaction that is open and idle is in nobody's way; its commit waits, and is refused in the end. Whoever
// holds LOCK TABLES, a long statement that writes, or ALTER TABLE, is in the way: then nothing is frozen, and nobody has
// waited for longer than limits::kFreezeStep.
//
// Never the other way round: commits that BLOCK_COMMIT holds back happen when it ends, so read_only has to be there before.
//
// One core only. Each call suspends.
#pragma once

#include "base/result.h"
#include "mariadb/instance.h"
#include "mariadb/kept_connection.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

class Freeze {
 public:
  Freeze(runtime::Core& core, Instance& instance)
      : core_(core), control_(core, instance), stage_(core, instance) {}

  // Has its connections open, so that the freeze takes no login.
  Result<void> MakeReady(runtime::TimePoint deadline);
  // FREEZE_BLOCKED (kUnavailable), with who is in the way as far as that can be seen; it is thawed then, as after any error.
  Result<void> Begin(runtime::TimePoint deadline);
  // It is only read-only any more, until somebody makes it writable (Instance::MakeWritable).
  void Thaw(runtime::TimePoint deadline);
  // It stays read-only. Who waits to commit nevertheless is ended, and has not committed.
  Result<void> EndReadOnly(runtime::TimePoint deadline);

 private:
  Result<void> TryOnce(runtime::TimePoint deadline);
  std::string WhoIsInTheWay(runtime::TimePoint deadline);

  runtime::Core& core_;
  KeptConnection control_;
  KeptConnection stage_;
};

}  // namespace tradewind::mariadb
