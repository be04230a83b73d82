#include "sqlite/set_aside.h"

#include <gtest/gtest.h>

#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

// Each makes a ring of statements that virtual tables keep, which SQLite cannot close.
const char* const kRings[] = {
    // FTS5 over FTS4 over the same FTS5.
    "create virtual table f using fts5(a, content='v'); create virtual table g using fts4(a, content='w');"
    "create view v as select rowid, a from g; create view w as select rowid, a from f;"
    "insert into f(rowid,a) values(1,'x'); insert into g(docid,a) values(1,'x');"
    "select a from f where f match 'x'; select a from g where g match 'x'; select a from g where rowid=1",
    // Each its own content.
    "create virtual table f using fts5(a, content='v'); create view v as select rowid, a from f;"
    "insert into f(rowid,a) values(1,'x'); select a from f where f match 'x'",
    "create virtual table f using fts4(a, content='v'); create view v as select rowid, a from f;"
    "insert into f(docid,a) values(1,'x'); select a from f where f match 'x'",
    // Two of a kind, and three.
    "create virtual table f using fts5(a, content='v'); create virtual table g using fts5(a, content='w');"
    "create view v as select rowid, a from g; create view w as select rowid, a from f;"
    "insert into f(rowid,a) values(1,'x'); insert into g(rowid,a) values(1,'x');"
    "select a from f where f match 'x'; select a from g where rowid=1",
    "create virtual table f using fts5(a, content='u'); create virtual table g using fts5(a, content='v');"
    "create virtual table h using fts4(a, content='w'); create view u as select rowid, a from g;"
    "create view v as select rowid, a from h; create view w as select rowid, a from f;"
    "insert into f(rowid,a) values(1,'x'); insert into g(rowid,a) values(1,'x'); insert into h(docid,a) "
    "values(1,'x');"
    "select a from f where f match 'x'; select a from g where rowid=1; select a from h where rowid=1",
};

class SetAsideTest : public DatabaseFixture {
 protected:
  // A script of which any statement may fail.
  static void Try(Connection& connection, std::string_view sql) {
    while (!sql.empty()) {
      const size_t end = std::min(sql.find(';'), sql.size() - 1);
      static_cast<void>(connection.Run({.sql = std::string(sql.substr(0, end + 1))}));
      sql.remove_prefix(end + 1);
    }
  }
};

TEST_F(SetAsideTest, AConnectionThatCannotBeClosedLeavesItsStoreToTheOthers) {
  const size_t before = ConnectionsSetAside();
  for (const char* ring : kRings) {
    SCOPED_TRACE(ring);
    core_.Run([&] {
      {
        const auto store = OpenStore("t.db");
        const auto anchor = Connect(*store);
        {
          const auto connection = Connect(*store);
          Try(*connection, ring);
          Try(*connection, "create table if not exists t (v)");
          EXPECT_EQ(Ask(*connection, "BEGIN IMMEDIATE"), "");
          EXPECT_EQ(Ask(*connection, "INSERT INTO t VALUES ('rolled back')"), "");
          static_cast<void>(connection->Run({.sql = "select a from f where f match 'x'"}));
        }
        // No lock is left: a writer writes, a checkpoint copies everything and cuts the WAL.
        const auto other = Connect(*store);
        EXPECT_EQ(Ask(*other, "INSERT INTO t VALUES ('kept')"), "");
        EXPECT_EQ(Ask(*other, "SELECT v FROM t"), "kept");
        EXPECT_TRUE(anchor->Checkpoint(CheckpointMode::kTruncate));
        EXPECT_EQ(store->log().frames(), 0u);
        EXPECT_EQ(Ask(*other, "DROP TABLE t"), "");
        for (const char* name : {"f", "g", "h"})
          EXPECT_EQ(Ask(*other, std::string("DROP TABLE IF EXISTS ") + name), "");
        for (const char* name : {"u", "v", "w"})
          EXPECT_EQ(Ask(*other, std::string("DROP VIEW IF EXISTS ") + name), "");
      }
      // The last connection removed the WAL.
      const auto exists = core_.disk().Exists(core_.folder() + "/t.db-wal");
      ASSERT_TRUE(exists);
      EXPECT_FALSE(*exists);
    });
  }
  EXPECT_GT(ConnectionsSetAside(), before);
}

}  // namespace
}  // namespace tradewind::sqlite
