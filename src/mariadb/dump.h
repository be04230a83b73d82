// The SQL of a tenant, as mariadb-dump writes it: what all its databases held at one moment, while it is in use. Tables of
// InnoDB, that is: others are as they are when their turn comes.
//
// A dump of a tenant whose only database has the tenant's name does not say that name, so that it can become another tenant's;
// one of several databases says theirs.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "mariadb/hosted_instance.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

// Into a file of this node, which must not be there; after an error it may be. A tenant that is closed meanwhile ends it; a
// move that hands it over waits at its end for it. Suspends. The errors of AwaitAnswer() and of FindDumpProgram();
// EXPORT_FAILED (kUnavailable) with what the program said; what `keep_going` says, which is asked now and then.
Result<void> DumpTo(runtime::Core& core, HostedInstance& instance, const std::string& path,
                    const std::function<Result<void>()>& keep_going);

}  // namespace tradewind::mariadb
