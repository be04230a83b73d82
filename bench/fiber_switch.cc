// What fibers cost: a switch, a wake, a start, a stack.
//
//   Yield           two fibers that let each other run; an iteration is one switch to the loop and one back
//   WakeEachOther   the same through a WaitQueue, as a fiber that waits for an answer does
//   Spawn           a fiber from start to end on a stack that was used before
//   SpawnUsingStack the same for a fiber that touches so many KiB of stack
#include <benchmark/benchmark.h>

#include <memory>

#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::runtime {
namespace {

void YieldToEachOther(benchmark::State& state) {
  auto core = RealCore::Create();
  bool done = false;
  core->Spawn("partner", [&] {
    while (!done) Yield();
  });
  core->RunUntilReturned("benchmark", [&] {
    // Each Yield() here runs the partner once, which yields too.
    while (state.KeepRunningBatch(2)) Yield();
    done = true;
    Yield();
  });
}

void WakeEachOther(benchmark::State& state) {
  auto core = RealCore::Create();
  bool done = false;
  WaitQueue ping;
  WaitQueue pong;
  core->Spawn("partner", [&] {
    for (;;) {
      ping.Wait();
      pong.NotifyOne();
      if (done) return;
    }
  });
  core->RunUntilReturned("benchmark", [&] {
    Yield();
    while (state.KeepRunningBatch(2)) {
      ping.NotifyOne();
      pong.Wait();
    }
    done = true;
    ping.NotifyOne();
    pong.Wait();
  });
}

void Spawn(benchmark::State& state) {
  auto core = RealCore::Create();
  core->RunUntilReturned("benchmark", [&] {
    for (auto _ : state) {
      core->Spawn("short", [] {});
      Yield();
    }
  });
}

[[gnu::noinline]] void TouchStack(int64_t kilobytes) {
  volatile char block[1024];
  block[0] = 1;
  if (kilobytes > 1) TouchStack(kilobytes - 1);
  block[1] = block[0];
}

void SpawnUsingStack(benchmark::State& state) {
  auto core = RealCore::Create();
  core->RunUntilReturned("benchmark", [&] {
    for (auto _ : state) {
      core->Spawn("deep", [&] { TouchStack(state.range(0)); });
      Yield();
    }
  });
}

BENCHMARK(YieldToEachOther);
BENCHMARK(WakeEachOther);
BENCHMARK(Spawn);
BENCHMARK(SpawnUsingStack)->Arg(32)->Arg(256)->Arg(2048);

}  // namespace
}  // namespace tradewind::runtime
