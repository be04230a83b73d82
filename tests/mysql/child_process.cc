#include "tests/mysql/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace tradewind::tests {
namespace {

// In the child, between fork and exec: system calls only.
[[noreturn]] void Become(char* const* arguments, int input, int output) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execvp(arguments[0], arguments);
  _exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& words, const std::string& input,
                           const std::string& output) {
  std::vector<std::string> copies = words;
  std::vector<char*> arguments;
  for (std::string& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string input_path = output + ".in";
  std::ofstream(input_path) << input;
  const int in = open(input_path.c_str(), O_RDONLY | O_CLOEXEC);
  const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  TW_CHECK(in >= 0 && out >= 0, "a test can write in its folder");
  pid_ = fork();
  if (pid_ == 0) Become(arguments.data(), in, out);
  close(in);
  close(out);
  TW_CHECK(pid_ > 0, "a test can start a program");
}

ChildProcess::~ChildProcess() {
  if (HasEnded()) return;
  Signal(SIGKILL);
  while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
}

int ChildProcess::Await(runtime::Core& core) {
  if (pid_ > 0) {
    core.RunOffCore([this] {
      while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
      }
    });
    pid_ = -1;
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

void ChildProcess::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

bool ChildProcess::HasEnded() {
  if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
  return pid_ < 0;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace tradewind::tests
