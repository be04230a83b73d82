// An import of a backup (import.h): the stream of `mariadb-backup --backup --stream=mbstream` of somebody's server, of this
// node's version of MariaDB.
//
// It brings that server's accounts along, with their passwords. Of their privileges, those on databases stay; those on
// the server go (imported_accounts.h) before any client could use them.
#pragma once

#include <memory>

#include "mariadb/import.h"
#include "mariadb/programs.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

// One whose Start() has the errors of FindBackupPrograms(), InstanceFolder and Unpacking.
std::unique_ptr<Import> NewBackupImport(runtime::Core& core, const ServerPrograms& programs,
                                        Import::Options options);

}  // namespace tradewind::mariadb
