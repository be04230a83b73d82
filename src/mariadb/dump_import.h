// An import of a dump (import.h). It is text of a stranger, which the program `mariadb` sends to a server that runs for this
// alone:
//
//   - by an account that may do everything to databases and nothing to the server or to mysql, where accounts are
//   - while no account is there that may do more: what names one as its definer runs as nobody
//   - by a program that obeys no words of its own in the text (--binary-mode, --sandbox)
//   - without a binary log or a sync of each commit: it is whole at its end, or nothing
#pragma once

#include <memory>

#include "mariadb/import.h"
#include "mariadb/programs.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

// One whose Start() has the errors of FindClientProgram(), InstanceFolder and Instance.
std::unique_ptr<Import> NewDumpImport(runtime::Core& core, const ServerPrograms& programs,
                                      Import::Options options);

}  // namespace tradewind::mariadb
