#include "runtime/cores.h"

#include <fmt/format.h>
#include <pthread.h>

#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/blocking_pool.h"

namespace tradewind::runtime {

Cores::Cores(size_t count) {
  TW_CHECK(count > 0, "a process has a core");
  const auto threads = std::make_shared<OffCoreThreads>();
  for (size_t number = 0; number < count; ++number) {
    cores_.push_back(RealCore::Create(threads));
    siblings_.push_back(cores_.back().get());
  }
  if (count == 1) return;
  together_.busy = count;
  for (size_t number = 0; number < count; ++number) cores_[number]->Join(siblings_, number, together_);
}

Cores::~Cores() = default;

Result<void> Cores::RunUntilReturned(std::string name, std::function<void()> body) {
  if (size() == 1) {
    cores_[0]->RunUntilReturned(std::move(name), std::move(body));
    return {};
  }
  std::vector<std::thread> threads;
  const auto join = [&threads] {
    for (std::thread& thread : threads) thread.join();
  };
  // Signals are for core 0.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::string failure;
  for (size_t number = 1; number < size() && failure.empty(); ++number) {
    try {
      threads.emplace_back([this, number] {
        pthread_setname_np(pthread_self(), fmt::format("core {}", number).c_str());
        cores_[number]->Run();
      });
    } catch (const std::system_error& error) {
      failure = error.what();
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!failure.empty()) {
    for (size_t number = 1; number <= threads.size(); ++number) cores_[number]->Stop();
    join();
    return Fail(
        ErrorKind::kUnavailable, "THREADS_LACKING",
        fmt::format("the system gives this process no thread for core {}: {}", threads.size() + 1, failure),
        "raise the limit of threads (ulimit -u), or give fewer --cores");
  }
  cores_[0]->Spawn(std::move(name), [this, body = std::move(body)]() mutable {
    body();
    body = nullptr;  // What it holds is gone before the cores may end.
    together_.ending.store(true, std::memory_order_release);
    for (const auto& core : cores_) core->Post([] {});  // Each looks whether it is done.
  });
  cores_[0]->Run();
  join();
  return {};
}

}  // namespace tradewind::runtime
