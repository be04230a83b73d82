// The account of a new tenant: its owner's, who has all of the databases TENANT and TENANT_…, and of those that an import has
// brought, and nothing of the server.
//
// Not more, since some privileges would undo what the node holds up: SUPER and READ_ONLY ADMIN write to a server that is
// read-only (I1), FILE reads what the node's user can read, CREATE USER and rights to the database mysql lead to the
// node's own account.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "mariadb/hosted_instance.h"
#include "mysql/server_connection.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

struct TenantAccount {
  std::string user;
  std::string password;  // Kept nowhere.
  std::string database;
};

// Each once the server answers and, unless the catalog is away, takes writes, as a visit: a move waits for its end, and it
// waits for a hand-over's. The errors of AwaitServer(), Visit::Begin() and ServerConnection. Suspends.
//
// Makes the database and the account, anew if there is one of that name.
Result<TenantAccount> MakeAccount(runtime::Core& core, HostedInstance& instance, runtime::TimePoint deadline);
// Gives the account another password; sessions that have begun go on. It is made before, and so is the database, where they
// are missing: of a tenant whose node ended before it had made them, or by an import.
Result<TenantAccount> ResetPassword(runtime::Core& core, HostedInstance& instance,
                                    runtime::TimePoint deadline);

// Asks a server as its control account. Suspends.
using Ask = std::function<Result<mysql::ServerAnswer>(std::string_view sql)>;
// All but those of the server itself. The errors of `ask`.
Result<std::vector<std::string>> DatabasesOf(const Ask& ask);
// GRANT on one database to an account, which is quoted already.
std::string GrantOf(std::string_view database, std::string_view account,
                    std::string_view privileges = "ALL PRIVILEGES");

}  // namespace tradewind::mariadb
