// A copy of a simulated instance while a move makes it (slacker/instance.h). One core only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sim/instances/sim_server.h"
#include "sim/instances/sim_servers.h"
#include "slacker/instance.h"

namespace tradewind::sim {

// What was made, under a name of its own until it is whole, becomes the file at `path`. Suspends; so do all below.
Result<void> WriteInstance(runtime::Core& core, const std::string& path, const std::string& records);
// All that there is of it.
Result<void> RemoveInstance(runtime::Core& core, const std::string& path);

// A snapshot, as it travels: first how many bytes of no meaning come, then these, then the records.
std::unique_ptr<slacker::BackupStream> StartSimBackup(SimCore& core, SimServers& all, SimServer& server);

class SimCopy final : public slacker::Copy {
 public:
  SimCopy(SimCore& core, SimServers& all, std::string tenant, std::string path)
      : core_(core), all_(all), tenant_(std::move(tenant)), path_(std::move(path)) {}

  Result<void> Begin() override;
  Result<void> Write(Bytes bytes) override;
  Result<void> Prepare(mariadb::Allowance& allowance) override;
  Result<std::shared_ptr<slacker::Instance>> Start() override;
  Result<std::shared_ptr<slacker::Instance>> Open() override;
  Result<bool> Exists() override { return core_.disk().Exists(path_); }
  Result<void> NoteReady(const slacker::ReadyNote& note) override;
  Result<std::optional<slacker::ReadyNote>> ReadReady() override;
  Result<void> ForgetReady() override;
  Result<void> Drop() override;
  void Leave() override { Stop(); }
  // It runs, and reaches no primary any more; null: none runs.
  std::unique_ptr<SimServer> TakeServer();

 private:
  void Stop();

  SimCore& core_;
  SimServers& all_;
  const std::string tenant_;
  const std::string path_;
  std::string stream_;
  std::unique_ptr<SimServer> server_;
  std::shared_ptr<slacker::Instance> instance_;
};

// Of a server, which outlives it. What its node does for it, as slacker::LocalInstance::Node has it.
struct SimInstanceNode {
  std::function<Result<void>(runtime::TimePoint)> settle = [](runtime::TimePoint) { return Result<void>(); };
  std::function<std::optional<runtime::TimePoint>()> oldest_open = [] { return std::nullopt; };
  std::function<void(runtime::TimePoint)> end_open_since = [](runtime::TimePoint) {};
};
std::shared_ptr<slacker::Instance> InstanceOf(SimCore& core, SimServers& all, SimServer& server,
                                              SimInstanceNode node);

}  // namespace tradewind::sim
