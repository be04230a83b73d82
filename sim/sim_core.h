// A core of a simulated host. See sim_world.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::sim {

class DiskImage;
class SimWorld;

class SimCore final : public runtime::Core {
 public:
  // Made by SimWorld only.
  SimCore(SimWorld& world, std::string host, std::shared_ptr<DiskImage> image);
  ~SimCore() override;

  const std::string& host() const { return host_; }
  SimWorld& world() { return world_; }
  // How many turns it has had: the work that it did.
  uint64_t turns() const { return turns_; }
  // Its host went down after it was made.
  bool crashed() const { return crashed_; }
  // The error of every call to disk or network from then on.
  Result<void> CheckAlive() const;

  // Looking at the clock may move it: now and then by more than a time slice, as when the system runs
  // something else.
  runtime::TimePoint Now() const override;
  runtime::TimePoint TurnTime() const override;  // Does not move it.
  int64_t UnixMilliseconds() const override;
  void Post(std::function<void()> task) override;
  TimerId StartTimer(runtime::TimePoint at, std::function<void()> task) override;
  void CancelTimer(TimerId id) override;
  // Takes some virtual time; runs the work at the end of it.
  void RunOffCore(std::function<void()> work) override;
  void FillRandom(MutableBytes bytes) override;
  runtime::Network& network() override { return *network_; }
  runtime::Disk& disk() override { return *disk_; }

  // Suspends for a while drawn from the seed; outside a fiber, no time passes.
  void Pause(runtime::Duration low, runtime::Duration high);

 private:
  friend class SimWorld;

  // A call between cores of a host takes as long as it likes, but overtakes none of the same pair.
  void Send(runtime::Core& to, runtime::CoreCall& call) noexcept override;

  SimWorld& world_;
  const std::string host_;
  bool crashed_ = false;
  uint64_t turns_ = 0;
  std::vector<runtime::TimePoint>
      mail_until_;  // By the sender's number: when the last call from there comes.
  std::unique_ptr<runtime::Disk> disk_;
  std::unique_ptr<runtime::Network> network_;
};

}  // namespace tradewind::sim
