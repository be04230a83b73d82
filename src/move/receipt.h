// What a move has done so far, for people and programs: shown while it runs and kept after it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.h"
#include "move/phase.h"

namespace tradewind::move {

struct Receipt {
  MoveId id;
  TenantName tenant;
  std::string method = "zephyr";
  NodeName source;
  NodeName destination;
  Phase phase = Phase::kInit;
  Epoch epoch;             // The tenant's, as far as this move knows.
  int64_t started_at = 0;  // Unix milliseconds.
  std::optional<int64_t> ended_at;

  // Lengths in milliseconds, once known. The hand-over is from the first parked transaction to the
  // destination's word that it serves; relief from the command to the first transaction answered at the
  // destination. Before the hand-over nothing is parked while it waits for a quiet moment, at which no
  // transaction is open that may still write.
  std::optional<double> init_ms;
  std::optional<double> handover_ms;
  std::optional<double> dual_ms;
  std::optional<double> finish_ms;
  std::optional<double> quiet_ms;
  std::optional<double> relief_ms;

  // Of an engine that copies all of a tenant before the hand-over and then follows what is written: the parts of init, how
  // often it caught up, by how many transactions it was behind the last time, and how often a freeze failed.
  std::optional<double> snapshot_ms;
  std::optional<double> prepare_ms;
  std::optional<double> catchup_ms;
  std::optional<uint32_t> rounds;
  std::optional<uint64_t> lag_transactions;
  uint32_t failed_freezes = 0;

  uint32_t pages_total = 0;
  uint32_t pages_wireframe = 0;
  uint32_t pages_warm = 0;
  uint64_t pages_pulled = 0;
  uint32_t pages_pushed = 0;
  uint64_t bytes_sent = 0;
  uint64_t refused_commits = 0;  // "aborted": of the source, as a page of theirs was handed over.
  std::optional<uint32_t> pull_p50_us;
  std::optional<uint32_t> pull_p99_us;
  uint64_t rate_bytes_per_s = 0;  // The limit, now; 0 is none.
  std::optional<double> p95_ms;   // Of the worse end: now while it runs, on average once it is over.
  std::optional<double> setpoint_ms;
  std::string signal;      // What is held at the setpoint: p95, p99 or mean.
  std::string limited_by;  // What keeps it from being faster; empty when it does not send.
  std::optional<double> eta_s;
  std::optional<double> eta_low_s;
  std::optional<double> eta_high_s;
  std::optional<int64_t> finish_by;  // Unix milliseconds.
  std::optional<double> late_by_s;   // By so much it will miss that, as it looks now.
  bool verified = false;
  uint64_t hash = 0;
  std::string waiting_for;
  std::string error;
  std::string stopped;  // The code of what stopped the move, which goes on only when it is told to.
};

// As every command and call shows it (times in milliseconds, null where something does not apply yet).
std::string ToJson(const Receipt& receipt);

}  // namespace tradewind::move
