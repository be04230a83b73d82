#include "load/workload.h"

#include <fmt/format.h>

#include <algorithm>

namespace tradewind::load {

namespace {
constexpr int64_t kFillBytes = 4'000'000;
}

Result<std::unique_ptr<Workload>> MakeWorkload(std::string_view name, const WorkloadOptions& options) {
  if (name.size() == 6 && name.starts_with("ycsb-") && name[5] >= 'a' && name[5] <= 'f')
    return MakeYcsb(name[5], options);
  if (name == "tpcc") return MakeTpcc(options);
  if (name == "bank") return MakeOpenBank(options);
  return Fail(ErrorKind::kInvalid, "WORKLOAD_UNKNOWN", fmt::format("there is no workload '{}'", name),
              "give one of ycsb-a, ycsb-b, ycsb-c, ycsb-d, ycsb-e, ycsb-f, tpcc, bank");
}

Statement Sql(std::string sql, std::vector<sql::Value> arguments) {
  Statement statement;
  statement.sql = std::move(sql);
  statement.arguments = std::move(arguments);
  return statement;
}

int64_t IntegerOf(const sql::Value& value) {
  const auto* number = std::get_if<int64_t>(&value);
  return number ? *number : -1;
}

Result<StatementResult> RunOne(const HranaClient& client, Statement statement) {
  HranaStream stream(client);
  TW_TRY_ASSIGN(auto results, stream.Execute({std::move(statement)}, true));
  return std::move(results.front());
}

tl::unexpected<Error> WrongAnswer(std::string what) {
  return Fail(ErrorKind::kCorrupt, "WRONG_ANSWER", std::move(what));
}

tl::unexpected<Error> TablesMissing(std::string_view workload, const std::string& why) {
  return Fail(ErrorKind::kRefused, "WORKLOAD_TABLES",
              fmt::format("a tenant is not filled for the workload {}: {}", workload, why),
              "add --load, which makes and fills what is missing");
}

Result<void> FillRows(const HranaClient& client, const std::string& sql, int64_t rows, int64_t row_bytes,
                      const Workload::Progress& progress) {
  const int64_t step = std::clamp<int64_t>(kFillBytes / std::max<int64_t>(row_bytes, 1), 1, 100'000);
  for (int64_t first = 1; first <= rows; first += step) {
    const int64_t last = std::min(rows, first + step - 1);
    TW_TRY(RunOne(client, Sql(sql, {first, last})));
    if (progress) TW_TRY(progress(static_cast<uint64_t>(last * row_bytes)));
  }
  return {};
}

}  // namespace tradewind::load
