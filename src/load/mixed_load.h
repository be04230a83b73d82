// An open-loop load of point reads and small durable writes over one tenant or many, each request through the
// next node in turn: the load of the measurements of moves and drains. Every answer is checked.
//
//   items   (id INTEGER PRIMARY KEY, twin, payload): ids 1 to N, twin = id * kTwinFactor; read one by one,
//           and their payload rewritten
//   events  (id INTEGER PRIMARY KEY, note): a row for each acknowledged insert
//
// A tenant must have these tables, the items filled, before the load starts. It does not retry. One core
// only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/hrana_client.h"
#include "load/key_picker.h"
#include "load/open_loop.h"
#include "load/samples.h"

namespace tradewind::load {

inline constexpr int64_t kTwinFactor = 7919;
inline constexpr int64_t kItemBytes = 990;  // Of a payload: four items fill a page of 4096 bytes.
inline constexpr std::string_view kMixedLoadTables =
    "CREATE TABLE items (id INTEGER PRIMARY KEY, twin INTEGER NOT NULL, payload BLOB NOT NULL);"
    "CREATE TABLE events (id INTEGER PRIMARY KEY, note TEXT NOT NULL);";

struct MixedLoadOptions {
  std::vector<std::string> tenants;
  std::vector<std::string> servers;  // URLs of the nodes.
  int64_t items = 0;                 // Of each tenant.
  OpenLoopOptions arrivals;
  KeyChoice keys = KeyChoice::kZipfian;
  uint64_t seed = 1;
  int64_t last_event = 0;  // The highest id in events that an earlier load may have left.
  // Of a hundred requests; the rest are point reads. A transaction counts once: the batch is one request, the
  // interactive one takes three.
  int updates = 10;
  int inserts = 8;
  int batches = 1;
  int interactive = 1;
};

struct MixedLoadCounts {
  uint64_t sent = 0;
  uint64_t succeeded = 0;
  uint64_t failed = 0;   // With an error that a user would have seen, or a wrong answer.
  uint64_t aborted = 0;  // Transactions rolled back because their tenant moved, which may be run again.
};

class MixedLoad {
 public:
  // Fails with URL_INVALID. Requires: a server, a tenant, an item. The HTTP client must outlive it.
  static Result<std::unique_ptr<MixedLoad>> Make(runtime::Core& core, net::HttpClient& http,
                                                 MixedLoadOptions options);

  void Start() { loop_.Start(); }
  // Suspends until every request is answered.
  void Stop() { loop_.Stop(); }

  // After Stop(): the acknowledged inserts that are not there, and those there that nobody sent, over all
  // tenants that were written to. Reads through the last server. Suspends.
  struct Findings {
    uint64_t acknowledged = 0;
    uint64_t lost = 0;
    uint64_t ghosts = 0;
  };
  Result<Findings> Verify();

  int64_t last_event() const { return next_event_; }
  const MixedLoadOptions& options() const { return options_; }
  const MixedLoadCounts& counts() const { return counts_; }
  // Of successful requests, from the intended moment of sending.
  const Samples& samples() const { return samples_; }
  const std::vector<std::string>& complaints() const { return complaints_; }  // The first failures.

 private:
  enum class Fate { kAcknowledged, kOpen };
  struct Event {
    size_t tenant;
    int64_t id;
    Fate fate;
  };

  MixedLoad(runtime::Core& core, MixedLoadOptions options);
  void Request(uint64_t arrival, runtime::TimePoint intended);
  Result<void> Read(const HranaClient& client);
  Result<void> Update(const HranaClient& client);
  Result<void> Insert(const HranaClient& client, size_t tenant);
  Result<void> Batch(const HranaClient& client, size_t tenant);
  Result<void> Interactive(const HranaClient& client, size_t tenant);
  std::vector<Statement> WriteStatements(int64_t event);
  void Conclude(size_t tenant, int64_t event, const Result<void>& outcome);
  void Count(const char* operation, const Result<void>& outcome, runtime::TimePoint intended);
  const HranaClient& ClientOf(size_t tenant, size_t server) const;

  runtime::Core& core_;
  const MixedLoadOptions options_;
  std::vector<HranaClient> clients_;  // By tenant, then by server.
  KeyPicker keys_;
  std::mt19937_64 random_;
  int64_t next_event_ = 0;
  std::vector<Event> events_;
  MixedLoadCounts counts_;
  Samples samples_;
  std::vector<std::string> complaints_;
  OpenLoop loop_;
};

}  // namespace tradewind::load
