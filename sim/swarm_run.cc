#include "sim/swarm_run.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string_view>

#include "base/check.h"

namespace tradewind::sim {

namespace {

// Of real time, for seeds a second.
double Seconds() {
  timespec now{};
  timespec_get(&now, TIME_UTC);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// A process that runs, and the file that it prints to.
struct Child {
  pid_t pid = 0;
  std::FILE* output = nullptr;
};

Child Start(const std::function<bool()>& body) {
  Child child{0, std::tmpfile()};
  TW_CHECK(child.output != nullptr, "no file for the output of a seed");
  std::fflush(nullptr);
  child.pid = fork();
  TW_CHECK(child.pid >= 0, "no process for a seed");
  if (child.pid > 0) return child;
  dup2(fileno(child.output), STDOUT_FILENO);
  dup2(fileno(child.output), STDERR_FILENO);
  const bool succeeded = body();
  std::fflush(nullptr);
  _exit(succeeded ? 0 : 1);
}

ChildOutcome Read(const Child& child, int status) {
  ChildOutcome outcome{WIFEXITED(status) && WEXITSTATUS(status) == 0, ""};
  std::rewind(child.output);
  char buffer[1 << 16];
  while (const size_t got = std::fread(buffer, 1, sizeof buffer, child.output))
    outcome.output.append(buffer, got);
  std::fclose(child.output);
  if (WIFSIGNALED(status)) outcome.output += fmt::format("ended by signal {}\n", WTERMSIG(status));
  return outcome;
}

const Swarm* playing = nullptr;
std::string play_again;

void TellStory() {
  for (const std::string& line : playing->Story()) fmt::print("{}\n", line);
  fmt::print("\nplay it again:   {}\n", play_again);
  std::fflush(stdout);
}

// A check that failed ends the process: its story is told all the same.
void TellAtAbort(int signal) {
  std::signal(signal, SIG_DFL);
  fmt::print("\n");
  TellStory();
}

}  // namespace

ChildOutcome RunInChild(const std::function<bool()>& body) {
  const Child child = Start(body);
  int status = 0;
  TW_CHECK(waitpid(child.pid, &status, 0) == child.pid, "a seed's process is lost");
  return Read(child, status);
}

SeedsOutcome RunSeeds(uint64_t first, uint64_t count, unsigned jobs, size_t most_failures) {
  SeedsOutcome outcome;
  std::map<pid_t, std::pair<uint64_t, Child>> running;
  uint64_t next = first;
  while (true) {
    while (running.size() < jobs && next < first + count && outcome.failures.size() < most_failures) {
      const Child child = Start([next] { return PlaySeed(next); });
      running.emplace(child.pid, std::pair(next++, child));
    }
    if (running.empty()) break;
    int status = 0;
    const auto ended = running.find(waitpid(-1, &status, 0));
    if (ended == running.end()) continue;
    ChildOutcome one = Read(ended->second.second, status);
    ++outcome.played;
    if (!one.succeeded) outcome.failures.push_back({ended->second.first, std::move(one.output)});
    running.erase(ended);
  }
  std::sort(outcome.failures.begin(), outcome.failures.end(),
            [](const SeedFailure& one, const SeedFailure& other) { return one.seed < other.seed; });
  return outcome;
}

SwarmOptions OptionsOf(uint64_t seed) {
  Random random(seed * 2 + 1);
  SwarmOptions options;
  options.seed = seed;
  options.draws_shape = true;
  options.rounds = static_cast<int>(random.Between(uint64_t{1}, uint64_t{4}));
  options.at_once = static_cast<int>(random.Between(uint64_t{1}, uint64_t{3}));
  options.mostly_moves = random.OneIn(2);
  // Each run leaves some kinds out: what one kind hides another may show.
  for (bool SwarmOptions::*fault : SwarmOptions::kFaults) options.*fault = !random.OneIn(3);
  return options;
}

bool PlayOptions(const SwarmOptions& options, const std::string& again, bool tells_always) {
  Swarm swarm(options);
  playing = &swarm;
  play_again = again;
  std::signal(SIGABRT, TellAtAbort);
  swarm.Play();
  const bool clean = swarm.findings().empty() && !testing::Test::HasFailure();
  if (!clean || tells_always) TellStory();
  playing = nullptr;
  std::signal(SIGABRT, SIG_DFL);
  return clean;
}

bool PlaySeed(uint64_t seed, bool tells_always) {
  return PlayOptions(OptionsOf(seed), fmt::format("build/sim_swarm --seed {}", seed), tells_always);
}

int RunSeedsCommand(int count, char** arguments) {
  uint64_t first = 1, seeds = 1;
  unsigned jobs = 1;
  bool one = true, story = false;
  for (int at = 1; at < count; ++at) {
    const std::string_view argument = arguments[at];
    const auto number = [&] { return at + 1 < count ? std::strtoull(arguments[++at], nullptr, 10) : 0; };
    if (argument == "--seeds") {
      seeds = number();
      one = false;
    } else if (argument == "--seed") {
      first = number();
    } else if (argument == "--jobs") {
      jobs = static_cast<unsigned>(std::max<uint64_t>(1, number()));
    } else if (argument == "--story") {
      story = true;
    } else {
      fmt::print(
          stderr,
          "usage: sim_swarm --seeds N [--seed FIRST] [--jobs J]   or   sim_swarm --seed S [--story]\n");
      return 2;
    }
  }
  if (one) {
    if (!PlaySeed(first, story)) return 1;
    fmt::print("seed {}: nothing was wrong\n", first);
    return 0;
  }
  const auto started = Seconds();
  const SeedsOutcome outcome = RunSeeds(first, seeds, jobs);
  const double seconds = Seconds() - started;
  if (!outcome.failures.empty()) fmt::print("{}", outcome.failures.front().output);
  fmt::print("\n{} of {} seeds from {} on, {:.1f} seeds a second: {}\n", outcome.played, seeds, first,
             static_cast<double>(outcome.played) / seconds,
             outcome.failures.empty()
                 ? "nothing was wrong"
                 : fmt::format("seed {} is the first that failed", outcome.failures.front().seed));
  return outcome.failures.empty() ? 0 : 1;
}

}  // namespace tradewind::sim
