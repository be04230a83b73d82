#include "runtime/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "runtime/fiber.h"
#include "runtime/file_descriptor.h"

namespace tradewind::runtime {
namespace {

// Not in every <sys/wait.h> yet.
constexpr auto kByDescriptor = static_cast<idtype_t>(3);  // P_PIDFD
constexpr unsigned int kCloseAtExec = 1u << 2;            // CLOSE_RANGE_CLOEXEC
// <linux/ioprio.h>: of one thread; the class that is served by turns, in which 4 is the middle and 7 the last.
constexpr int kDiskOfThread = 1;
constexpr int kByTurns = 2 << 13;
constexpr int kMiddle = 4;
constexpr int kLast = 7;
constexpr int kMayNice = 23;  // CAP_SYS_NICE

// As the system counts it, of what stands so far back behind this process.
int SystemNiceness(int niceness) {
  constexpr int kMost = 19;
  return std::min(getpriority(PRIO_PROCESS, static_cast<id_t>(getpid())) + niceness, kMost);
}

// By system calls alone. Of a thread; 0: of the one that calls.
void StandBack(pid_t thread, int system_niceness, bool last_at_disk) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(thread), system_niceness);
  syscall(SYS_ioprio_set, kDiskOfThread, thread, kByTurns | (last_at_disk ? kLast : kMiddle));
}

tl::unexpected<Error> NotStarted(const std::string& program, int error) {
  return Fail(ErrorKind::kIo, "PROCESS_NOT_STARTED",
              fmt::format("{} could not be started: {}", program, std::strerror(error)));
}

struct Launch {
  char* const* words;
  std::array<int, 3> descriptors;
  int death_signal;
  bool stands_back;
  int system_niceness;
  int failed;  // A pipe's end: the child writes there why it does not become the program.
};

// In the child, which has this process's memory until it becomes the program (but under ThreadSanitizer, which forks):
// system calls only.
[[noreturn]] void Become(Launch& launch) {
  setsid();
  prctl(PR_SET_PDEATHSIG, launch.death_signal);
  if (launch.stands_back) StandBack(0, launch.system_niceness, true);
  // Above those that they become.
  for (int& descriptor : launch.descriptors) descriptor = fcntl(descriptor, F_DUPFD, 3);
  launch.failed = fcntl(launch.failed, F_DUPFD, 3);
  for (int i = 0; i < 3; ++i) dup2(launch.descriptors[static_cast<size_t>(i)], i);
  if (syscall(SYS_close_range, 3u, UINT_MAX, kCloseAtExec) != 0) {
    const auto limit = static_cast<int>(sysconf(_SC_OPEN_MAX));
    for (int i = 3; i < limit; ++i) fcntl(i, F_SETFD, FD_CLOEXEC);
  }
  // A handler of this process must not run in the child. By the system's own call: the C library refuses the two
  // signals that it keeps for itself, and whoever started this process may have left them ignored.
  constexpr std::array<uint64_t, 4> kAsByDefault{};  // Its struct sigaction, with SIG_DFL and no flags.
  for (int signal = 1; signal < NSIG; ++signal)
    syscall(SYS_rt_sigaction, signal, kAsByDefault.data(), nullptr, sizeof(uint64_t));
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execv(launch.words[0], launch.words);
  const int error = errno;
  while (write(launch.failed, &error, sizeof error) < 0 && errno == EINTR) {
  }
  _exit(127);
}

// Not fork(): that copies the tables of all this process's memory, and every core waits for it meanwhile.
__attribute__((noinline)) pid_t StartChild(Launch& launch) {
  const pid_t child = vfork();
  if (child == 0) Become(launch);
  return child;
}

pid_t StartWithSignalsBlocked(Launch& launch, int& error) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t child = StartChild(launch);
  if (child < 0) error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return child;
}

std::string ReadSmallFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<ProcessIdentity> IdentityOf(pid_t pid) {
  const std::string stat = ReadSmallFile(fmt::format("/proc/{}/stat", pid));
  // "PID (NAME) STATE ...": the name may have spaces and parentheses of its own. The start time is the 20th behind it.
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(name_end + 2));
  std::string field;
  for (int i = 0; i < 20; ++i)
    if (!(fields >> field)) return std::nullopt;
  ProcessIdentity identity{.pid = pid, .start_time = std::strtoull(field.c_str(), nullptr, 10), .boot = {}};
  identity.boot = ReadSmallFile("/proc/sys/kernel/random/boot_id");
  identity.boot.erase(std::remove(identity.boot.begin(), identity.boot.end(), '\n'), identity.boot.end());
  return identity;
}

}  // namespace

Result<std::unique_ptr<Process>> Process::Start(Core& core, const ProcessStart& start) {
  int error = 0;
  pid_t pid = -1;
  int descriptor = -1;
  // The caller goes on once the child has become the program.
  core.RunOffCore([&] {
    std::vector<std::string> words = start.words;
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const FileDescriptor nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (nothing.get() < 0) {
      error = errno;
      return;
    }
    const auto or_nothing = [&](int given) { return given >= 0 ? given : nothing.get(); };
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      error = errno;
      return;
    }
    const FileDescriptor tells(ends[0]);
    Launch launch{arguments.data(),
                  {or_nothing(start.input), or_nothing(start.output), or_nothing(start.errors)},
                  start.death_signal,
                  start.niceness != 0,
                  SystemNiceness(start.niceness),
                  ends[1]};
    pid = StartWithSignalsBlocked(launch, error);
    close(ends[1]);
    // Ends when the child has become the program.
    if (pid > 0)
      while (read(tells.get(), &error, sizeof error) < 0 && errno == EINTR) {
      }
    if (pid > 0 && error == 0) {
      // Nobody has waited for the child yet, so the number is its own.
      descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
      if (descriptor < 0) {
        error = errno;
        kill(pid, SIGKILL);
      }
    }
    if (pid > 0 && error != 0)
      while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
  });
  if (error != 0) return NotStarted(start.words.front(), error);
  // A child that has ended meanwhile is there until it is waited for.
  return std::unique_ptr<Process>(
      new Process(core, descriptor, IdentityOf(pid).value_or(ProcessIdentity{pid, 0, {}})));
}

std::unique_ptr<Process> Process::Find(Core& core, const ProcessIdentity& identity) {
  if (identity.start_time == 0) return nullptr;  // It was never known.
  auto process = FindNumber(core, identity.pid);
  return process && process->identity() == identity ? std::move(process) : nullptr;
}

std::unique_ptr<Process> Process::FindNumber(Core& core, pid_t pid) {
  if (pid <= 0) return nullptr;
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0) return nullptr;
  std::unique_ptr<Process> process(
      new Process(core, descriptor, IdentityOf(pid).value_or(ProcessIdentity{pid, 0, {}})));
  return process->HasEnded() ? nullptr : std::move(process);
}

Process::~Process() {
  HasEnded();
  close(descriptor_);
}

void Process::Signal(int signal) {
  if (!HasEnded()) syscall(SYS_pidfd_send_signal, descriptor_, signal, nullptr, 0);
}

bool Process::HasEnded() {
  if (ended_) return true;
  pollfd ends{.fd = descriptor_, .events = POLLIN, .revents = 0};
  if (poll(&ends, 1, 0) <= 0) return false;
  ended_ = true;
  siginfo_t how{};
  // Fails for one that is nobody's child here.
  if (waitid(kByDescriptor, static_cast<id_t>(descriptor_), &how, WEXITED | WNOHANG) == 0 && how.si_pid != 0)
    status_ = how.si_code == CLD_EXITED ? how.si_status : 128 + how.si_status;
  return true;
}

bool Process::AwaitEnd(TimePoint deadline) {
  for (Duration pause = limits::kProcessLook;;
       pause = std::min<Duration>(2 * pause, limits::kProcessLookLongest)) {
    if (HasEnded()) return true;
    const TimePoint now = core_.Now();
    if (now >= deadline) return false;
    SleepUntil(deadline - now < pause ? deadline : now + pause);
  }
}

bool Process::Stop(TimePoint deadline) {
  Signal(SIGTERM);
  if (AwaitEnd(deadline)) return true;
  EndAtOnce();
  return false;
}

void Process::EndAtOnce() {
  Signal(SIGKILL);
  AwaitEnd(TimePoint::max());
}

std::optional<uint64_t> Process::disk_bytes() const {
  std::istringstream lines(ReadSmallFile(fmt::format("/proc/{}/io", identity_.pid)));
  std::optional<uint64_t> sum;
  std::string name;
  for (uint64_t count = 0; lines >> name >> count;)
    if (name == "read_bytes:" || name == "write_bytes:") sum = sum.value_or(0) + count;
  return sum;
}

// A thread that begins meanwhile has what the one has that began it: so all are looked at until none is left.
void Process::SetNiceness(int niceness) {
  if (HasEnded()) return;
  core_.RunOffCore([&] {
    const int wanted = SystemNiceness(niceness);
    for (bool all = false; !all;) {
      all = true;
      std::error_code gone;
      const std::filesystem::directory_iterator threads(fmt::format("/proc/{}/task", identity_.pid), gone);
      for (const auto& entry : threads) {
        const int thread = std::atoi(entry.path().filename().c_str());
        const auto has = [thread] {
          errno = 0;
          const int now = getpriority(PRIO_PROCESS, static_cast<id_t>(thread));
          return errno == 0 ? std::optional(now) : std::nullopt;
        };
        if (const auto now = has(); !now || *now == wanted) continue;
        StandBack(thread, wanted, niceness != 0);
        if (const auto now = has(); now && *now != wanted) return;
        all = false;
      }
    }
  });
}

bool CanLowerNiceness() {
  constexpr rlim_t kNormal = 20;  // A niceness of 0, as the limit counts.
  struct rlimit limit {};
  if (getrlimit(RLIMIT_NICE, &limit) == 0 && limit.rlim_cur >= kNormal) return true;
  std::istringstream lines(ReadSmallFile("/proc/self/status"));
  for (std::string word; lines >> word;)
    if (word == "CapEff:") {
      lines >> word;
      return (std::strtoull(word.c_str(), nullptr, 16) >> kMayNice & 1) != 0;
    }
  return false;
}

void Process::Kill() {
  Signal(SIGKILL);
  pollfd ends{.fd = descriptor_, .events = POLLIN, .revents = 0};
  while (!HasEnded()) poll(&ends, 1, -1);
}

Result<ProgramRun> RunProgram(Core& core, const std::vector<std::string>& words, std::string_view input,
                              TimePoint deadline) {
  const FileDescriptor in(memfd_create("input", MFD_CLOEXEC));
  const FileDescriptor out(memfd_create("output", MFD_CLOEXEC));
  if (in.get() < 0 || out.get() < 0) return NotStarted(words.front(), errno);
  for (size_t written = 0; written < input.size();) {
    const ssize_t got = write(in.get(), input.data() + written, input.size() - written);
    if (got < 0) return NotStarted(words.front(), errno);
    written += static_cast<size_t>(got);
  }
  lseek(in.get(), 0, SEEK_SET);
  TW_TRY_ASSIGN(const auto process, Process::Start(core, {words, in.get(), out.get(), out.get()}));
  if (!process->AwaitEnd(deadline)) {
    process->EndAtOnce();
    return Fail(
        ErrorKind::kTimeout, "PROGRAM_NOT_ENDED",
        fmt::format("{} had not ended in time and was killed; it said: {}", words.front(), ReadFrom(out)));
  }
  return ProgramRun{process->status().value_or(0), ReadFrom(out)};
}

}  // namespace tradewind::runtime
