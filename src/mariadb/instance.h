// A MariaDB instance: the one `mariadbd` of a tenant, which this node starts, watches, starts again and stops. What is on
// disk for it, and what a crash leaves of that, is in instance_folder.h.
//
// One writable owner (I1). A server takes writes only after MakeWritable(), which its node calls when the catalog says that
// the node owns the tenant. What holds that up:
//
//   - Each start is with --read-only: by Open(), after a crash of mariadbd, by whoever else runs these words. A server that
//     dies and is started again is read-only until the node, which on_restart tells, has asked the catalog again.
//   - read_only is the server's memory, and no file's: no crash makes it writable.
//   - In a data folder runs one server at most. The server locks its files, and a second one ends when it finds the locks.
//     Open() looks for the one that runs before it starts another, and takes it over or ends it.
//   - The server listens on loopback alone, where each account has a password; clients come through the nodes' proxies.
//
// What a crash of the node leaves (kill -9 of it at each line of a start):
//
//   before the process is there       nothing
//   before it is written down         a server that nobody knows. Open() finds it by the locks on its files, or its own
//                                     server fails at these locks and Open() finds it the next time; it is ended
//   before or after it answers        a server that is written down: it is adopted, made read-only before anything else
//   while it is writable              the same. Until a node adopts it, it may hold what clients of this machine wrote;
//                                     ownership cannot have passed on meanwhile without this node, which had to freeze it
//
// A crash of the server: InnoDB recovers what was committed (innodb_flush_log_at_trx_commit=1, sync_binlog=1), the
// supervisor starts it again after a pause, read-only. A crash of both: Open() finds nothing that runs, and starts.
//
// Adopted is only who (1) has the number and the start time that were written down, in this start of the machine, (2)
// lets the control account in by the password that is this instance's alone, and (3) says that its data folder is ours.
// A process that has got the number meanwhile fails (1), and is not touched.
//
// One core only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"
#include "mariadb/instance_folder.h"
#include "mariadb/programs.h"
#include "mariadb/server.h"
#include "mysql/server_connection.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "runtime/process.h"

namespace tradewind::mariadb {

struct InstanceOptions {
  std::string folder;  // Made by InstanceFolder::Make().
  // For a tenant of many. Sizes can be changed while it runs.
  uint64_t buffer_pool_bytes = 64u << 20;
  uint64_t redo_log_bytes = 64u << 20;
  int connections = 500;
  // Nobody but its maker has it, who fills it: it takes writes from its start on, has no binary log, syncs no commits, and is
  // killed with this process.
  bool is_filled = false;
  // How far its server stands back for processors (runtime/process.h), until EndStandingBack().
  int niceness = 0;
  // It has died, was started again, and answers, read-only. Called on a fiber of the instance, which Stop() and Leave()
  // wait for; it must not call them.
  std::function<void()> on_restart = [] {};
  // Asked while a start waits for the server's answer: it fails then with INSTANCE_NOT_STARTED.
  std::function<bool()> given_up = [] { return false; };
  // For tests: a port was chosen, and mariadbd is about to take it.
  std::function<void(uint16_t port)> port_chosen = [](uint16_t) {};
};

class Instance final : public Server {
 public:
  // Adopts the server that runs in the folder, or starts one. It answers then, and is read-only. Suspends. The errors of
  // InstanceFolder; INSTANCE_NOT_STARTED (kUnavailable) with the end of its log; INSTANCE_PORT_TAKEN (kUnavailable).
  static Result<std::unique_ptr<Instance>> Open(runtime::Core& core, const ServerPrograms& programs,
                                                InstanceOptions options, runtime::TimePoint deadline);
  // Ends whatever server runs in a folder that nobody has open: one of before a crash of the node, whose tenant is to go.
  // Suspends.
  static void EndIn(runtime::Core& core, InstanceFolder& folder);
  ~Instance() override;  // Requires: Stop() or Leave() has returned.
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Each suspends, and fails with what ServerConnection does.
  Result<void> MakeWritable(runtime::TimePoint deadline) override;
  Result<void> MakeReadOnly(runtime::TimePoint deadline) override;
  Result<mysql::ServerAnswer> Query(std::string_view sql, runtime::TimePoint deadline) override;
  uint64_t DataBytes() override;
  Result<bool> IsReadOnly(runtime::TimePoint deadline);

  // As the control account. INSTANCE_DOWN (kUnavailable) while no server answers. Suspends.
  Result<std::unique_ptr<mysql::ServerConnection>> Connect(runtime::TimePoint deadline);
  // The file of options by which programs of MariaDB log in as the control account. Suspends. DISK_FULL, DISK_IO.
  Result<std::string> WriteLogin() {
    return folder_.WriteLogin(kControlUser, control_.password, address_.port);
  }
  const InstanceFolder& folder() const { return folder_; }
  // Suspends until the server answers that has been started so often; false at the deadline, and once it is to end.
  bool AwaitStart(uint64_t starts, runtime::TimePoint deadline);
  // How often a server was started or adopted by this object, and answered.
  uint64_t starts() const { return starts_; }
  bool adopted() const { return adopted_; }  // The first one was.
  bool answers() const override { return answers_; }
  // 127.0.0.1 and a port, which may be another one after each start.
  const runtime::Address& address() const override { return address_; }
  pid_t pid() const { return process_ ? process_->identity().pid : 0; }

  Ended Stop(runtime::TimePoint deadline) override;
  // Suspends.
  void EndStandingBack();
  // Lets the server run and forgets it: another Open() adopts it. Suspends.
  void Leave();
  void PassTo(std::function<void()> on_restart, std::function<bool()> given_up) override;

 private:
  Instance(runtime::Core& core, const ServerPrograms& programs, InstanceOptions options)
      : core_(core),
        programs_(programs),
        options_(std::move(options)),
        folder_(core, options_.folder),
        watch_(core) {}

  Result<bool> Adopt();
  Result<void> Start(runtime::TimePoint deadline);
  Result<void> Launch();
  Result<void> AwaitAnswer(runtime::TimePoint deadline, uint64_t log_from);
  Result<uint16_t> ChoosePort();
  Result<std::unique_ptr<mysql::ServerConnection>> LogIn(runtime::TimePoint deadline);
  void EndAtOnce();
  void Watch();
  void EndWatch();
  void Down();

  runtime::Core& core_;
  const ServerPrograms programs_;
  InstanceOptions options_;
  InstanceFolder folder_;
  Control control_;
  runtime::Address address_{"127.0.0.1", 0};
  std::unique_ptr<runtime::Process> process_;  // Null: none was started, or it has ended.
  bool answers_ = false;
  bool adopted_ = false;
  bool ending_ = false;
  uint64_t starts_ = 0;
  runtime::WaitQueue changed_;
  runtime::TaskGroup watch_;
};

}  // namespace tradewind::mariadb
