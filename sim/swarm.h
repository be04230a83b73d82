// A swarm: from one seed a small cluster, clients that do everything at once on a few names, and faults, several at
// a time. What must hold is judged from what the clients were told (swarm_history.h), and:
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
// The same seed is the same run. story() tells it, with what the nodes logged.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/load/hrana_client.h"
#include "runtime/fiber.h"
#include "sim/cluster.h"
#include "sim/swarm_history.h"
#include "sqlite/value.h"

namespace tradewind::sim {

// What is drawn from; a test that looks for one kind of fault leaves the others out.
struct SwarmOptions {
  uint64_t seed = 1;
  int rounds = 8;            // Of faults, each with some seconds of virtual time.
  int at_once = 3;           // At most, in a round.
  bool crashes = true;       // At any moment, or at a step of a move; by power loss, or a kill.
  bool cuts = true;          // Of links between nodes, and with clients.
  bool full_disks = true;    // At once, or after some more bytes.
  bool flipped_bits = true;  // Between nodes.
  bool second_nodes = true;  // With the name of one that runs, or is down.
  bool slow_links = true;    // Everything is far away, the catalog too.
};

class Swarm {
 public:
  explicit Swarm(SwarmOptions options);
  ~Swarm();

  // Runs it and judges it. What was wrong is in findings().
  void Play();
  uint64_t seed() const { return options_.seed; }
  const std::vector<std::string>& findings() const { return findings_; }
  // What happened, a line each, with the virtual time.
  const std::vector<std::string>& story() const { return story_; }
  uint64_t acknowledged() const { return history_.acknowledged(); }
  uint64_t trace_hash() { return cluster_.world().trace_hash(); }

 private:
  class Listener;
  using Action = std::function<void()>;

  runtime::TimePoint now() { return cluster_.world().now(); }
  Random& random() { return cluster_.world().random(); }
  void Tell(const std::string& line);
  void Find(std::string what);
  std::string AnyHost();
  std::string AnyTenant();
  void Client(const std::string& name, void (Swarm::*act)());

  // swarm.cc: clients of the admin API; each is a fiber until stopping_.
  void Administer();
  void Rush(const std::string& tenant);
  void Create(const std::string& tenant);
  void Import(const std::string& tenant);
  void MakeFile();
  void Delete(const std::string& tenant);
  void Move(const std::string& tenant);
  void Drain();
  void Look(const std::string& tenant);
  // A call of the admin API; its status, or 0 when no answer came.
  int Call(const std::string& host, const std::string& method, const std::string& target,
           const std::string& body, std::string* answer = nullptr);

  // swarm_sql.cc: clients of tenants.
  load::HranaClient ClientOf(const std::string& tenant, const std::string& host);
  sqlite::Statement Insert(int64_t id, const std::string& tenant) const;
  std::set<int64_t> CheckRead(const std::string& tenant, const sqlite::StatementResult& result, int64_t own,
                              runtime::TimePoint sent);
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
  Action GoDown();
  void BringBack(const std::string& host, int tries);
  Action CutLinks();
  Action FillDisk();
  Action FlipBits();
  Action StartSecondNode();
  Action SlowDown();

  // swarm_judge.cc
  void Settle();
  void Judge();
  void AwaitMoves();
  std::map<std::string, std::string> Owners();
  void JudgeServed(const std::string& tenant);
  void JudgeMoves(const std::string& tenant, const std::string& owner);
  void JudgeFreshNames();
  void JudgeFiles();
  std::string StrayFile(const std::map<std::string, std::string>& owners);

  std::unique_ptr<Listener> listener_;  // Before the cluster, whose nodes it hears.
  const SwarmOptions options_;
  const std::vector<std::string> hosts_;
  std::vector<std::string> findings_;
  std::vector<std::string> story_;
  Cluster cluster_;
  History history_;
  std::string file_;                               // A database with an empty table, for imports.
  std::multimap<runtime::TimePoint, Action> due_;  // Beginnings and ends of faults.
  bool stopping_ = false;
  int running_ = 0;
};

}  // namespace tradewind::sim
