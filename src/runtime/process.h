// Other processes of this machine: programs that this one starts, and those that it finds again after its own end.
//
// A process is held by a descriptor of its own (pidfd), so a signal reaches that process or nobody, never another one
// that has got its number.
//
// One core only. Not simulated: whoever runs under a simulation has no other processes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::runtime {

// Which process, also after this one has ended and the machine has started again. Numbers are used again; a number
// with its start is not.
struct ProcessIdentity {
  pid_t pid = 0;
  uint64_t start_time =
      0;             // Clock ticks from the machine's start to the process's (/proc/PID/stat, field 22).
  std::string boot;  // Which start of the machine (/proc/sys/kernel/random/boot_id).
  bool operator==(const ProcessIdentity&) const = default;
};

struct ProcessStart {
  std::vector<std::string> words;  // The program's path, and its arguments.
  // What it has as 0, 1 and 2; the caller's to close. -1: /dev/null.
  int input = -1;
  int output = -1;
  int errors = -1;
  int death_signal = 0;  // That it gets when this process ends, however; 0: none, it goes on.
  // How far it stands back behind this process for processors, and for the disk where its scheduler knows that: 0 not at
  // all, 19 as far as it goes.
  int niceness = 0;
};

class Process {
 public:
  // Starts a program in a session of its own, which a terminal's Ctrl-C does not reach, with no other descriptor of
  // this process (a program that outlives it would keep its port), and with the signals as they are by default.
  // Suspends. PROCESS_NOT_STARTED (kIo), with the system's reason.
  static Result<std::unique_ptr<Process>> Start(Core& core, const ProcessStart& start);
  // The process of that identity; null when it has ended, whoever has its number now.
  static std::unique_ptr<Process> Find(Core& core, const ProcessIdentity& identity);
  // The process that has this number now, null if none has: then make sure that it is the one that is meant.
  static std::unique_ptr<Process> FindNumber(Core& core, pid_t pid);
  ~Process();  // Lets it run.
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Nothing happens to one that has ended.
  void Signal(int signal);
  bool HasEnded();
  // Suspends until it has ended (true) or the deadline has passed (false).
  bool AwaitEnd(TimePoint deadline);
  // Asks it to end (SIGTERM), and kills it at the deadline; whether it has ended by itself. Suspends until it has ended.
  bool Stop(TimePoint deadline);
  // Kills it. Suspends until it has ended.
  void EndAtOnce();
  // Kills it, and does not suspend until it has ended: the thread waits for that moment.
  void Kill();
  // Bytes that it has read from disks and written to them, or made dirty, so far; nothing once it has ended.
  std::optional<uint64_t> disk_bytes() const;
  // Of all its threads, from now on, as ProcessStart has it. To stand back less needs CanLowerNiceness(); what cannot be
  // done stays as it is. Suspends.
  void SetNiceness(int niceness);
  const ProcessIdentity& identity() const { return identity_; }
  // Once it has ended, if this process has started it: its exit code, or 128 and the signal that ended it.
  std::optional<int> status() const { return status_; }

 private:
  Process(Core& core, int descriptor, ProcessIdentity identity)
      : core_(core), descriptor_(descriptor), identity_(std::move(identity)) {}

  Core& core_;
  const int descriptor_;
  const ProcessIdentity identity_;
  bool ended_ = false;
  std::optional<int> status_;
};

// Whether this process may have others stand back less than they do (CAP_SYS_NICE, or RLIMIT_NICE).
bool CanLowerNiceness();

struct ProgramRun {
  int status = 0;      // As Process::status().
  std::string output;  // And errors, as they came.
};
// Runs a program to its end with `input`. Suspends. kTimeout, PROGRAM_NOT_ENDED, at the deadline: it is killed.
Result<ProgramRun> RunProgram(Core& core, const std::vector<std::string>& words, std::string_view input,
                              TimePoint deadline);

}  // namespace tradewind::runtime
