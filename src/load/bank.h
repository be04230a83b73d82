// A bank at a tenant, and clients that use it through several nodes at once: the load of the demo, of the
// tests of moves, and the first workload of the load generator. What the database must hold afterwards is
// known exactly, so that a lost, doubled or half-done transaction shows.
//
//   accounts  a few pages, hot: every transfer changes two balances, their sum never changes
//   ledger    a row for each transfer, with its unique id
//   entries   wide rows that make up the size, cold: read one by one, in ranges, and rewritten
//
// Clients are closed-loop fibers with a pause between operations; each operation goes to the next node in
// turn. None retries. One core only.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/hrana_client.h"
#include "load/samples.h"
#include "load/transfer_log.h"
#include "runtime/fiber.h"

namespace tradewind::load {

struct BankOptions {
  std::string tenant = "shop";
  std::vector<std::string> servers;  // URLs of the nodes that the clients use.
  std::string token;
  int64_t accounts = 1000;
  int64_t opening_balance = 1000;
  uint64_t entry_bytes = 0;  // How large the entries are together.
  uint64_t seed = 1;

  int point_readers = 2;
  int range_readers = 1;
  int auditors = 1;  // Read the sum of all balances.
  int batch_writers = 2;
  int interactive_writers = 2;                              // A transfer over three requests.
  runtime::Duration pause = std::chrono::milliseconds(20);  // Between a client's operations, on average.
};

struct BankCounts {
  uint64_t requests = 0;
  uint64_t failed =
      0;  // Requests with an error that a client would have shown to its user, and wrong answers.
  uint64_t aborted = 0;  // Transactions that were rolled back with an error that says that a retry will do.
  uint64_t aborted_batches = 0;  // Those among them that were one request.
};

struct BankVerdict {
  LedgerFindings ledger;
  bool balances_agree = false;  // Each account has what the ledger says, and the sum is what it was.
  bool entries_agree = false;   // None is missing or damaged.
  std::string integrity;        // SQLite's integrity_check: "ok".
  bool ok() const { return ledger.ok() && balances_agree && entries_agree && integrity == "ok"; }
};

class Bank {
 public:
  // Fails with URL_INVALID. Requires: at least one server. The HTTP client must outlive it.
  static Result<std::unique_ptr<Bank>> Make(runtime::Core& core, net::HttpClient& http, BankOptions options);
  ~Bank();  // Requires: no client runs.

  // Makes the tables in the empty tenant and fills them, in transactions of about 10 MB. An error of
  // `progress`, which is told how far it has come, ends it. Suspends.
  Result<void> Fill(const std::function<Result<void>(uint64_t bytes)>& progress = {});

  void Start();
  // Suspends until every client has ended its operation.
  void Stop();
  // Suspends until `count` more transfers have been acknowledged, or the deadline has passed (false).
  bool AwaitTransfers(uint64_t count, runtime::TimePoint deadline);

  // Compares the database, read through the first server, with what the clients know. Suspends.
  Result<BankVerdict> Verify();

  const BankOptions& options() const { return options_; }
  const Samples& samples() const { return samples_; }  // Of successful requests.
  const BankCounts& counts() const { return counts_; }
  uint64_t acknowledged() const { return acknowledged_; }
  int clients() const;
  int64_t entries() const { return entries_; }
  // The first failures, in words.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct Client;
  using Operation = void (Bank::*)(Client&);

  Bank(runtime::Core& core, BankOptions options);
  void StartClients(int count, Operation operation);
  void Run(Client& client, Operation operation);

  void ReadPoint(Client& client);
  void ReadRange(Client& client);
  void Audit(Client& client);
  void TransferInBatch(Client& client);
  void TransferInteractively(Client& client);
  void ReadOwnWrite(Client& client, TransferId transfer);

  std::vector<Statement> TransferStatements(Client& client, TransferId transfer);
  TransferId NextTransfer(Client& client);
  HranaClient& NextServer(Client& client);
  Result<StatementResult> ReadOne(Client& client, Statement statement);
  // Counts and times one request.
  template <typename Call>
  auto Timed(Call call);
  void Conclude(TransferId transfer, Outcome outcome);
  void CountError(const char* operation, const Error& error);
  void Complain(std::string complaint);

  Result<int64_t> QueryNumber(const std::string& sql);
  Result<std::map<TransferId, int64_t>> ReadLedger();

  runtime::Core& core_;
  const BankOptions options_;
  std::vector<HranaClient> servers_;
  int64_t entries_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
  runtime::TaskGroup running_;
  runtime::Event stopping_;
  runtime::WaitQueue transfer_acknowledged_;

  Samples samples_;
  BankCounts counts_;
  uint64_t acknowledged_ = 0;
  TransferLog transfers_;
  std::vector<std::string> complaints_;
};

}  // namespace tradewind::load
