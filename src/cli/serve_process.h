// A node in a process of its own, for the demo and for tests: this program's `serve`, started, watched and
// ended by its process id alone.
//
// One core only.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/core.h"
#include "runtime/process.h"

namespace tradewind::cli {

struct ServeProcessOptions {
  std::string program;  // The tradewind binary.
  std::string name;
  std::string listen = "127.0.0.1:0";
  std::string data;
  std::string mysql_listen;         // Empty: it does not speak MySQL's protocol.
  std::string join;                 // Empty: the node hosts the catalog.
  std::string cluster_secret_file;  // Empty: that of the user.
  size_t cores = 1;
  std::string log;  // A file that gets what the process writes to stderr, appended.
};

class ServeProcess {
 public:
  // Suspends until the node has said that it is ready. Fails with NODE_NOT_READY, the last lines of its log
  // in the message. The child is in a session of its own, so that Ctrl-C on a terminal reaches this
  // process only, and gets SIGTERM when this process dies in any way.
  static Result<std::unique_ptr<ServeProcess>> Start(runtime::Core& core, ServeProcessOptions options);
  // Kills the process if it still runs, and waits for its end.
  ~ServeProcess();
  ServeProcess(const ServeProcess&) = delete;
  ServeProcess& operator=(const ServeProcess&) = delete;

  // SIGKILL, as a crash does; returns once the process is gone.
  void Kill();
  // SIGTERM, then suspends until it has ended, at most for `patience` (then it is killed). Fails with
  // NODE_NOT_STOPPED when the exit code was not 0.
  Result<void> Stop(runtime::Duration patience);

  const ServeProcessOptions& options() const { return options_; }
  const std::string& url() const { return url_; }
  // HOST:PORT of the URL, to start the node again where its peers know it.
  std::string address() const { return url_.substr(url_.find("//") + 2); }
  pid_t pid() const { return process_ ? process_->identity().pid : -1; }
  bool running() const { return process_ != nullptr; }

 private:
  ServeProcess(runtime::Core& core, ServeProcessOptions options)
      : core_(core), options_(std::move(options)) {}
  Result<void> Launch();
  Result<void> AwaitReady();

  runtime::Core& core_;
  const ServeProcessOptions options_;
  std::string url_;
  std::unique_ptr<runtime::Process> process_;
  int output_ = -1;  // The read end of the child's stdout.
};

// A fresh folder for a run, under TMPDIR or /tmp.
Result<std::string> MakeTemporaryFolder(const std::string& prefix);

}  // namespace tradewind::cli
