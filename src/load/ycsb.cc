// YCSB (Cooper et al., SoCC 2010), its core workloads A to F over one table, with keys by a zipfian
// distribution of 0.99 (D: the latest ones). Where it differs: a record is one blob and not ten fields, since
// SQLite rewrites whole records anyway; keys are integers; F's read-modify-write is a transaction.
//
//   usertable  (id INTEGER PRIMARY KEY, twin INTEGER, payload BLOB), twin = id * kTwin, so that an answer
//              of another record shows
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "load/key_picker.h"
#include "load/workload.h"

namespace tradewind::load {

namespace {

constexpr int64_t kTwin = 7919;
constexpr int64_t kScanRows = 100;  // At most; evenly from 1 on, as in YCSB.

struct Mix {
  int read, update, insert, scan, modify;  // Percent.
};
constexpr std::array<Mix, 6> kMixes = {{
    {50, 50, 0, 0, 0},
    {95, 5, 0, 0, 0},
    {100, 0, 0, 0, 0},
    {95, 0, 5, 0, 0},
    {0, 0, 5, 95, 0},
    {50, 0, 0, 0, 50},
}};

enum class Operation { kRead, kUpdate, kInsert, kScan, kModify };

class Ycsb final : public Workload {
 public:
  Ycsb(char mix, const WorkloadOptions& options)
      : letter_(mix),
        mix_(kMixes[static_cast<size_t>(mix - 'a')]),
        options_(options),
        keys_(KeyChoice::kZipfian, options.records),
        last_id_(options.tenants, options.records) {}

  std::string name() const override { return std::string("ycsb-") + letter_; }

  Result<void> Fill(const HranaClient& client, Random&, const Progress& progress) override {
    TW_TRY(
        RunOne(client, Sql("CREATE TABLE usertable (id INTEGER PRIMARY KEY, twin INTEGER NOT NULL, payload "
                           "BLOB NOT NULL)")));
    return FillRows(
        client,
        fmt::format("WITH RECURSIVE n(id) AS (SELECT ?1 UNION ALL SELECT id + 1 FROM n WHERE id < "
                    "?2) INSERT INTO usertable SELECT id, id * {}, randomblob({}) FROM n",
                    kTwin, options_.record_bytes),
        options_.records, options_.record_bytes, progress);
  }

  Result<void> CheckTables(const HranaClient& client, size_t tenant) override {
    const auto found = RunOne(client, Sql("SELECT max(id), length(payload) FROM usertable"));
    if (!found && found.error().code == "SQLITE_UNKNOWN") return TablesMissing(name(), found.error().message);
    if (!found) return TablesMissing(name(), found.error().message);
    const int64_t last = IntegerOf(found->rows.at(0).at(0));
    if (last < options_.records)
      return TablesMissing(
          name(), fmt::format("it has {} of {} records", std::max<int64_t>(last, 0), options_.records));
    last_id_.at(tenant) = last;
    return {};
  }

  Request Draw(size_t tenant, Random& random) override {
    if (options_.operations == 1) {
      const Operation operation = DrawOperation(random);
      return {NameOf(operation), [this, operation, tenant, &random](const HranaClient& client) {
                return RunAlone(client, operation, tenant, random);
              }};
    }
    std::vector<Statement> statements;
    std::vector<int64_t> ids;
    for (int i = 0; i < options_.operations; ++i) Add(DrawOperation(random), tenant, random, statements, ids);
    return {"transaction", [statements = std::move(statements), ids = std::move(ids)](
                               const HranaClient& client) { return RunTogether(client, statements, ids); }};
  }

  Result<std::optional<WorkloadChecks>> Verify(const std::function<const HranaClient&(size_t)>&) override {
    return std::optional<WorkloadChecks>();
  }

 private:
  static const char* NameOf(Operation operation) {
    static constexpr std::array<const char*, 5> kNames = {"read", "update", "insert", "scan",
                                                          "read-modify-write"};
    return kNames[static_cast<size_t>(operation)];
  }

  Operation DrawOperation(Random& random) const {
    auto kind = static_cast<int>(random() % 100);
    const auto falls_in = [&kind](int share) { return (kind -= share) < 0; };
    if (falls_in(mix_.update)) return Operation::kUpdate;
    if (falls_in(mix_.insert)) return Operation::kInsert;
    if (falls_in(mix_.scan)) return Operation::kScan;
    if (falls_in(mix_.modify)) return Operation::kModify;
    return Operation::kRead;
  }

  int64_t Key(size_t tenant, Random& random) {
    if (letter_ != 'd') return keys_.Pick(random);
    // The newest most: how far back is zipfian. Records that are not acknowledged yet may be missing.
    std::uniform_real_distribution<double> share(0, 1);
    const double u = share(random);
    const auto back = static_cast<int64_t>(static_cast<double>(options_.records) * u * u * u * u * u * u);
    return std::max<int64_t>(1, last_id_.at(tenant) - back);
  }

  Statement Read(int64_t id) const {
    return Sql("SELECT id, twin, length(payload) FROM usertable WHERE id = ?1", {id});
  }
  Statement Update(int64_t id) const {
    return Sql("UPDATE usertable SET payload = randomblob(?1) WHERE id = ?2", {options_.record_bytes, id});
  }

  // The statements of one operation in a transaction; `ids` has what each is to give back, 0 for a write.
  void Add(Operation operation, size_t tenant, Random& random, std::vector<Statement>& statements,
           std::vector<int64_t>& ids) {
    const int64_t id = Key(tenant, random);
    if (operation == Operation::kRead || operation == Operation::kModify) {
      statements.push_back(Read(id));
      ids.push_back(id);
    }
    if (operation == Operation::kUpdate || operation == Operation::kModify) {
      statements.push_back(Update(id));
      ids.push_back(0);
    }
    if (operation == Operation::kInsert) {
      statements.push_back(Insert());
      ids.push_back(0);
    }
    if (operation == Operation::kScan) {
      statements.push_back(Scan(id, random));
      ids.push_back(id);
    }
  }

  Statement Insert() const {
    return Sql(
        fmt::format("INSERT INTO usertable SELECT max(id) + 1, (max(id) + 1) * {}, randomblob(?1) FROM "
                    "usertable RETURNING id",
                    kTwin),
        {options_.record_bytes});
  }
  Statement Scan(int64_t id, Random& random) const {
    return Sql("SELECT id, twin, length(payload) FROM usertable WHERE id >= ?1 ORDER BY id LIMIT ?2",
               {id, static_cast<int64_t>(random() % kScanRows) + 1});
  }

  static Result<void> CheckRow(const std::vector<std::vector<sql::Value>>& rows, int64_t id) {
    if (!rows.empty() && IntegerOf(rows[0][0]) == id && IntegerOf(rows[0][1]) == id * kTwin) return {};
    return WrongAnswer(fmt::format("record {} is missing or wrong", id));
  }

  Result<void> RunAlone(const HranaClient& client, Operation operation, size_t tenant, Random& random) {
    const int64_t id = Key(tenant, random);
    switch (operation) {
      case Operation::kRead: {
        TW_TRY_ASSIGN(const auto result, RunOne(client, Read(id)));
        return CheckRow(result.rows, id);
      }
      case Operation::kUpdate: {
        TW_TRY_ASSIGN(const auto result, RunOne(client, Update(id)));
        if (result.affected_row_count == 1) return {};
        return WrongAnswer(fmt::format("the update of record {} found none", id));
      }
      case Operation::kInsert: {
        TW_TRY_ASSIGN(const auto result, RunOne(client, Insert()));
        if (result.rows.empty()) return WrongAnswer("an insert gave no id");
        last_id_.at(tenant) = std::max(last_id_.at(tenant), IntegerOf(result.rows[0][0]));
        return {};
      }
      case Operation::kScan: {
        TW_TRY_ASSIGN(const auto result, RunOne(client, Scan(id, random)));
        return CheckRow(result.rows, id);
      }
      case Operation::kModify: return RunTogether(client, {Read(id), Update(id)}, {id, 0});
    }
    return {};
  }

  static Result<void> RunTogether(const HranaClient& client, const std::vector<Statement>& statements,
                                  const std::vector<int64_t>& ids) {
    HranaStream stream(client);
    TW_TRY_ASSIGN(const auto results, stream.Transact(statements));
    if (results.size() != ids.size()) return WrongAnswer("a transaction gave too few results");
    for (size_t at = 0; at < ids.size(); ++at)
      if (ids[at] != 0) TW_TRY(CheckRow(results[at].rows, ids[at]));
    return {};
  }

  const char letter_;
  const Mix mix_;
  const WorkloadOptions options_;
  const KeyPicker keys_;
  std::vector<int64_t> last_id_;  // The newest that is known, by tenant.
};

}  // namespace

std::unique_ptr<Workload> MakeYcsb(char mix, const WorkloadOptions& options) {
  return std::make_unique<Ycsb>(mix, options);
}

}  // namespace tradewind::load
