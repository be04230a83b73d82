// The accounts of an instance that was made of what came from elsewhere: what its databases need of them, and nothing of the
// server (tenant_account.h says why).
//
// Asked over a connection that may do everything, while nobody else uses the server. Each suspends, and fails with what
// ServerConnection does.
#pragma once

#include <string>

#include "base/result.h"
#include "mysql/server_connection.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

// Definers without an account get one that is locked, and has the databases. IMPORT_DEFINER_RESERVED (kInvalid).
Result<void> SettleDefiners(mysql::ServerConnection& control, runtime::TimePoint deadline);

// For a server in bootstrap mode (mariadbd --bootstrap): takes every privilege on the server and on its own databases
// away, and what is not the tenant's: plugins, accounts of a node, the history of what it followed.
std::string TakeServerPrivileges();
// After that: who could read or write everything can do so with each database. `deadline` is of each statement.
Result<void> GiveDatabasePrivileges(mysql::ServerConnection& control, runtime::TimePoint deadline);

}  // namespace tradewind::mariadb
