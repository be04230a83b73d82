// Whole moves of real instances: two nodes of one process, each with servers of its own, and clients that write all the while.
#include "slacker/local_instance.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mariadb/servers_fixture.h"
#include "move/fake_cluster.h"
#include "runtime/process.h"
#include "slacker/engine.h"

namespace tradewind::slacker {
namespace {

using namespace std::chrono_literals;
using move::FakeCluster;
using move::FakeNode;

// An instance at the node that serves it, with a gate: no proxy, so a test's clients ask it before each transaction.
class GatedTenant final : public tenant::HostedTenant {
 public:
  GatedTenant(runtime::Core& core, TenantName name, mariadb::BackupPrograms programs,
              std::unique_ptr<mariadb::Instance> server)
      : core_(core), name_(std::move(name)), server_(std::move(server)), fibers_(core) {
    instance = std::make_shared<LocalInstance>(core, programs, *server_, LocalInstance::Node());
    Unpark();
  }
  mariadb::Instance& server() { return *server_; }
  // Suspends until a transaction may begin here; false: it is served elsewhere.
  bool Begin() {
    WaitFor(changed_,
            [this] { return gate_ == tenant::Gate::kMoved || (gate_ == tenant::Gate::kOpen && writable_); });
    if (gate_ == tenant::Gate::kMoved) return false;
    ++open_;
    return true;
  }
  void End() {
    --open_;
    changed_.NotifyAll();
  }

  const TenantName& name() const override { return name_; }
  std::string_view engine() const override { return "mariadb"; }
  tenant::Gate gate() const override { return gate_; }
  void Park() override { SetGate(tenant::Gate::kParked); }
  void Unpark() override {
    SetGate(tenant::Gate::kOpen);
    fibers_.Spawn("writable", [this] {
      if (gate_ != tenant::Gate::kOpen) return;
      EXPECT_TRUE(server_->MakeWritable(core_.Now() + 60s));
      writable_ = true;
      changed_.NotifyAll();
    });
  }
  void SetMoved() override { SetGate(tenant::Gate::kMoved); }
  bool AwaitQuiet(runtime::Duration, const std::function<bool()>&) override { return true; }
  bool JoinTransactions(runtime::TimePoint deadline) override {
    return WaitForUntil(changed_, deadline, [this] { return open_ == 0; });
  }
  void AwaitRollbacks(runtime::TimePoint) override {}
  size_t exports() const override { return 0; }
  void Close(bool) override {
    fibers_.Join();
    EXPECT_TRUE(instance->StopFollowing());
    server_->Stop(core_.Now() + 60s);
  }
  bool IsIdle() const override { return false; }
  Result<void> CloseIdle(const std::function<bool()>&) override { return {}; }

  std::shared_ptr<LocalInstance> instance;

 private:
  void SetGate(tenant::Gate gate) {
    gate_ = gate;
    if (gate != tenant::Gate::kOpen) writable_ = false;
    changed_.NotifyAll();
  }

  runtime::Core& core_;
  const TenantName name_;
  const std::unique_ptr<mariadb::Instance> server_;
  tenant::Gate gate_ = tenant::Gate::kOpen;
  bool writable_ = false;
  int open_ = 0;
  runtime::WaitQueue changed_;
  runtime::TaskGroup fibers_;
};

// The engine over real instances, and their files as a node has them.
class EngineOfServers final : public move::FakeEngine, private Instances {
 public:
  EngineOfServers(runtime::Core& core, LocalCopy::Programs programs)
      : core_(core), programs_(std::move(programs)) {}

  static std::string FolderOf(const std::string& path) { return path + ".instance"; }
  mariadb::InstanceOptions OptionsOf(const std::string& path) const {
    mariadb::InstanceOptions options;
    options.folder = FolderOf(path);
    options.buffer_pool_bytes = 16u << 20;
    options.redo_log_bytes = 8u << 20;
    return options;
  }

  std::string_view name() const override { return engine_.name(); }
  std::unique_ptr<move::SourcePayload> MakeSource(move::SourceMove& move) override {
    return engine_.MakeSource(move);
  }
  std::unique_ptr<move::DestinationPayload> MakeDestination(const move::DestinationMove& move) override {
    return engine_.MakeDestination(move);
  }
  Result<std::unique_ptr<tenant::HostedTenant>> OpenToSendBack(move::MoveHost& host,
                                                               const TenantName& tenant) override {
    return engine_.OpenToSendBack(host, tenant);
  }
  Result<void> CheckFrozen(move::MoveHost& host, const TenantName& tenant) override {
    return engine_.CheckFrozen(host, tenant);
  }
  Result<std::unique_ptr<tenant::HostedTenant>> Open(runtime::Core&, const TenantName& tenant,
                                                     const std::string& path,
                                                     const std::vector<PageNumber>&) override {
    TW_TRY_ASSIGN(auto server,
                  mariadb::Instance::Open(core_, programs_.server, OptionsOf(path), core_.Now() + 60s));
    return std::unique_ptr<tenant::HostedTenant>(
        std::make_unique<GatedTenant>(core_, tenant, programs_.backup, std::move(server)));
  }
  Result<void> Remove(const std::string& path, tenant::RemovedFiles&) override {
    return mariadb::InstanceFolder(core_, FolderOf(path)).Remove();
  }

 private:
  Result<std::string> FindVersion() override { return programs_.server.version.ToString(); }
  Result<std::shared_ptr<Instance>> Of(tenant::HostedTenant& tenant) override {
    return std::shared_ptr<Instance>(static_cast<GatedTenant&>(tenant).instance);
  }
  std::unique_ptr<Copy> CopyOf(move::MoveHost& host, const TenantName& tenant) override {
    return std::make_unique<LocalCopy>(
        core_, [this] { return Result<LocalCopy::Programs>(programs_); }, OptionsOf(host.TenantPath(tenant)));
  }
  Result<std::unique_ptr<tenant::HostedTenant>> Host(move::MoveHost& host, const TenantName& tenant,
                                                     Copy& copy) override {
    copy.Leave();
    return Open(core_, tenant, host.TenantPath(tenant), {});
  }

  runtime::Core& core_;
  const LocalCopy::Programs programs_;
  slacker::Engine engine_{*this};
};

class LocalInstanceTest : public mariadb::ServersTest {
 protected:
  ~LocalInstanceTest() override {
    for (const std::string node : {"n1", "n2"}) {
      mariadb::InstanceFolder folder(*core_,
                                     EngineOfServers::FolderOf(root_.File(node) + "/tenants/shop.db"));
      if (const pid_t left = folder.LockHolder()) kill(left, SIGKILL);
    }
  }
  // n1 owns shop, which has some megabytes; clients write to it wherever it is until the body has returned.
  void With(std::function<void(FakeCluster&)> body) {
    Run([&] {
      EngineOfServers engine(*core_, {programs_, backup_programs_});
      FakeCluster cluster(*core_, root_.path(), engine);
      ASSERT_TRUE(cluster.catalog->CreateTenant("shop", "sqlite", "n1"));
      ASSERT_TRUE(cluster.n1().journal().Put({"shop", move::Role::kOwned, Epoch{1}, "", "", 0, false}));
      const std::string path = cluster.n1().TenantPath("shop");
      ASSERT_TRUE(mariadb::InstanceFolder(*core_, EngineOfServers::FolderOf(path)).Make(template_));
      cluster.n1().tenants().AddOwned("shop", Epoch{1});
      {
        auto use = cluster.n1().tenants().Find("shop");
        ASSERT_TRUE(use) << Describe(use.error());
        auto& tenant = static_cast<GatedTenant&>(use->hosted());
        ASSERT_TRUE(tenant.Begin());
        Ask(tenant.server(), "CREATE DATABASE shop");
        Ask(tenant.server(), "CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, text LONGTEXT)");
        Ask(tenant.server(), "CREATE TABLE shop.acknowledged (id INT PRIMARY KEY)");
        Insert(tenant.server(), 6, 1'000'000);
        tenant.End();
      }
      bool writing = true;
      runtime::TaskGroup clients(*core_);
      clients.Spawn("client", [&] {
        while (writing) Write(cluster);
      });
      body(cluster);
      writing = false;
      clients.Join();
      cluster.Stop();
    });
  }
  // One transaction, at whichever node takes it.
  void Write(FakeCluster& cluster) {
    for (auto& [name, node] : cluster.nodes) {
      if (!node->tenants().Has("shop")) continue;
      auto use = node->tenants().Find("shop");
      if (!use) continue;
      auto& tenant = static_cast<GatedTenant&>(use->hosted());
      if (!tenant.Begin()) continue;
      const auto connection = tenant.server().Connect(soon());
      const auto written = connection ? (*connection)
                                            ->Query("INSERT INTO shop.acknowledged VALUES (" +
                                                        std::to_string(acknowledged_ + 1) + ")",
                                                    soon())
                                      : Result<mysql::ServerAnswer>(Fail(connection.error()));
      EXPECT_TRUE(written) << Describe(written.error());
      if (written) ++acknowledged_;
      tenant.End();
      runtime::SleepFor(5ms);
      return;
    }
    runtime::Yield();
  }
  MoveId Start(FakeCluster& cluster, move::MoveOptions options = {}) {
    const auto started = cluster.n1().moves().Start({"shop", "n2", options});
    EXPECT_TRUE(started) << Describe(started.error());
    return started ? started->id : MoveId();
  }
  catalog::MoveRecord AwaitEnd(FakeCluster& cluster, const MoveId& id) {
    const auto deadline = soon() + 60s;
    while (core_->Now() < deadline) {
      const auto record = cluster.catalog->GetMove(id).value();
      // What one of them had is gone then.
      const bool settled =
          cluster.n1().journal().Find("shop").has_value() != cluster.n2().journal().Find("shop").has_value();
      if (catalog::IsOver(record.state) && settled && !cluster.n1().moves().IsMoving("shop") &&
          !cluster.n2().moves().IsMoving("shop"))
        return record;
      runtime::SleepFor(20ms);
    }
    ADD_FAILURE() << "the move does not end";
    return cluster.catalog->GetMove(id).value();
  }
  void AwaitOwner(FakeCluster& cluster, const NodeName& owner) {
    while (cluster.catalog->GetTenant("shop")->ownership.owner != owner) runtime::SleepFor(5ms);
  }
  void ExpectAllAt(FakeCluster& cluster, FakeNode& owner, FakeNode& other) {
    EXPECT_EQ(cluster.catalog->GetTenant("shop")->ownership.owner, owner.self());
    EXPECT_FALSE(std::filesystem::exists(EngineOfServers::FolderOf(other.TenantPath("shop"))));
    auto use = owner.tenants().Find("shop");
    ASSERT_TRUE(use) << Describe(use.error());
    auto& tenant = static_cast<GatedTenant&>(use->hosted());
    ASSERT_TRUE(tenant.Begin());
    const int acknowledged = acknowledged_;
    EXPECT_EQ(Ask(tenant.server(),
                  "SELECT COUNT(*) FROM shop.acknowledged WHERE id <= " + std::to_string(acknowledged)),
              std::to_string(acknowledged));
    EXPECT_EQ(Ask(tenant.server(), "SELECT COUNT(*) FROM shop.t"), "6");
    tenant.End();
  }

  int acknowledged_ = 0;
};

TEST_F(LocalInstanceTest, AnInstanceMovesWhileItIsWrittenToAndNothingIsLost) {
  With([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    const auto record = AwaitEnd(cluster, id);
    EXPECT_EQ(record.state, catalog::MoveState::kDone);
    EXPECT_THAT(record.receipt, testing::HasSubstr(R"("verified":true)"));
    const int before = acknowledged_;
    while (acknowledged_ < before + 5) runtime::SleepFor(5ms);
    ExpectAllAt(cluster, cluster.n2(), cluster.n1());
  });
}

TEST_F(LocalInstanceTest, ASourceThatIsKeptFollowsAndTheTenantGoesBackWithoutASnapshot) {
  With([&](FakeCluster& cluster) {
    move::MoveOptions options;
    options.keep_source = 600s;
    const MoveId id = Start(cluster, options);
    AwaitOwner(cluster, "n2");
    const int before = acknowledged_;
    while (acknowledged_ < before + 20) runtime::SleepFor(5ms);
    auto cancelled = cluster.n2().moves().Cancel(id);
    while (!cancelled && cancelled.error().kind == ErrorKind::kUnavailable) {
      runtime::SleepFor(5ms);
      cancelled = cluster.n2().moves().Cancel(id);
    }
    ASSERT_TRUE(cancelled) << Describe(cancelled.error());
    EXPECT_EQ(AwaitEnd(cluster, id).state, catalog::MoveState::kCancelled);
    ExpectAllAt(cluster, cluster.n1(), cluster.n2());
  });
}

// A copy of a server as the source of a move makes it, without a move.
class LocalCopyTest : public mariadb::ServersTest {
 protected:
  ~LocalCopyTest() override {
    if (const pid_t left = Folder("copy").LockHolder()) kill(left, SIGKILL);
  }
  LocalCopy NewCopy() {
    mariadb::InstanceOptions options;
    options.folder = root_.File("copy");
    options.buffer_pool_bytes = 16u << 20;
    options.redo_log_bytes = 8u << 20;
    return LocalCopy(
        *core_,
        [this] {
          return Result<LocalCopy::Programs>(LocalCopy::Programs{programs_, backup_programs_});
        },
        options);
  }
  void Fill(LocalCopy& copy, LocalInstance& source) {
    ASSERT_TRUE(copy.Begin());
    auto backup = source.StartBackup();
    ASSERT_TRUE(backup) << Describe(backup.error());
    std::vector<std::byte> piece(64u << 10);
    for (;;) {
      const auto got = (*backup)->Read(piece);
      ASSERT_TRUE(got) << Describe(got.error());
      if (*got == 0) break;
      ASSERT_TRUE(copy.Write(Bytes(piece).first(*got)));
    }
    (*backup)->End();
    mariadb::AnyAllowance allowance;
    ASSERT_TRUE(copy.Prepare(allowance));
  }
  std::string StatusOf(mariadb::Instance& server, const std::string& column) {
    const auto connection = Connect(server);
    if (!connection) return {};
    const auto answer = connection->Query("SHOW SLAVE STATUS", soon());
    if (!answer || answer->rows.empty()) return {};
    const auto found = std::find(answer->columns.begin(), answer->columns.end(), column);
    return answer->rows[0].at(static_cast<size_t>(found - answer->columns.begin())).value_or("");
  }
};

TEST_F(LocalCopyTest, ThePortOfAReplicaIsHeldUntilItsServerFollowsNobody) {
  Run([&] {
    const auto server = OpenWritable("source");
    ASSERT_TRUE(server);
    LocalInstance source(*core_, backup_programs_, *server, {});
    LocalCopy copy = NewCopy();
    Fill(copy, source);
    const auto replica = copy.Start();
    ASSERT_TRUE(replica) << Describe(replica.error());
    const auto login = source.AdmitReplica();
    ASSERT_TRUE(login);
    int dialed = 0;
    ASSERT_TRUE((*replica)->Follow(
        *login, [&] { return ++dialed, source.Connect(); }, mariadb::Replication::Was::kSnapshot));
    const auto position = source.WrittenTo();
    ASSERT_TRUE((*replica)->AwaitFollowed(*position, soon()).value_or(false));

    const auto taken = copy.TakeServer();
    const auto port = static_cast<uint16_t>(std::stoi(StatusOf(*taken, "Master_Port")));
    const auto is_taken = [&] { return !core_->network().Listen({"127.0.0.1", port}); };
    EXPECT_TRUE(is_taken());
    // It goes on trying, and reaches nobody.
    while (StatusOf(*taken, "Slave_IO_Running") != "Connecting") runtime::SleepFor(20ms);
    EXPECT_EQ(dialed, 1);
    LocalInstance hosted(*core_, backup_programs_, *taken, {});
    ASSERT_TRUE(hosted.ForgetPrimary());
    EXPECT_EQ(StatusOf(*taken, "Master_Port"), "");
    EXPECT_TRUE(is_taken());
    copy.EndFollowing();
    EXPECT_FALSE(is_taken());
    EXPECT_EQ(dialed, 1);
    Stop(*taken);
    Stop(*server);
  });
}

TEST_F(LocalCopyTest, TheServerOfACopyStandsBackForProcessorsUntilItIsNear) {
  if (!runtime::CanLowerNiceness()) GTEST_SKIP() << "nothing that stands back could be put back here";
  Run([&] {
    const auto server = OpenWritable("source");
    ASSERT_TRUE(server);
    LocalInstance source(*core_, backup_programs_, *server, {});
    LocalCopy copy = NewCopy();
    Fill(copy, source);
    const auto replica = copy.Start();
    ASSERT_TRUE(replica) << Describe(replica.error());
    const pid_t pid = Folder("copy").LockHolder();
    const auto threads = [&] {
      std::vector<id_t> found;
      for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task"))
        found.push_back(static_cast<id_t>(std::stoi(thread.path().filename())));
      return found;
    };
    const auto niceness = [&] {
      std::set<int> of_threads;
      for (const id_t thread : threads()) {
        errno = 0;
        const int of_thread = getpriority(PRIO_PROCESS, thread);
        if (errno == 0) of_threads.insert(of_thread);  // Otherwise it has ended meanwhile.
      }
      return of_threads;
    };
    const int here = getpriority(PRIO_PROCESS, 0);
    const auto standing_back = testing::ElementsAre(std::min(here + 5, 19));
    EXPECT_THAT(niceness(), standing_back);
    ASSERT_TRUE((*replica)->MakeDurable());
    EXPECT_THAT(niceness(), testing::ElementsAre(here));
    // One that did when its node was killed is put back by the node that adopts it.
    // Again where one of them has begun another before it was its turn.
    while (niceness() != std::set{std::min(here + 5, 19)})
      for (const id_t thread : threads()) setpriority(PRIO_PROCESS, thread, std::min(here + 5, 19));
    copy.Leave();
    ASSERT_TRUE(copy.Open());
    EXPECT_THAT(niceness(), testing::ElementsAre(here));
    Stop(*copy.TakeServer());
    copy.EndFollowing();
    Stop(*server);
  });
}

TEST_F(LocalCopyTest, AServerThatIsAdoptedFollowsNobody) {
  Run([&] {
    auto server = OpenWritable("source");
    ASSERT_TRUE(server);
    {
      LocalInstance source(*core_, backup_programs_, *server, {});
      ASSERT_TRUE(source.Follow(
          {"nobody", "nothing"}, [&] { return source.Connect(); }, mariadb::Replication::Was::kReplica));
      EXPECT_NE(StatusOf(*server, "Slave_IO_Running"), "No");
      source.CutOff();
      source.StopListening();
    }
    server->Leave();
    const auto again = Open("source");
    ASSERT_TRUE(again && again->adopted());
    EXPECT_EQ(StatusOf(*again, "Slave_IO_Running"), "No");
    Stop(*again);
  });
}

}  // namespace
}  // namespace tradewind::slacker
