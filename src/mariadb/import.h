// An instance that is made of what somebody brings from elsewhere, in pieces: the SQL of mariadb-dump, or the stream of
// mariadb-backup.
//
// It is made in a folder of its own, as whole as an instance that was stopped cleanly (instance_folder.h); its node gives it
// its name and its place then. Until that nobody can reach it as a tenant, and after an error, or a crash, it is of no worth.
//
// Whoever is named as the definer of a view, a routine, a trigger or an event and has no account gets one that is locked, and
// has the databases: without one the view would fail.
//
// What runs is killed with this process. One core only.
#pragma once

#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "mariadb/programs.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

class Import {
 public:
  struct Options {
    std::string folder;     // Nothing is there.
    std::string templates;  // As InstanceFiles has them.
    TenantName tenant;      // Its database is what a dump goes to that names none.
  };

  // By the beginning of what will be written, which it does not take. Suspends. IMPORT_FORMAT_UNKNOWN (kInvalid); the errors
  // of FindClientProgram(), FindBackupPrograms(), InstanceFolder and Instance.
  static Result<std::unique_ptr<Import>> Begin(runtime::Core& core, const ServerPrograms& programs,
                                               Options options, Bytes beginning);
  virtual ~Import() = default;  // Requires: Finish() has succeeded, or End() has returned.

  // Suspends until most of it was taken. DUMP_FAILED (kInvalid): the server refused something; with its words.
  // UNPACKING_FAILED (kIo).
  virtual Result<void> Write(Bytes bytes) = 0;
  // Nothing more comes. Suspends until the instance is whole and durable, and nothing runs in it. The same; DUMP_TORN and
  // BACKUP_TORN (kInvalid): its end is missing; IMPORT_DEFINER_RESERVED (kInvalid); MARIADB_VERSIONS_DIFFER (kRefused) of
  // a backup; IMPORT_GIVEN_UP (kUnavailable), once it was interrupted; and those of PrepareData() and Instance.
  virtual Result<void> Finish() = 0;
  // Whoever waits in one of them fails soon. Does not suspend.
  virtual void Interrupt() = 0;
  // Ends what runs, and removes everything. Suspends.
  virtual void End() = 0;

 private:
  // What Begin() does first with a new one. Suspends.
  virtual Result<void> Start() = 0;
};

}  // namespace tradewind::mariadb
