// SQL and bodies that nobody in his right mind sends, at nodes that live: whatever becomes of them, the tenant is
// deleted, moved or exported right afterwards, with their streams open, and the nodes end. No answer is judged
// here but that there is one; a check that fails anywhere ends this program.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "admin/tenant_maker.h"
#include "base/limits.h"
#include "net/json_text.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using namespace std::chrono_literals;

using Script = std::vector<std::string>;

std::string Repeat(const std::string& text, size_t times) {
  std::string out;
  for (; times > 0; --times) out += text;
  return out;
}

// Tables that double each other.
std::string Doubling(int times) {
  std::string sql = "WITH c0 AS (SELECT 1 AS x)";
  for (int at = 1; at <= times; ++at) {
    const std::string before = "c" + std::to_string(at - 1);
    sql += ", c" + std::to_string(at) + " AS (SELECT * FROM " + before + ", " + before + ")";
  }
  return sql + " SELECT count(*) FROM c" + std::to_string(times);
}

std::vector<Script> Scripts() {
  return {
      // Rings of virtual tables, which SQLite cannot close.
      {"CREATE VIRTUAL TABLE f USING fts5(a, content='v')",
       "CREATE VIRTUAL TABLE g USING fts4(a, content='w')", "CREATE VIEW v AS SELECT rowid, a FROM g",
       "CREATE VIEW w AS SELECT rowid, a FROM f", "INSERT INTO f(rowid,a) VALUES (1,'x')",
       "INSERT INTO g(docid,a) VALUES (1,'x')", "SELECT a FROM f WHERE f MATCH 'x'",
       "SELECT a FROM g WHERE g MATCH 'x'", "BEGIN IMMEDIATE", "SELECT a FROM f WHERE f MATCH 'x'"},
      {"CREATE VIRTUAL TABLE f USING fts4(a, content='v')", "CREATE VIEW v AS SELECT rowid, a FROM f",
       "INSERT INTO f(docid,a) VALUES (1,'x')", "BEGIN", "SELECT a FROM f WHERE f MATCH 'x'", "DROP TABLE f",
       "SELECT a FROM v"},
      {"CREATE VIRTUAL TABLE f USING fts5(a, content='f')", "INSERT INTO f(rowid,a) VALUES (1,'x')",
       "SELECT a FROM f WHERE f MATCH 'x'", "INSERT INTO f(f) VALUES ('rebuild')",
       "ALTER TABLE f RENAME TO g", "INSERT INTO g(g) VALUES ('integrity-check')"},
      // Statements of virtual tables that stay in the middle.
      {"CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f VALUES ('x')", "SELECT fts5(f, 1) FROM f",
       "SELECT highlight(f, 9, 'a', 'b') FROM f WHERE f MATCH 'x'", "SELECT bm25(f, 'x') FROM f",
       "SELECT * FROM f WHERE f MATCH '\"'", "SELECT * FROM f, no_such_table", "SELECT no_such(f) FROM f",
       "SELECT fts3_tokenizer('simple', x'00')", "CREATE VIRTUAL TABLE g USING fts5vocab(f, 'instance')",
       "SELECT * FROM g, f WHERE f MATCH term"},
      // Virtual tables made and dropped in odd orders.
      {"BEGIN",
       "CREATE VIRTUAL TABLE r USING rtree(id, a, b)",
       "SAVEPOINT s",
       "INSERT INTO r VALUES (1, 2, 3)",
       "DROP TABLE r",
       "ROLLBACK TO s",
       "INSERT INTO r VALUES (2, 2, 3)",
       "CREATE VIRTUAL TABLE r USING fts5(a)",
       "RELEASE s",
       "ROLLBACK",
       "SELECT * FROM r",
       "CREATE TABLE r_node (x)",
       "CREATE VIRTUAL TABLE r USING rtree(id, a, b)",
       "DROP TABLE r_node",
       "CREATE VIRTUAL TABLE f USING fts5(a)",
       "DROP TABLE f_data",
       "UPDATE f_data SET block = x'ff'",
       "DELETE FROM f_config",
       "SELECT rtreecheck('r')",
       "SAVEPOINT t",
       "DROP TABLE f"},
      // Triggers and views of themselves, and chains.
      {"PRAGMA recursive_triggers=ON", "CREATE TABLE t (v)",
       "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t VALUES (new.v + 1); END",
       "INSERT INTO t VALUES (1)", "CREATE VIEW w AS SELECT * FROM x", "CREATE VIEW x AS SELECT * FROM w",
       "SELECT * FROM x", "CREATE TRIGGER h INSTEAD OF INSERT ON w BEGIN INSERT INTO w VALUES (1); END",
       "INSERT INTO w VALUES (1)", "CREATE TABLE p (a PRIMARY KEY REFERENCES p ON DELETE CASCADE)",
       "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 3000) INSERT INTO p SELECT x FROM "
       "c",
       "DELETE FROM p"},
      // Deep, wide and long.
      {"SELECT " + Repeat("(", 1'000) + "1" + Repeat(")", 1'000), "SELECT " + Repeat("-", 5'000) + "1",
       "SELECT 1" + Repeat("+1", 10'000), "SELECT 1" + Repeat(" UNION SELECT 1", 500),
       "SELECT " + Repeat("1,", 10'000) + "1", "SELECT json('" + Repeat("[", 50'000) + "')",
       "SELECT '" + Repeat("a", 10'000) + "' LIKE '" + Repeat("%a", 400) + "b'",
       "SELECT * FROM " + Repeat("(SELECT * FROM ", 90) + "(SELECT 1)" + Repeat(")", 90),
       "SELECT printf('%.*c', 2147483647, 'x')", Doubling(17), "SELECT ?1234567890123", "SELECT ?32766",
       "EXPLAIN QUERY PLAN " + Doubling(6)},
      // Large values, and what costs hours.
      {"CREATE TABLE b (v)", "BEGIN", "INSERT INTO b VALUES (zeroblob(3000000))",
       "INSERT INTO b SELECT v FROM b", "UPDATE b SET v = v || v", "SELECT * FROM b", "SELECT hex(v) FROM b",
       "SELECT instr(zeroblob(6000000), zeroblob(3000000) || x'01')", "SELECT zeroblob(2147483647)",
       "SELECT replace(hex(zeroblob(30000)), '0', hex(zeroblob(30000)))"},
      // What is refused.
      {"ATTACH '/etc/passwd' AS x",
       "ATTACH ':memory:' AS x",
       "DETACH main",
       "PRAGMA writable_schema=ON",
       "UPDATE sqlite_schema SET rootpage = 1",
       "SELECT load_extension('libc.so.6')",
       "PRAGMA cache_size=-1",
       "PRAGMA cache_spill=1",
       "PRAGMA mmap_size=1000000",
       "PRAGMA page_size=512",
       "PRAGMA journal_mode=DELETE",
       "PRAGMA locking_mode=EXCLUSIVE",
       "PRAGMA synchronous=OFF",
       "PRAGMA wal_checkpoint(TRUNCATE)",
       "PRAGMA wal_autocheckpoint=1",
       "PRAGMA temp_store_directory='/tmp'",
       "PRAGMA hard_heap_limit=1000",
       "PRAGMA schema_version=1",
       "PRAGMA user_version=2147483648",
       "PRAGMA application_id=-1",
       "PRAGMA auto_vacuum=1",
       "PRAGMA encoding='UTF-16'",
       "PRAGMA max_page_count=1",
       "VACUUM INTO '/tmp/x'",
       "VACUUM",
       "PRAGMA incremental_vacuum",
       "PRAGMA shrink_memory",
       "PRAGMA query_only=1",
       "CREATE TEMP TABLE x (v)",
       "SELECT * FROM pragma_integrity_check",
       "PRAGMA trusted_schema=1",
       "PRAGMA legacy_file_format=1",
       "PRAGMA data_version",
       "PRAGMA optimize(-1)",
       "PRAGMA threads=8"},
      // Transactions that never end, each in another state.
      {"CREATE TABLE t (v UNIQUE)", "INSERT INTO t VALUES (1)", "BEGIN", "SELECT * FROM t",
       "INSERT OR ROLLBACK INTO t VALUES (1)", "BEGIN EXCLUSIVE", "SAVEPOINT a", "INSERT INTO t VALUES (2)",
       "ROLLBACK TO a", "SAVEPOINT \"\"", "RELEASE \"\"", "BEGIN", "COMMIT; SELECT 1", "END;;;",
       "BEGIN READONLY", "INSERT INTO t VALUES (3)", "SAVEPOINT b"},
  };
}

std::vector<std::string> Bodies() {
  const auto execute = [](const std::string& stmt) {
    return R"({"requests":[{"type":"execute","stmt":)" + stmt + "}]}";
  };
  return {
      "",
      "null",
      "[]",
      "{}",
      R"({"requests":null})",
      R"({"requests":[null]})",
      R"({"baton":"","requests":[]})",
      R"({"baton":"n1.0.0.0","requests":[]})",
      R"({"requests":[{"type":"get_autocommit"},{"type":"close"}]})",
      Repeat("[", 100'000),
      R"({"requests":)" + Repeat("[", 10'000) + "}",
      "\xff\xfe{}",
      execute(R"({"sql":"SELECT ?","args":[{"type":"float","value":1e999}]})"),
      execute(R"({"sql":"SELECT ?","args":[{"type":"integer","value":"99999999999999999999"}]})"),
      execute(R"({"sql":"SELECT ?","args":[{"type":"blob","base64":"====="}]})"),
      execute(R"({"sql":"SELECT ?","args":[{"type":"text","value":"\ud800"}]})"),
      execute(R"({"sql":"SELECT 1\u0000; SELECT 2"})"),
      execute(R"({"sql":"SELECT 9e999, -9e999, 0.0/0"})"),
      execute(R"({"sql":"SELECT :a, @b, $c","named_args":[{"name":"","value":{"type":"null"}}]})"),
      execute(R"({"sql_id":-1})"),
      execute(R"({"sql_id":2147483648})"),
      execute(R"({"sql":""})"),
      execute(R"({"sql":"-- nothing"})"),
      execute(R"({"sql":"\ufeff\ufeffSELECT 1"})"),
      R"({"requests":[{"type":"sequence","sql":";;;\u0000;"},{"type":"sequence","sql":"BEGIN;BEGIN;"}]})",
      R"({"requests":[{"type":"describe","sql":"EXPLAIN EXPLAIN SELECT"},{"type":"describe","sql":";"}]})",
      R"({"requests":[{"type":"batch","batch":{"steps":[{"condition":{"type":"ok","step":4000000000},"stmt":{"sql":"SELECT 1"}}]}}]})",
      R"({"requests":[{"type":"batch","batch":{"steps":[{"condition":{"type":"and","conds":[]},"stmt":{"sql":"BEGIN"}},{"condition":{"type":"not","cond":{"type":"is_autocommit"}},"stmt":{"sql":"CREATE TABLE z AS SELECT 1"}}]}}]})",
      R"({"requests":[{"type":"batch","batch":{"steps":[{"condition":)" +
          Repeat(R"({"type":"not","cond":)", 20'000) + R"({"type":"is_autocommit"})" + Repeat("}", 20'000) +
          R"(,"stmt":{"sql":"SELECT 1"}}]}}]})",
      R"({"requests":[{"type":"store_sql","sql_id":1,"sql":"SELECT 1"},{"type":"store_sql","sql_id":1,"sql":"SELECT 2"},{"type":"close_sql","sql_id":7}]})",
      R"({"requests":[{"type":"close"},{"type":"execute","stmt":{"sql":"SELECT 1"}},{"type":"close"}]})",
  };
}

class HostileTest : public TwoNodes {
 protected:
  // On a stream of its own, which stays open.
  void Send(Node& node, const TenantName& tenant, const Script& script) {
    std::string body = R"({"requests":[)";
    for (size_t at = 0; at < script.size(); ++at) {
      body += at > 0 ? "," : "";
      body += R"({"type":"execute","stmt":{"sql":)";
      net::AppendJsonString(body, script[at]);
      body += "}}";
    }
    const auto answer = Call(node, "POST", "/db/" + tenant + "/v2/pipeline", body + "]}");
    EXPECT_EQ(answer.status, 200) << tenant << ": " << answer.body.substr(0, 500);
  }
  bool Serves(Node& node, const TenantName& tenant) {
    return Call(node, "POST", "/db/" + tenant + "/v2/pipeline",
                R"({"requests":[{"type":"execute","stmt":{"sql":"SELECT 41 + 1"}},{"type":"close"}]})")
               .body.find("\"42\"") != std::string::npos;
  }
  void Move(const TenantName& tenant) {
    Json(202, Call(*n1_, "POST", "/v1/moves", R"({"tenant":")" + tenant + R"(","to":"n2"})"));
    Await([&] { return n2_->parts().tenants().Has(tenant); });
  }
};

TEST_F(HostileTest, NoStatementKeepsItsTenantFromBeingMovedDeletedExportedOrClosed) {
  const std::vector<Script> scripts = Scripts();
  WithNodes([&] {
    for (size_t at = 0; at < scripts.size(); ++at) {
      const std::string number = std::to_string(at);
      for (const char* what : {"move", "delete", "export", "stay"}) {
        const TenantName tenant = what + number;
        catalog::Need(n1_->maker().Create(tenant, ""));
        Send(*n1_, tenant, scripts[at]);
        Send(*n2_, tenant, {"SELECT * FROM sqlite_schema", "BEGIN", "SELECT count(*) FROM sqlite_schema"});
      }
      EXPECT_EQ(Call(*n1_, "DELETE", "/v1/tenants/delete" + number).status, 204);
      Move("move" + number);
      EXPECT_TRUE(Serves(*n1_, "move" + number));
      const auto exported = Call(*n1_, "POST", "/v1/exports", R"({"tenant":"export)" + number + R"("})");
      EXPECT_LT(exported.status, 500) << exported.body;
      EXPECT_TRUE(Serves(*n2_, "stay" + number));
    }
    // With streams open, and moves that wait for their transactions.
    for (auto* node : {&n2_, &n1_}) {
      const runtime::TimePoint began = core_->Now();
      Stop(*node);
      EXPECT_LT(core_->Now() - began, limits::kStatementTime / 2);
    }
  });
}

TEST_F(HostileTest, NoBodyEndsANode) {
  WithNodes([&] {
    catalog::Need(n1_->maker().Create("shop", ""));
    const std::string targets[] = {
        "/db/shop/v2/pipeline", "/v1/moves",           "/v1/tenants",          "/v1/tenants/shop",
        "/v1/nodes/n9/drain",   "/v1/nodes",           "/v1/imports",          "/v1/exports",
        "/v1/moves/m0",         "/v1/moves/m0/cancel", "/v1/internal/streams", "/v1/internal/catalog/swap",
        "/v1/internal/latency", "/db//v2/pipeline",    "/db/%00/v3/pipeline"};
    for (const std::string& body : Bodies())
      for (const std::string& target : targets)
        for (Node* node : {n1_.get(), n2_.get()})
          EXPECT_GE(Call(*node, "POST", target, body).status, 200) << target;
    for (const char* method : {"GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"})
      for (const std::string& target : targets)
        if (target != "/v1/tenants/shop") {
          EXPECT_GE(Call(*n2_, method, target, "{}").status, 200) << method << target;
        }
    EXPECT_TRUE(Serves(*n2_, "shop"));
  });
}

}  // namespace
}  // namespace tradewind::node
