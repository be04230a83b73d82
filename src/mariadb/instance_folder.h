// What of an instance is on disk, and what a crash at each moment leaves there.
//
//   FOLDER.making/    one that is being made. Without worth: whoever makes the instance removes it first
//   FOLDER/           of mode 0700, as all in it is its tenant's; it is there whole or not at all
//     control         0600: the control account's password and the server's id. Written once, before FOLDER has its name.
//                     Its first line has the format number of all text files here but the programs' ("format 1"; the first
//                     ones did not say it)
//     data/           the server's data folder: a copy of the node's template, later whatever the server makes of it
//     temporary/      the server's temporary tables and sorts, so that they fill the tenant's disk and no other
//     process         who runs in it: number, start, port. Written at each start, once the process is there; it stays when
//                     the process ends, and then says nothing but which port to try first
//     account.sql     0600: what the server runs before it takes connections, from `control`; written at each start
//     login.cnf       0600: what a program of MariaDB logs in by; written at each backup, dump and import
//     note            what a move has to know of a copy that it made
//     error.log       of the server; grows
//
// Making: the template is copied to FOLDER.making/data, `control` is written beside it, all of it is synced, and one rename
// gives it its name. A crash before the rename leaves no FOLDER, and after it a whole one. So nothing ever has to guess
// whether a FOLDER may be removed: it may not. One without `control` or `data` has been damaged by somebody else, which
// is an error (INSTANCE_DAMAGED).
//
// A copy that comes from another node is made in the same way: into FOLDER.making/data (BeginCopy), whatever tells the
// two apart beside it, then synced and renamed (FinishCopy).
//
// The template is made in a folder of a random name that ends in .making, and renamed. Of two that are made at once the
// second one is dropped; one that a crash left is never used.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mariadb/programs.h"
#include "runtime/core.h"
#include "runtime/process.h"

namespace tradewind::mariadb {

// The account by which the node rules an instance. It is of 127.0.0.1 alone, where only its password keeps others of this
// machine out.
inline constexpr std::string_view kControlUser = "tradewind_control";

struct Control {
  std::string password;
  uint32_t server_id = 0;  // Not 0. Random, so that a copy of the tenant at another node has another one.
};

// Who runs in a folder, as it was written down.
struct RunningServer {
  runtime::ProcessIdentity process;
  uint16_t port = 0;
};

class InstanceFolder {
 public:
  InstanceFolder(runtime::Core& core, const std::string& path);

  // Makes the node's template unless it is there: an empty data folder of this version, whose only account is the locked
  // one that MariaDB's own views belong to. Takes a second or two, once a node. Returns its path, in `templates`. Suspends.
  // The errors of RunProgram(); DISK_FULL (kTooLarge), DISK_IO (kIo); TEMPLATE_NOT_MADE with what the program said.
  static Result<std::string> EnsureTemplate(runtime::Core& core, const ServerPrograms& programs,
                                            const std::string& templates);
  // Makes the folder, durably. What a try before this one has left is removed. INSTANCE_EXISTS (kExists), DISK_FULL,
  // DISK_IO; after an error there is nothing. Suspends.
  Result<void> Make(const std::string& data_template);
  // The same in two steps, where the data folder is somebody else's to fill: it is empty, and its path is returned. The
  // same errors. Suspends.
  Result<std::string> BeginCopy();
  // What was filled becomes the folder, durably. Suspends, for as long as the disk takes.
  Result<void> FinishCopy();
  // Has the disk begin with what was written to the data folder of a copy that is made, so that its end is not felt.
  // Suspends.
  void WriteBackCopy();
  // A text beside the data, for whoever made a copy: durable when it is written, and when it is removed. Nothing when there
  // is none. Suspends.
  Result<void> WriteNote(std::string_view text);
  std::optional<std::string> ReadNote();
  Result<void> RemoveNote();
  // What was done to its data by a server that has ended is as durable as what Make() makes. Suspends.
  Result<void> MakeDurable();
  // Removes it with all its data, also what is being made. Requires that nothing runs in it. Suspends.
  Result<void> Remove();

  // INSTANCE_NOT_FOUND (kNotFound), INSTANCE_DAMAGED or INSTANCE_FORMAT (both kCorrupt). Suspends.
  Result<Control> ReadControl();
  // Suspends.
  Result<void> WriteAccount(const Control& control);
  // A file of options, 0600, by which programs of MariaDB log in as that account; its path. Suspends.
  Result<std::string> WriteLogin(std::string_view user, std::string_view password, uint16_t port);
  // Nothing when no start was written down, or not whole. Suspends.
  std::optional<RunningServer> ReadRunning();
  Result<void> WriteRunning(const RunningServer& running);
  // The process that has the data folder open, whoever started it: the kernel's word, from the lock that the server holds
  // on its files. 0: none. Suspends.
  pid_t LockHolder();
  uint64_t LogSize();
  // The end of what the log got behind `from`, for an error's sentence. Suspends.
  std::string LogTail(uint64_t from);

  const std::string& path() const { return path_; }
  std::string data() const { return path_ + "/data"; }
  std::string temporary() const { return path_ + "/temporary"; }
  std::string log() const { return path_ + "/error.log"; }
  std::string account() const { return path_ + "/account.sql"; }

 private:
  std::string making() const { return path_ + ".making"; }
  std::string NewControl();

  runtime::Core& core_;
  const std::string path_;
};

}  // namespace tradewind::mariadb
