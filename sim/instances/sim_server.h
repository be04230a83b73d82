// A server of MariaDB in a simulation: it keeps its transactions in a file of its host's disk (sim/instance_log.h), is
// read-only or not, can be a replica of another and a primary, over connections of the simulated network, and dies with its
// host or by itself. Of SQL it knows nothing.
//
// It runs on the core of the node that has it. When that node is killed, the file keeps what was written, as if the server had
// gone on; what runs then is taken over, read-only, when the node comes back. In between nobody asks it for anything.
//
// One core only. What is no look at it suspends, but for Die().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mariadb/gtid_position.h"
#include "mariadb/replication.h"
#include "mariadb/server.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "runtime/network.h"
#include "sim/instance_log.h"
#include "sim/instances/sim_servers.h"
#include "sim/sim_core.h"
#include "slacker/instance.h"

namespace tradewind::sim {

mariadb::GtidPosition PositionOf(const std::vector<SimTransaction>& log, size_t count);
size_t CountOf(const mariadb::GtidPosition& position);

class SimServer final : public mariadb::Server {
 public:
  struct Options {
    std::string tenant;
    std::string path;  // Of its file, which is there.
    std::function<void()> on_restart = [] {};
  };
  static Result<std::unique_ptr<SimServer>> Open(SimCore& core, SimServers& all, Options options);
  ~SimServer() override;

  // -- For a client that is connected to it
  // Fails without a word on whether it was committed when the server dies meanwhile.
  Result<void> Commit(int64_t row);

  SimCore& core() { return core_; }

  // -- For the test
  // It starts again after a while.
  void Die();

  // -- mariadb::Server
  Result<void> MakeWritable(runtime::TimePoint deadline) override;
  Result<void> MakeReadOnly(runtime::TimePoint deadline) override;
  Result<mysql::ServerAnswer> Query(std::string_view sql, runtime::TimePoint deadline) override;
  uint64_t DataBytes() override;
  bool answers() const override { return answers_; }
  const runtime::Address& address() const override { return address_; }
  Ended Stop(runtime::TimePoint deadline) override;
  void PassTo(std::function<void()> on_restart, std::function<bool()> given_up) override;

  // -- What a move asks for (slacker/instance.h has what each means)
  uint64_t starts() const { return starts_; }
  // All that is durable, as in its file.
  std::string Dump() const;
  Result<mariadb::GtidPosition> WrittenTo();
  Result<mariadb::PrimaryLogin> AdmitReplica();
  Result<void> DismissReplica();
  Result<std::unique_ptr<runtime::Connection>> Connect();
  Result<void> Follow(const mariadb::PrimaryLogin& login, slacker::Dial dial, mariadb::Replication::Was was);
  Result<bool> AwaitFollowed(const mariadb::GtidPosition& position, runtime::TimePoint deadline);
  Result<void> CheckFollows();
  Result<void> MakeDurable();
  Result<void> StopFollowing();
  Result<void> ForgetPrimary();
  Result<void> Freeze(runtime::TimePoint deadline);
  Result<mariadb::GtidPosition> OpenSnapshot();
  Result<void> OpenSnapshotAt(const mariadb::GtidPosition& position);
  Result<mariadb::TableSums> ReadSums(mariadb::RowPace& pace);

 private:
  SimServer(SimCore& core, SimServers& all, Options options);

  Result<void> Start();
  Result<void> CheckUp() const;
  tl::unexpected<Error> Down() const;
  void SetReadOnly(bool read_only);
  Result<void> Append(const SimTransaction& transaction, bool durable);
  void Accept(runtime::Listener& listener);
  void Serve(runtime::Connection& connection);
  void FollowOn();
  Result<void> FollowOnce();
  uint64_t SumOf(size_t count) const;

  SimCore& core_;
  SimServers& all_;
  Options options_;
  const uint32_t number_;  // Of its GTIDs.
  runtime::Address address_;
  // Of what runs:
  std::shared_ptr<runtime::File> file_;
  std::vector<SimTransaction> log_;
  size_t synced_ = 0;  // So many of them are.
  bool answers_ = false;
  bool read_only_ = true;
  uint64_t starts_ = 0;
  std::unique_ptr<runtime::Listener> listener_;
  std::vector<runtime::Connection*> served_;  // Replicas, by the time at which they came.
  std::string password_;                      // Of a replica; "" lets none in.
  // As a replica:
  mariadb::PrimaryLogin login_;
  slacker::Dial dial_;
  bool follows_ = false;
  bool lazy_ = false;
  std::optional<size_t> until_;
  std::string broken_;  // Why it does not follow.
  runtime::Connection* primary_ = nullptr;
  std::optional<uint64_t> snapshot_;

  bool ending_ = false;
  int inside_ = 0;      // Calls of clients.
  int committing_ = 0;  // Those that have begun to write.
  runtime::WaitQueue changed_;
  runtime::TaskGroup fibers_;
  runtime::TaskGroup follower_;
};

}  // namespace tradewind::sim
