// Transactions like those of sysbench's oltp_read_write, at a tenant of MariaDB: what moves of such tenants are measured
// under. One transaction is one request of the load: ten look-ups, four ranges of a hundred rows, two updates, a row that is
// deleted and made again. Sessions are kept, and taken in turn at each of the addresses; none is opened again: a session that
// ends is a request that failed, and the ones behind it take another.
//
// One core only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "load/workload.h"
#include "runtime/core.h"
#include "runtime/network.h"

namespace tradewind::load {

struct MysqlTarget {
  std::vector<runtime::Address> servers;  // Where nodes speak MySQL's protocol. At least one.
  std::string user;
  std::string password;
  std::string database;
};

// "oltp". Of a tenant; the clients that it is given are not used.
std::unique_ptr<Workload> MakeOltp(runtime::Core& core, const WorkloadOptions& options, MysqlTarget target);

}  // namespace tradewind::load
