// A program that a test starts, and ends at the latest with itself.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "runtime/core.h"

namespace tradewind::tests {

class ChildProcess {
 public:
  // Its input is `input`, and its output and errors go to the file `output`. The program is looked for in PATH.
  ChildProcess(const std::vector<std::string>& words, const std::string& input, const std::string& output);
  ~ChildProcess();  // Kills it.
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Suspends until it has ended; its exit code, or 128 and the signal.
  int Await(runtime::Core& core);
  void Signal(int signal) const;
  bool HasEnded();

 private:
  pid_t pid_ = -1;
  int status_ = 0;
};

std::string ReadFile(const std::string& path);

}  // namespace tradewind::tests
