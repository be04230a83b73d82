// What the requests of a load are. A workload knows its tables, makes and fills them, draws one request after
// the other, checks each answer as far as it can, and says at the end whether the database is as it must be.
//
// One core only; calls that take a client suspend. The requests of one workload may be under way together.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/hrana_client.h"

namespace tradewind::load {

// A transaction that was rolled back because its tenant moved, and may be run again.
inline constexpr std::string_view kAbortedCode = "SQLITE_BUSY_SNAPSHOT";

struct WorkloadOptions {
  size_t tenants = 1;
  int64_t records = 10'000;     // Of each tenant, in the workload's main table.
  int64_t record_bytes = 1000;  // Of each of these.
  int operations = 1;           // Of a request of YCSB; more than one are a transaction.
};

// What Verify() found: {"name", "ok", and figures of its own}.
struct WorkloadChecks {
  bool ok = true;
  boost::json::object figures;
};

// Draws one request after the other.
class Requests {
 public:
  using Random = std::mt19937_64;

  virtual ~Requests() = default;

  struct Request {
    const char* operation;  // Its name in the results.
    std::function<Result<void>(const HranaClient&)> run;
  };
  virtual Request Draw(size_t tenant, Random& random) = 0;
};

class Workload : public Requests {
 public:
  using Progress = std::function<Result<void>(uint64_t bytes)>;

  virtual std::string name() const = 0;
  // Makes the tables of an empty tenant and fills them. An error of `progress` ends it.
  virtual Result<void> Fill(const HranaClient& client, Random& random, const Progress& progress) = 0;
  // Fails with WORKLOAD_TABLES (kRefused) when the tenant was not filled for this workload and its options.
  virtual Result<void> CheckTables(const HranaClient& client, size_t tenant) = 0;

  // After the last request. `client_of` gives a client of a tenant. None: it checks nothing beyond the
  // answers.
  virtual Result<std::optional<WorkloadChecks>> Verify(
      const std::function<const HranaClient&(size_t tenant)>& client_of) = 0;
};

// "ycsb-a" to "ycsb-f", "tpcc", "bank". Fails with WORKLOAD_UNKNOWN (kInvalid).
Result<std::unique_ptr<Workload>> MakeWorkload(std::string_view name, const WorkloadOptions& options);

std::unique_ptr<Workload> MakeYcsb(char mix, const WorkloadOptions& options);
std::unique_ptr<Workload> MakeTpcc(const WorkloadOptions& options);
std::unique_ptr<Workload> MakeOpenBank(const WorkloadOptions& options);

// -- What workloads share

Statement Sql(std::string sql, std::vector<sql::Value> arguments = {});
// -1 for what is no integer.
int64_t IntegerOf(const sql::Value& value);
// One statement in one request, which also closes the stream.
Result<StatementResult> RunOne(const HranaClient& client, Statement statement);
tl::unexpected<Error> WrongAnswer(std::string what);
tl::unexpected<Error> TablesMissing(std::string_view workload, const std::string& why);
// Runs `sql`, which inserts rows ?1 to ?2, over 1 to `rows` in transactions of about 4 MB.
Result<void> FillRows(const HranaClient& client, const std::string& sql, int64_t rows, int64_t row_bytes,
                      const Workload::Progress& progress);

}  // namespace tradewind::load
