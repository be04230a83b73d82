// What else a tenant may go through while it moves, beside the bank's clients: tables and indexes made,
// altered and dropped, thousands of rows inserted and deleted, blobs of 1 MB written and read back, and a
// VACUUM. Each client checks what it reads. One core only.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/hrana_client.h"
#include "runtime/fiber.h"

namespace tradewind::tests {

class Turmoil {
 public:
  // Fails with URL_INVALID. Requests go to the servers in turn. The HTTP client must outlive it.
  static Result<std::unique_ptr<Turmoil>> Make(runtime::Core& core, net::HttpClient& http,
                                               const std::vector<std::string>& servers,
                                               const std::string& tenant);

  void Start();
  // Suspends until every client has ended its round.
  void Stop();
  // Rewrites the whole database. Suspends.
  Result<void> Vacuum();

  // Rounds that each client has been through at least; nothing is shown by one that has not worked.
  int rounds() const { return std::min({schema_rounds_, bulk_rounds_, blob_rounds_}); }
  // Requests that failed, and wrong answers, in words.
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  using Round = Result<void> (Turmoil::*)(int round);

  explicit Turmoil(runtime::Core& core) : running_(core) {}
  void Run(Round round, int& rounds);
  Result<void> ChangeSchema(int round);
  Result<void> InsertAndDelete(int round);
  Result<void> WriteBlob(int round);
  Result<load::StatementResult> Ask(const std::string& sql, std::vector<sql::Value> arguments = {});
  Result<void> Expect(const std::string& sql, int64_t expected);

  std::vector<load::HranaClient> servers_;
  size_t next_server_ = 0;
  std::mt19937_64 random_{11};
  bool stopping_ = false;
  int schema_rounds_ = 0;
  int bulk_rounds_ = 0;
  int blob_rounds_ = 0;
  std::vector<std::string> failures_;
  runtime::TaskGroup running_;
};

}  // namespace tradewind::tests
