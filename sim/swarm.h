// A swarm: from one seed a small cluster, clients that do everything at once on a few names, and faults, several at
// a time. What must hold is watched by the checkers (checkers/checkers.h) at every step, and checked from what the clients
// were told (swarm_history.h); and:
//
//   - a name that is created again is refused, and what it holds stays
//   - a second node of a name is refused
//   - what a session remembers of its last statement, it remembers over moves
//   - a node starts again whatever else is wrong, but that one without tenants may need its catalog,
//     and the catalog's some room on its disk
//   - when the faults are over every call is answered, every move ends, every tenant serves through every node,
//     is whole, and can be moved to each node; names can be made and deleted; and the files of each node are those
//     of the tenants that its journal and the catalog say it owns
//
// The same seed is the same run. Story() tells it in plain words.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "load/hrana_client.h"
#include "move/step.h"
#include "runtime/fiber.h"
#include "sim/cluster.h"
#include "sim/instances/instance_load.h"
#include "sim/swarm_history.h"
#include "sql/value.h"

namespace tradewind::sim {

// What is drawn from; a test that looks for one kind of fault leaves the others out.
struct SwarmOptions {
  uint64_t seed = 1;
  int rounds = 8;             // Of faults, each with some seconds of virtual time.
  int at_once = 3;            // At most, in a round.
  bool crashes = true;        // At any moment, or at a step of a move; by power loss, or a kill.
  bool cuts = true;           // The same, of links between nodes, and with clients.
  bool full_disks = true;     // At once, or after some more bytes.
  bool flipped_bits = true;   // Between nodes.
  bool second_nodes = true;   // With the name of one that runs, or is down.
  bool slow_links = true;     // Everything is far away, the catalog too; or two nodes are.
  bool failing_syncs = true;  // Some syncs of a disk fail; then its node is started again.
  bool clock_jumps = true;    // The calendar of a node is set.
  bool dying_servers = true;  // Of the MariaDB tenant, if there is one; its tools and freezes fail, too.
  bool mostly_moves = false;  // The clients of the admin API hardly do anything else.
  std::vector<move::Step> steps =
      {};  // Faults that wait for a step of a move wait for one of these; none: for any.
  // Nodes, their cores, tenants, their sizes, their pages' size, and clients are drawn too.
  bool draws_shape = false;

  static const std::array<bool SwarmOptions::*, 9> kFaults;
};
inline constexpr std::array<bool SwarmOptions::*, 9> SwarmOptions::kFaults = {
    &SwarmOptions::crashes,       &SwarmOptions::cuts,         &SwarmOptions::full_disks,
    &SwarmOptions::flipped_bits,  &SwarmOptions::second_nodes, &SwarmOptions::slow_links,
    &SwarmOptions::failing_syncs, &SwarmOptions::clock_jumps,  &SwarmOptions::dying_servers};

// What the cluster and its clients are.
struct SwarmShape {
  std::vector<std::string> hosts = {"n1", "n2", "n3"};
  std::vector<std::string> names = {"kept", "held", "churn",
                                    "spin"};  // Those with a k or h are never deleted.
  uint32_t page_size = 4096;                  // Of what is imported.
  int administrators = 3;
  int writers = 3;
  int transactors = 4;
  int sessions = 2;
  uint64_t rows = 0;  // That each kept tenant has from the beginning.
  std::optional<size_t> open_tenants = {};
  size_t cores = 1;           // Of each node.
  bool has_instance = false;  // A tenant of MariaDB beside the others, with clients of its own.
};
SwarmShape DrawShape(const SwarmOptions& options);

inline constexpr std::string_view kSwarmInstance = "crm";

class Swarm {
 public:
  explicit Swarm(SwarmOptions options);
  ~Swarm();

  // Runs it and checks what came of it. What was wrong is in findings().
  void Play();
  uint64_t seed() const { return options_.seed; }
  const std::vector<std::string>& findings() const { return findings_; }
  // What happened to whom, a line each, with the virtual time, and at last what was wrong.
  std::vector<std::string> Story() const;
  // Every line of the world's trace from now on, in order.
  void KeepTrace() {
    cluster_.world().trace().SetSink([this](const std::string& line) { trace_.push_back(line); });
  }
  const std::vector<std::string>& trace() const { return trace_; }
  uint64_t checks() { return cluster_.checkers().checks(); }
  uint64_t acknowledged() const { return history_.acknowledged(); }
  uint64_t trace_hash() { return cluster_.world().trace_hash(); }

 private:
  class Listener;
  using Action = std::function<void()>;

  runtime::TimePoint now() { return cluster_.world().now(); }
  Random& random() { return cluster_.world().random(); }
  void Tell(const std::string& line, bool of_node = false);
  void Find(std::string what);
  // What a line means, with a short name for each move.
  std::string InPlainWords(std::string line) const;
  std::string NameOfMove(const std::string& id);
  std::string AnyHost();
  std::string AnyTenant();
  void Client(const std::string& name, void (Swarm::*act)());

  // swarm.cc: clients of the admin API; each is a fiber until stopping_.
  void Administer();
  void Begin();
  void Fill(const std::string& tenant);
  void Rush(const std::string& tenant);
  void Create(const std::string& tenant);
  void Import(const std::string& tenant);
  void MakeFile();
  void Delete(const std::string& tenant);
  void ChangeCore(const std::string& tenant);
  void Move(const std::string& tenant);
  void ChangeMove(const std::string& tenant, const std::string& id);
  void Drain();
  void MoveInstance();
  void Look(const std::string& tenant);
  // A call of the admin API; its status, or 0 when no answer came.
  int Call(const std::string& host, const std::string& method, const std::string& target,
           const std::string& body, std::string* answer = nullptr);

  // swarm_sql.cc: clients of tenants.
  load::HranaClient ClientOf(const std::string& tenant, const std::string& host);
  sql::Statement Insert(int64_t id, const std::string& tenant) const;
  std::set<int64_t> CheckRead(const std::string& tenant, const sql::StatementResult& result, int64_t own,
                              runtime::TimePoint sent);
  void NoteAcknowledged(const std::string& tenant, int64_t id);
  void Write();
  void InTransactions();
  std::optional<int64_t> Transact(const std::string& tenant, load::HranaStream& stream);
  void InSessions();
  void PauseAtLength();

  // swarm_faults.cc: some at once, a round. Not in a fiber.
  void Round();
  void Let(runtime::Duration time);
  void Later(runtime::Duration time, Action action);
  // The fault begins; what ends it.
  Action BeginFault();
  Action NowOrAtAStep(const std::string& what, Action begin, Action end);
  Action GoDown();
  void BringBack(const std::string& host, int tries);
  Action CutLinks();
  Action FillDisk();
  Action FlipBits();
  Action StartSecondNode();
  Action SlowDown();
  Action FailSyncs();
  Action JumpClock();
  Action KillServer();

  // swarm_checks.cc
  void Settle();
  void CheckOutcome();
  void AwaitMoves();
  std::map<std::string, std::string> Owners();
  void CheckServed(const std::string& tenant);
  void CheckInstanceServed();
  void CheckMoves(const std::string& tenant, const std::string& owner);
  void CheckFreshNames();
  void CheckFiles();
  std::string StrayFile(const std::map<std::string, std::string>& owners);

  std::unique_ptr<Listener> listener_;  // Before the cluster, whose nodes it hears.
  std::unique_ptr<InstanceLoad> load_;  // And this, whose nodes it visits. Null: there is no MariaDB tenant.
  const SwarmOptions options_;
  const SwarmShape shape_;
  const std::vector<std::string>& hosts_ = shape_.hosts;
  std::vector<std::string> findings_;
  struct Event {
    runtime::TimePoint at;
    std::string line;
    bool of_node = false;  // A node logged it.
  };
  std::vector<Event> events_;
  std::map<std::string, std::string> moves_;  // Ids, and what the story calls them.
  std::vector<std::string> trace_;
  std::set<std::string> failing_;  // Hosts whose disks fail syncs.
  Cluster cluster_;
  History history_;
  std::string file_;                               // A database with an empty table, for imports.
  std::multimap<runtime::TimePoint, Action> due_;  // Beginnings and ends of faults.
  bool stopping_ = false;
  int running_ = 0;
};

}  // namespace tradewind::sim
