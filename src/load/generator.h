// Sends requests, such as those of a workload, when they are to be sent, each through the next node in turn, and keeps
// what became of every one. Open loop: latency counts from the moment at which a request was meant to be
// sent.
//
// A fixed number of workers takes the arrivals in their order, so that connections are bounded; when all of
// them wait, the arrivals behind them are sent as soon as one is free, late, and their latency shows it.
//
// Each request costs 24 bytes of memory: ten minutes at 20,000 a second are 290 MB. One core only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "load/arrivals.h"
#include "load/key_picker.h"
#include "load/workload.h"
#include "runtime/fiber.h"

namespace tradewind::load {

enum class RequestOutcome : uint8_t { kSucceeded, kFailed, kAborted };

struct Sent {
  double at_s;         // When it was to be sent, from the start.
  int64_t latency_ns;  // From then to its answer.
  uint32_t tenant;
  uint16_t operation;  // Index into Generator::operations().
  RequestOutcome outcome;
};

struct GeneratorOptions {
  std::vector<std::string> tenants;
  std::vector<std::string> servers;  // URLs.
  std::string token;
  int workers = 64;
  bool skewed_tenants = false;  // A few tenants get far more requests than the rest.
  uint64_t seed = 1;
};

class Generator {
 public:
  // Fails with URL_INVALID. The HTTP client and the requests must outlive it. Requires: a tenant, a server.
  static Result<std::unique_ptr<Generator>> Make(runtime::Core& core, net::HttpClient& http,
                                                 Requests& requests, GeneratorOptions options);
  ~Generator();  // Requires: Stop() has returned, or Start() was never called.

  void Start(std::unique_ptr<Arrivals> arrivals);
  // Sends nothing that is due later than now. Suspends until every request is answered.
  void Stop();
  // Whether the arrivals have come to their end, and all are answered.
  bool finished() const { return running_.size() == 0; }

  runtime::TimePoint started() const { return started_; }
  double now_s() const;
  const std::vector<Sent>& sent() const { return sent_; }  // In the order of their answers.
  const std::vector<std::string>& operations() const { return operations_; }
  const std::vector<std::string>& complaints() const { return complaints_; }  // The first failures.
  // Asks the first server.
  const HranaClient& client_of(size_t tenant) const { return clients_[tenant * options_.servers.size()]; }
  Requests::Random& random() { return random_; }

 private:
  Generator(runtime::Core& core, Requests& requests, GeneratorOptions options);
  void Work();
  void Send(double at_s);
  uint16_t OperationNumber(const char* name);

  runtime::Core& core_;
  Requests& requests_;
  const GeneratorOptions options_;
  std::vector<HranaClient> clients_;  // By tenant, then by server.
  KeyPicker tenant_picker_;
  Requests::Random random_;
  std::unique_ptr<Arrivals> arrivals_;
  std::optional<double> next_;
  uint64_t arrival_ = 0;
  runtime::TimePoint started_{};
  double end_s_ = 0;
  std::vector<Sent> sent_;
  std::vector<std::string> operations_;
  std::vector<std::string> complaints_;
  runtime::Event stopping_;
  runtime::TaskGroup running_;
};

}  // namespace tradewind::load
