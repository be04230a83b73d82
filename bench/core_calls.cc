// What a call to another core takes, beside one within the core: the median and the 99th percentile, in microseconds.
//
//   core_calls [SECONDS]
//
//   within       CallOn() the caller's own core
//   one caller   a fiber of core 0 calls core 1 again and again, and nothing else runs: both cores sleep and are woken
//   with a pause the same with 1 ms between two calls: what a request that hops has to wait for on an idle node
//   64 callers   as many fibers call at once: what a call costs where both cores have work; wakes for a call
//
// Both cores are pinned to a processor of their own where there are two.
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/nearest_rank.h"
#include "runtime/call_on.h"
#include "runtime/cores.h"
#include "runtime/fiber.h"

namespace tradewind::runtime {
namespace {

using namespace std::chrono_literals;

void PinTo(size_t processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  if (::pthread_setaffinity_np(::pthread_self(), sizeof set, &set) != 0)
    fmt::print(stderr, "core {} is not pinned\n", processor);
}

struct Run {
  std::string name;
  size_t callers;
  size_t to;
  Duration pause;
};

void Measure(Cores& cores, const Run& run, Duration length) {
  Core& here = cores[0];
  Core& to = cores[run.to];
  const auto mail = [&] { return CallOn(cores[1], [&] { return cores[1].mail(); }); };
  const RealCore::Mail before = mail();
  std::vector<int64_t> samples;
  samples.reserve(10'000'000);
  const TimePoint began = here.Now();
  TaskGroup group(here);
  for (size_t at = 0; at < run.callers; ++at) {
    group.Spawn("caller", [&] {
      uint64_t answer = 0;
      for (TimePoint now = here.Now(); now < began + length && samples.size() < samples.capacity();) {
        const TimePoint called = now;
        answer = CallOn(to, [&] { return answer + 1; });
        now = here.Now();
        samples.push_back((now - called).count());
        if (run.pause > 0ns) {
          SleepFor(run.pause);
          now = here.Now();
        }
      }
    });
  }
  group.Join();
  const double seconds = std::chrono::duration<double>(here.Now() - began).count();
  const RealCore::Mail after = mail();
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double share) { return static_cast<double>(NearestRank(samples, share)) / 1000; };
  fmt::print("{:14}  p50 {:8.2f} us  p99 {:8.2f} us  {:10.0f} calls/s  {:.3f} wakes a call\n", run.name,
             at(0.5), at(0.99), static_cast<double>(samples.size()) / seconds,
             run.to == 0 ? 0.0
                         : static_cast<double>(after.wakes - before.wakes) /
                               static_cast<double>(std::max<uint64_t>(1, after.came - before.came)));
}

int Main(Duration length) {
  Cores cores(2);
  const auto ran = cores.RunUntilReturned("bench", [&] {
    PinTo(0);
    CallOn(cores[1], [] { PinTo(1); });
    for (const Run& run : {Run{"within", 1, 0, 0ns}, Run{"one caller", 1, 1, 0ns},
                           Run{"with a pause", 1, 1, 1ms}, Run{"64 callers", 64, 1, 0ns}})
      Measure(cores, run, length);
  });
  return ran ? 0 : 1;
}

}  // namespace
}  // namespace tradewind::runtime

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 2;
  return tradewind::runtime::Main(std::chrono::seconds(seconds));
}
