// The two transactions that make up most of TPC-C, new-order and payment, each a one-shot batch. Where it
// differs: no other transactions and no terminals with think times, names and addresses are one filler, items
// are a thousand, and a customer is chosen evenly and by number. So its figures are not tpmC.
//
// What must hold at the end (TPC-C, clause 3.3.2): conditions 1 (a warehouse's ytd is the sum of its
// districts'), 2 (a district's next order follows its last one), 4 (as many order lines as the orders say),
// and every acknowledged transaction is there.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "load/workload.h"

namespace tradewind::load {

namespace {

constexpr int64_t kDistricts = 10;
constexpr int64_t kCustomersOfDistrict = 3000;
constexpr int64_t kItems = 1000;
constexpr int kPaymentShare = 50;  // Percent; the rest are new orders.

class Tpcc final : public Workload {
 public:
  explicit Tpcc(const WorkloadOptions& options)
      : options_(options),
        warehouses_(std::max<int64_t>(1, options.records / (kDistricts * kCustomersOfDistrict))),
        customers_(
            std::clamp<int64_t>(options.records / (warehouses_ * kDistricts), 1, kCustomersOfDistrict)),
        tallies_(options.tenants) {}

  std::string name() const override { return "tpcc"; }

  Result<void> Fill(const HranaClient& client, Random&, const Progress& progress) override {
    for (const char* sql :
         {"CREATE TABLE warehouse (w INTEGER PRIMARY KEY, ytd INTEGER NOT NULL)",
          "CREATE TABLE district (w, d, ytd INTEGER NOT NULL, next_order INTEGER NOT NULL, PRIMARY KEY (w, "
          "d)) "
          "WITHOUT ROWID",
          "CREATE TABLE customer (w, d, c, balance INTEGER NOT NULL, payments INTEGER NOT NULL, filler BLOB, "
          "PRIMARY KEY (w, d, c)) WITHOUT ROWID",
          "CREATE TABLE item (i INTEGER PRIMARY KEY, price INTEGER NOT NULL)",
          "CREATE TABLE stock (w, i, quantity INTEGER NOT NULL, ytd INTEGER NOT NULL, PRIMARY KEY (w, i)) "
          "WITHOUT ROWID",
          "CREATE TABLE orders (w, d, o, c INTEGER NOT NULL, lines INTEGER NOT NULL, PRIMARY KEY (w, d, o)) "
          "WITHOUT ROWID",
          "CREATE TABLE order_line (w, d, o, line, i INTEGER NOT NULL, quantity INTEGER NOT NULL, amount "
          "INTEGER "
          "NOT NULL, PRIMARY KEY (w, d, o, line)) WITHOUT ROWID",
          "CREATE TABLE history (id INTEGER PRIMARY KEY, w, d, c, amount INTEGER NOT NULL)"})
      TW_TRY(RunOne(client, Sql(sql)));
    const std::string numbers =
        "WITH RECURSIVE n(x) AS (SELECT ?1 UNION ALL SELECT x + 1 FROM n WHERE x < ?2) ";
    TW_TRY(FillRows(client, numbers + "INSERT INTO warehouse SELECT x, 0 FROM n", warehouses_, 100, {}));
    TW_TRY(FillRows(
        client,
        numbers + fmt::format("INSERT INTO district SELECT (x - 1) / {0} + 1, (x - 1) % {0} + 1, 0, 1 "
                              "FROM n",
                              kDistricts),
        warehouses_ * kDistricts, 100, {}));
    TW_TRY(
        FillRows(client, numbers + "INSERT INTO item SELECT x, 100 + x * 37 % 9900 FROM n", kItems, 100, {}));
    TW_TRY(
        FillRows(client,
                 numbers + fmt::format("INSERT INTO stock SELECT (x - 1) / {0} + 1, (x - 1) % {0} + 1, 50, 0 "
                                       "FROM n",
                                       kItems),
                 warehouses_ * kItems, 100, {}));
    return FillRows(
        client,
        numbers + fmt::format("INSERT INTO customer SELECT (x - 1) / {1} + 1, (x - 1) / {0} % {2} + 1, "
                              "(x - 1) % {0} + 1, 0, 0, randomblob({3}) FROM n",
                              customers_, customers_ * kDistricts, kDistricts, options_.record_bytes),
        warehouses_ * kDistricts * customers_, options_.record_bytes, progress);
  }

  Result<void> CheckTables(const HranaClient& client, size_t tenant) override {
    const auto found = RunOne(
        client, Sql("SELECT (SELECT count(*) FROM warehouse), (SELECT max(c) FROM customer WHERE w = 1 AND d "
                    "= 1), (SELECT count(*) FROM orders), (SELECT count(*) FROM history)"));
    if (!found) return TablesMissing(name(), found.error().message);
    const auto& row = found->rows.at(0);
    if (IntegerOf(row[0]) < warehouses_ || IntegerOf(row[1]) < customers_)
      return TablesMissing(name(), "it has fewer customers than asked for");
    tallies_.at(tenant).orders_before = IntegerOf(row[2]);
    tallies_.at(tenant).payments_before = IntegerOf(row[3]);
    return {};
  }

  Request Draw(size_t tenant, Random& random) override {
    const int64_t w = Upto(warehouses_, random);
    const int64_t d = Upto(kDistricts, random);
    const int64_t c = Upto(customers_, random);
    const bool pays = random() % 100 < kPaymentShare;
    auto statements = pays ? Payment(w, d, c, random) : NewOrder(w, d, c, random);
    return {
        pays ? "payment" : "new-order",
        [this, tenant, pays, statements = std::move(statements)](const HranaClient& client) -> Result<void> {
          HranaStream stream(client);
          const auto results = stream.Transact(statements);
          Tally& tally = tallies_.at(tenant);
          Fate& fate = pays ? tally.payments : tally.orders;
          if (results) {
            ++fate.acknowledged;
            for (const StatementResult& result : *results)
              if (result.affected_row_count != 1)
                return WrongAnswer("a statement changed no row, or several");
            return {};
          }
          if (results.error().code != kAbortedCode) ++fate.open;
          return Fail(results.error());
        }};
  }

  Result<std::optional<WorkloadChecks>> Verify(
      const std::function<const HranaClient&(size_t)>& client_of) override {
    WorkloadChecks checks;
    int64_t orders = 0, payments = 0, lost = 0, unknown = 0, broken = 0;
    for (size_t tenant = 0; tenant < tallies_.size(); ++tenant) {
      const auto found =
          RunOne(client_of(tenant),
                 Sql("SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM history), "
                     "(SELECT count(*) FROM warehouse JOIN (SELECT w, sum(ytd) AS y FROM district GROUP BY "
                     "w) USING (w) "
                     "WHERE ytd <> y), "
                     "(SELECT count(*) FROM district AS a WHERE next_order - 1 <> ifnull((SELECT max(o) FROM "
                     "orders AS b "
                     "WHERE b.w = a.w AND b.d = a.d), 0)), "
                     "(SELECT ifnull(sum(lines), 0) FROM orders) <> (SELECT count(*) FROM order_line)"));
      if (!found) return Fail(found.error());
      const auto& row = found->rows.at(0);
      const Tally& tally = tallies_[tenant];
      Compare(IntegerOf(row[0]) - tally.orders_before, tally.orders, lost, unknown);
      Compare(IntegerOf(row[1]) - tally.payments_before, tally.payments, lost, unknown);
      broken += IntegerOf(row[2]) + IntegerOf(row[3]) + IntegerOf(row[4]);
      orders += tally.orders.acknowledged;
      payments += tally.payments.acknowledged;
    }
    checks.ok = lost == 0 && unknown == 0 && broken == 0;
    checks.figures = {{"new_orders", orders},
                      {"payments", payments},
                      {"lost", lost},
                      {"unknown", unknown},
                      {"broken_conditions", broken}};
    return std::optional(std::move(checks));
  }

 private:
  struct Fate {
    int64_t acknowledged = 0;
    int64_t open = 0;  // The answer was lost: it may have happened.
  };
  struct Tally {
    int64_t orders_before = 0;
    int64_t payments_before = 0;
    Fate orders;
    Fate payments;
  };

  static int64_t Upto(int64_t most, Random& random) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(most)) + 1;
  }

  static void Compare(int64_t there, const Fate& fate, int64_t& lost, int64_t& unknown) {
    lost += std::max<int64_t>(0, fate.acknowledged - there);
    unknown += std::max<int64_t>(0, there - fate.acknowledged - fate.open);
  }

  static std::vector<Statement> Payment(int64_t w, int64_t d, int64_t c, Random& random) {
    const int64_t amount = Upto(500'000, random);
    return {Sql("UPDATE warehouse SET ytd = ytd + ?2 WHERE w = ?1", {w, amount}),
            Sql("UPDATE district SET ytd = ytd + ?3 WHERE w = ?1 AND d = ?2", {w, d, amount}),
            Sql("UPDATE customer SET balance = balance - ?4, payments = payments + 1 WHERE w = ?1 AND d = ?2 "
                "AND c "
                "= ?3",
                {w, d, c, amount}),
            Sql("INSERT INTO history (w, d, c, amount) VALUES (?1, ?2, ?3, ?4)", {w, d, c, amount})};
  }

  static std::vector<Statement> NewOrder(int64_t w, int64_t d, int64_t c, Random& random) {
    const int64_t lines = 5 + static_cast<int64_t>(random() % 11);
    std::vector<Statement> statements{
        Sql("UPDATE district SET next_order = next_order + 1 WHERE w = ?1 AND d = ?2", {w, d}),
        Sql("INSERT INTO orders SELECT w, d, next_order - 1, ?3, ?4 FROM district WHERE w = ?1 AND d = ?2",
            {w, d, c, lines})};
    for (int64_t line = 1; line <= lines; ++line) {
      const int64_t item = Upto(kItems, random);
      const int64_t quantity = Upto(10, random);
      statements.push_back(
          Sql("UPDATE stock SET quantity = CASE WHEN quantity - ?3 >= 10 THEN quantity - ?3 ELSE quantity - "
              "?3 + 91 "
              "END, ytd = ytd + ?3 WHERE w = ?1 AND i = ?2",
              {w, item, quantity}));
      statements.push_back(
          Sql("INSERT INTO order_line SELECT w, d, next_order - 1, ?3, i, ?5, price * ?5 FROM district, item "
              "WHERE w "
              "= ?1 AND d = ?2 AND i = ?4",
              {w, d, line, item, quantity}));
    }
    return statements;
  }

  const WorkloadOptions options_;
  const int64_t warehouses_;
  const int64_t customers_;  // Of a district.
  std::vector<Tally> tallies_;
};

}  // namespace

std::unique_ptr<Workload> MakeTpcc(const WorkloadOptions& options) {
  return std::make_unique<Tpcc>(options);
}

}  // namespace tradewind::load
