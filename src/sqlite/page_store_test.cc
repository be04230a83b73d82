// The rules of a move at the level of pages, with real SQLite on top: what a source refuses, what a
// destination pulls.
#include "sqlite/page_store.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "runtime/real_core.h"
#include "sqlite/big_endian.h"
#include "sqlite/connection.h"
#include "sqlite/vfs.h"
#include "sqlite/wireframe.h"

namespace tradewind::sqlite {
namespace {

class PageStoreTest : public testing::Test {
 protected:
  PageStoreTest() {
    InitializeSqlite();
    std::string pattern = testing::TempDir() + "tradewind-store-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~PageStoreTest() override { std::filesystem::remove_all(folder_); }

  void Run(std::function<void()> body) { core_->RunUntilReturned("test", std::move(body)); }

  std::unique_ptr<PageStore> OpenStore(const std::string& name,
                                       runtime::OpenMode mode = runtime::OpenMode::kCreate) {
    return PageStore::Open(*core_, folder_ + "/" + name, mode).value();
  }
  static Result<sql::StatementResult> Sql(Connection& connection, const std::string& sql) {
    return connection.Run(sql::Statement{sql, {}, {}, true});
  }
  static int64_t Number(Connection& connection, const std::string& sql) {
    return std::get<int64_t>(Sql(connection, sql).value().rows.at(0).at(0));
  }
  static PageNumber RootOf(Connection& connection, const std::string& table) {
    return PageNumber{static_cast<uint32_t>(
        Number(connection, "SELECT rootpage FROM sqlite_schema WHERE name='" + table + "'"))};
  }
  static std::span<const PageNumber> One(const PageNumber& page) { return {&page, 1}; }
  // Two tables of one leaf page each, a and b, with one row each.
  static void MakeTwoTables(Connection& connection) {
    for (const char* sql :
         {"CREATE TABLE a(x)", "CREATE TABLE b(x)", "INSERT INTO a VALUES(1)", "INSERT INTO b VALUES(1)"})
      ASSERT_TRUE(Sql(connection, sql));
  }
  std::vector<std::byte> Newest(PageStore& store, PageNumber page) {
    std::vector<std::byte> content(store.page_size());
    EXPECT_TRUE(store.ReadNewest(page, content));
    return content;
  }
  // A destination's store with every page but those in `missing`, as after Ready.
  std::unique_ptr<PageStore> CopyWithout(PageStore& from, const std::string& name, const PageSet& missing,
                                         std::function<void(PageNumber)> pull) {
    {
      auto file = core_->disk().Open(folder_ + "/" + name, runtime::OpenMode::kCreateExclusive).value();
      EXPECT_TRUE(file->Truncate(uint64_t{from.page_count()} * from.page_size()));
      for (uint32_t value = 1; value <= from.page_count(); ++value) {
        if (missing.Has(PageNumber{value})) continue;
        EXPECT_TRUE(file->Write(uint64_t{value - 1} * from.page_size(), Newest(from, PageNumber{value})));
      }
    }
    auto presence = PresenceMap::Create(core_->disk(), folder_ + "/" + name + "-presence", from.page_size(),
                                        from.page_count(), 1)
                        .value();
    for (uint32_t value = 1; value <= from.page_count(); ++value)
      if (const PageNumber page{value}; !missing.Has(page))
        presence->NoteArrived(page, HashPage(page, Newest(from, page)));
    auto store = OpenStore(name, runtime::OpenMode::kExisting);
    store->SetPresence(std::move(presence), std::move(pull));
    return store;
  }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  std::string folder_;
};

// -- At rest

TEST_F(PageStoreTest, AnAcknowledgedCommitIsThereAfterTheProcessDied) {
  Run([&] {
    auto store = OpenStore("t.db");
    {
      auto connection = Connection::Open(*store).value();
      ASSERT_TRUE(Sql(*connection, "CREATE TABLE t(x)"));
      ASSERT_TRUE(Sql(*connection, "INSERT INTO t VALUES(42)"));
      ASSERT_TRUE(store->log().WaitDurable());
      EXPECT_EQ(store->log().durable(), store->log().committed());
      connection->Close(/*keep_wal=*/true);
    }
    store.reset();
    store = OpenStore("t.db", runtime::OpenMode::kExisting);
    auto connection = Connection::Open(*store).value();
    EXPECT_EQ(Number(*connection, "SELECT x FROM t"), 42);
  });
}

TEST_F(PageStoreTest, OneSyncCoversEveryCommitBeforeIt) {
  Run([&] {
    auto store = OpenStore("t.db");
    auto connection = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*connection, "CREATE TABLE t(x)"));
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(Sql(*connection, "INSERT INTO t VALUES(1)"));
    EXPECT_LT(store->log().durable(), store->log().committed());
    runtime::TaskGroup waiters(*core_);
    for (int i = 0; i < 5; ++i) waiters.Spawn("waiter", [&] { EXPECT_TRUE(store->log().WaitDurable()); });
    waiters.Join();
    EXPECT_EQ(store->log().durable(), store->log().committed());
  });
}

TEST_F(PageStoreTest, TheNewestVersionComesFromTheWalAndFromTheMainFileAlike) {
  Run([&] {
    auto store = OpenStore("t.db");
    auto connection = Connection::Open(*store).value();
    MakeTwoTables(*connection);
    const PageNumber a = RootOf(*connection, "a");
    const auto in_wal = Newest(*store, a);
    ASSERT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
    EXPECT_EQ(store->log().frames(), 0u);
    EXPECT_EQ(Newest(*store, a), in_wal);
    ASSERT_TRUE(Sql(*connection, "UPDATE a SET x=2"));
    EXPECT_NE(Newest(*store, a), in_wal);
  });
}

TEST_F(PageStoreTest, AStatementThatFailsAfterPartOfItWasCommittedCountsAsACommit) {
  Run([&] {
    auto store = OpenStore("t.db");
    auto connection = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*connection, "CREATE TABLE t(x UNIQUE)"));
    const CommitSequence before = store->log().committed();
    EXPECT_FALSE(Sql(*connection, "INSERT OR FAIL INTO t VALUES(1),(1)"));  // The first row stays.
    EXPECT_GT(store->log().committed(), before);
    EXPECT_FALSE(store->log().commit_in_flight());
    EXPECT_EQ(Number(*connection, "SELECT count(*) FROM t"), 1);
  });
}

// -- Source

TEST_F(PageStoreTest, ASentPageThatACommitChangesIsStale) {
  Run([&] {
    auto store = OpenStore("t.db");
    auto connection = Connection::Open(*store).value();
    MakeTwoTables(*connection);
    const PageNumber a = RootOf(*connection, "a"), b = RootOf(*connection, "b");
    store->handed().StartSending();
    std::vector<std::byte> content(store->page_size());
    ASSERT_TRUE(store->handed().TakeForInit(One(a), content));
    ASSERT_TRUE(store->handed().TakeForInit(One(b), content));
    ASSERT_TRUE(Sql(*connection, "UPDATE a SET x=2"));
    EXPECT_FALSE(store->handed().IsSentAndClean(a));
    EXPECT_TRUE(store->handed().IsSentAndClean(b));
  });
}

TEST_F(PageStoreTest, APageIsNotSentBeforeItsCommitIsDurable) {
  Run([&] {
    auto store = OpenStore("t.db");
    auto connection = Connection::Open(*store).value();
    MakeTwoTables(*connection);
    ASSERT_LT(store->log().durable(), store->log().committed());
    store->handed().StartSending();
    std::vector<std::byte> content(store->page_size());
    ASSERT_TRUE(store->handed().TakeForInit(One(RootOf(*connection, "b")), content));
    EXPECT_EQ(store->log().durable(), store->log().committed());
  });
}

TEST_F(PageStoreTest, AnOpenWriterCommitsWhenItsPagesAreUntouchedAndIsRefusedWhenOneWasHandedOver) {
  Run([&] {
    auto store = OpenStore("t.db");
    auto writer = Connection::Open(*store).value();
    auto reader = Connection::Open(*store).value();
    MakeTwoTables(*writer);
    const PageNumber a = RootOf(*writer, "a"), b = RootOf(*writer, "b");
    ASSERT_TRUE(store->log().WaitDurable());

    ASSERT_TRUE(Sql(*writer, "BEGIN IMMEDIATE"));
    ASSERT_TRUE(Sql(*writer, "UPDATE a SET x=2"));
    store->handed().StartSending();
    store->handed().MakeList({PageNumber{1}});
    std::vector<std::byte> content(store->page_size());
    ASSERT_TRUE(store->handed().HandOver(One(b), content));
    EXPECT_TRUE(Sql(*writer, "COMMIT")) << "page a was not handed over";

    ASSERT_TRUE(Sql(*writer, "BEGIN IMMEDIATE"));
    ASSERT_TRUE(Sql(*writer, "UPDATE a SET x=3"));
    ASSERT_TRUE(store->handed().HandOver(One(a), content));
    const auto refused = Sql(*writer, "COMMIT");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, kHandedOverCode);
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
    EXPECT_TRUE(writer->autocommit()) << "rolled back";
    EXPECT_EQ(store->handed().refused_commits(), 1u);
    EXPECT_EQ(Number(*reader, "SELECT x FROM a"), 2);
    EXPECT_EQ(Number(*writer, "SELECT x FROM a"), 2) << "the connection stays usable";

    // A restart agrees with what was answered.
    writer->Close(true);
    reader->Close(true);
    writer.reset();
    reader.reset();
    store.reset();
    store = OpenStore("t.db", runtime::OpenMode::kExisting);
    auto again = Connection::Open(*store).value();
    EXPECT_EQ(Number(*again, "SELECT x FROM a"), 2);
  });
}

TEST_F(PageStoreTest, TheWholeTransactionIsCheckedNotItsLastStatement) {
  Run([&] {
    auto store = OpenStore("t.db");
    auto writer = Connection::Open(*store).value();
    MakeTwoTables(*writer);
    ASSERT_TRUE(store->log().WaitDurable());
    store->handed().StartSending();
    store->handed().MakeList({RootOf(*writer, "a")});
    ASSERT_TRUE(Sql(*writer, "BEGIN IMMEDIATE"));
    ASSERT_TRUE(Sql(*writer, "UPDATE a SET x=2"));
    ASSERT_TRUE(Sql(*writer, "UPDATE b SET x=2"));
    EXPECT_FALSE(Sql(*writer, "COMMIT"));
    EXPECT_EQ(Number(*writer, "SELECT x FROM b"), 1);
  });
}

TEST_F(PageStoreTest, AReaderKeepsItsSnapshotThroughAHandOver) {
  Run([&] {
    auto store = OpenStore("t.db");
    auto reader = Connection::Open(*store).value();
    auto writer = Connection::Open(*store).value();
    MakeTwoTables(*writer);
    ASSERT_TRUE(Sql(*reader, "BEGIN"));
    EXPECT_EQ(Number(*reader, "SELECT x FROM a"), 1);
    ASSERT_TRUE(Sql(*writer, "UPDATE a SET x=2"));
    ASSERT_TRUE(store->log().WaitDurable());
    store->handed().StartSending();
    store->handed().MakeList({PageNumber{1}});
    std::vector<std::byte> content(store->page_size());
    for (uint32_t value = 1; value <= store->page_count(); ++value)
      ASSERT_TRUE(store->handed().HandOver(One(PageNumber{value}), content));
    EXPECT_EQ(Number(*reader, "SELECT x FROM a"), 1);
    EXPECT_EQ(Number(*reader, "SELECT x FROM b"), 1);
    ASSERT_TRUE(Sql(*reader, "COMMIT"));
    EXPECT_EQ(Number(*reader, "SELECT x FROM a"), 2);
  });
}

TEST_F(PageStoreTest, AHandOverThatIsGivenUpRefusesNothingAnyMore) {
  Run([&] {
    auto store = OpenStore("t.db");
    auto writer = Connection::Open(*store).value();
    MakeTwoTables(*writer);
    ASSERT_TRUE(store->log().WaitDurable());
    store->handed().StartSending();
    store->handed().MakeList({PageNumber{1}, RootOf(*writer, "a")});
    EXPECT_FALSE(Sql(*writer, "UPDATE a SET x=2"));
    store->handed().AbandonHandOver();
    EXPECT_TRUE(Sql(*writer, "UPDATE a SET x=2"));
  });
}

// -- Destination

TEST_F(PageStoreTest, AReadOfAnAbsentPagePullsItOnceHoweverManyWait) {
  Run([&] {
    auto source = OpenStore("s.db");
    auto writer = Connection::Open(*source).value();
    MakeTwoTables(*writer);
    const PageNumber a = RootOf(*writer, "a");
    PageSet missing;
    missing.Add(a);
    std::vector<PageNumber> pulled;
    auto store = CopyWithout(*source, "d.db", missing, [&](PageNumber page) { pulled.push_back(page); });
    auto first = Connection::Open(*store).value();
    auto second = Connection::Open(*store).value();
    EXPECT_EQ(Number(*first, "SELECT x FROM b"), 1) << "what is present needs no pull";
    EXPECT_TRUE(pulled.empty());
    runtime::TaskGroup readers(*core_);
    int answered = 0;
    for (Connection* connection : {first.get(), second.get()})
      readers.Spawn("reader", [&, connection] {
        EXPECT_EQ(Number(*connection, "SELECT x FROM a"), 1);
        ++answered;
      });
    while (pulled.empty()) runtime::Yield();
    for (int turn = 0; turn < 10; ++turn) runtime::Yield();
    EXPECT_EQ(pulled, std::vector<PageNumber>{a});
    EXPECT_EQ(answered, 0);
    EXPECT_EQ(store->arrival().wanted(), std::vector<PageNumber>{a});
    const auto content = Newest(*source, a);
    EXPECT_TRUE(store->arrival().Arrive(One(a), content));
    readers.Join();
    EXPECT_EQ(answered, 2);
    EXPECT_TRUE(store->arrival().presence()->complete());
    EXPECT_TRUE(store->arrival().wanted().empty());
  });
}

TEST_F(PageStoreTest, APageThatIsPresentIsNotOverwrittenByALatePush) {
  Run([&] {
    auto source = OpenStore("s.db");
    auto writer = Connection::Open(*source).value();
    MakeTwoTables(*writer);
    const PageNumber a = RootOf(*writer, "a");
    const auto old_content = Newest(*source, a);
    auto store = CopyWithout(*source, "d.db", PageSet(), [](PageNumber) {});
    auto connection = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*connection, "UPDATE a SET x=2"));
    ASSERT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
    EXPECT_TRUE(store->arrival().Arrive(One(a), old_content));
    EXPECT_EQ(Number(*connection, "SELECT x FROM a"), 2);
  });
}

TEST_F(PageStoreTest, ACheckpointMakesPagesPresentDurably) {
  Run([&] {
    auto source = OpenStore("s.db");
    auto writer = Connection::Open(*source).value();
    MakeTwoTables(*writer);
    const PageNumber a = RootOf(*writer, "a"), b = RootOf(*writer, "b");
    PageSet missing;
    missing.Add(a);
    missing.Add(b);
    PageStore* destination = nullptr;
    auto store = CopyWithout(*source, "d.db", missing, [&](PageNumber page) {
      core_->Spawn("answer", [&, page] {
        const auto content = Newest(*source, page);
        EXPECT_TRUE(destination->arrival().Arrive(One(page), content));
      });
    });
    destination = store.get();
    auto connection = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*connection, "UPDATE a SET x=2"));
    EXPECT_FALSE(store->arrival().presence()->WasWrittenHere(a))
        << "a WAL write does not make a page present";
    ASSERT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
    const auto durable = PresenceMap::Load(core_->disk(), folder_ + "/d.db-presence").value();
    EXPECT_TRUE(durable->WasWrittenHere(a));
    EXPECT_TRUE(durable->HasArrived(a));
    EXPECT_FALSE(durable->IsPresent(b));
    EXPECT_EQ(durable->missing(), 1u);
    EXPECT_EQ(durable->arrived_sum(), store->arrival().presence()->arrived_sum());
  });
}

// -- Wireframe

TEST_F(PageStoreTest, TheWireframeHoldsEveryInteriorPageAndFewOthers) {
  Run([&] {
    auto store = OpenStore("w.db");
    auto connection = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)"));
    ASSERT_TRUE(Sql(*connection, "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID"));
    ASSERT_TRUE(Sql(*connection, "CREATE INDEX i ON t(body)"));
    ASSERT_TRUE(Sql(*connection,
                    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<20000) "
                    "INSERT INTO t SELECT x, randomblob(100) FROM c"));
    ASSERT_TRUE(Sql(*connection, "INSERT INTO w SELECT hex(body), id FROM t WHERE id % 4 = 0"));
    ASSERT_TRUE(Sql(*connection, "DELETE FROM t WHERE id % 3 = 0"));
    const auto read = [&](PageNumber page, MutableBytes into) { return store->ReadNewest(page, into); };
    const auto wireframe = FindWireframe(store->page_size(), store->page_count(), read).value().pages;
    EXPECT_EQ(wireframe.front(), PageNumber{1});
    EXPECT_LT(wireframe.size() * 10, store->page_count());
    PageSet found;
    for (const PageNumber page : wireframe) EXPECT_TRUE(found.Add(page)) << "each page once";
    // SQLite's own account of its pages (page type at its first byte: 2 and 5 are interior).
    uint32_t interior = 0;
    for (uint32_t value = 2; value <= store->page_count(); ++value) {
      const auto type = std::to_integer<int>(Newest(*store, PageNumber{value})[0]);
      if (type != 2 && type != 5) continue;
      ++interior;
    }
    EXPECT_GT(interior, 3u);
    // Pull-free descent: with only the wireframe present, each lookup by key lacks exactly leaves.
    PageSet missing;
    for (uint32_t value = 1; value <= store->page_count(); ++value)
      if (!found.Has(PageNumber{value})) missing.Add(PageNumber{value});
    PageStore* destination = nullptr;
    size_t pulls = 0;
    auto copy = CopyWithout(*store, "copy.db", missing, [&](PageNumber page) {
      ++pulls;
      core_->Spawn("answer", [&, page] {
        const auto content = Newest(*store, page);
        EXPECT_TRUE(destination->arrival().Arrive(One(page), content));
      });
    });
    destination = copy.get();
    auto there = Connection::Open(*copy).value();
    EXPECT_EQ(Number(*there, "SELECT length(body) FROM t WHERE id=12500"), 100);
    EXPECT_EQ(pulls, 1u) << "a lookup by rowid lacks its leaf and nothing else";
  });
}

TEST_F(PageStoreTest, TheTopOfAWireframeIsWhatIsNearestToTheRootsAndTakesAsManyReadsHoweverLargeTheFile) {
  Run([&] {
    auto store = OpenStore("p.db");
    auto connection = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*connection, "CREATE TABLE small(x)"));
    // Keys so wide that an inner page has few children.
    ASSERT_TRUE(Sql(*connection, "CREATE TABLE t(k TEXT PRIMARY KEY) WITHOUT ROWID"));
    ASSERT_TRUE(Sql(*connection,
                    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<3000) "
                    "INSERT INTO t SELECT printf('%0900d', x) FROM c"));
    size_t reads = 0;
    const auto read = [&](PageNumber page, MutableBytes into) {
      ++reads;
      return store->ReadNewest(page, into);
    };
    const auto whole = FindWireframe(store->page_size(), store->page_count(), read).value().pages;
    ASSERT_GT(whole.size(), 120u);
    reads = 0;
    const auto top = FindWireframeTop(store->page_size(), store->page_count(), read, 40).value();
    EXPECT_EQ(top.size(), 40u);
    EXPECT_LE(reads, 60u);
    PageSet found, inner;
    for (const PageNumber page : top) EXPECT_TRUE(found.Add(page)) << "each page once";
    for (const PageNumber page : whole) inner.Add(page);
    for (const PageNumber page : top) EXPECT_TRUE(inner.Has(page));
    EXPECT_TRUE(found.Has(RootOf(*connection, "small")));
    // Whatever is in it can be reached in it: the parent of each page but the roots.
    std::vector<PageNumber> reached{PageNumber{1}, RootOf(*connection, "small"), RootOf(*connection, "t")};
    for (size_t next = 2; next < reached.size(); ++next) {
      const auto bytes = Newest(*store, reached[next]);
      ASSERT_EQ(std::to_integer<int>(bytes[0]), 2) << "an inner page of an index";
      const auto add = [&](uint32_t child) {
        if (found.Has(PageNumber{child})) reached.push_back(PageNumber{child});
      };
      for (size_t cell = 0; cell < ReadBigEndian16(&bytes[3]); ++cell)
        add(ReadBigEndian32(&bytes[ReadBigEndian16(&bytes[12 + 2 * cell])]));
      add(ReadBigEndian32(&bytes[8]));
    }
    EXPECT_EQ(reached.size(), top.size());
    EXPECT_EQ(FindWireframeTop(store->page_size(), store->page_count(), read, 100'000).value().size(),
              whole.size());
  });
}

TEST_F(PageStoreTest, TheWireframeKnowsWhichLeafAScanReadsNext) {
  Run([&] {
    auto store = OpenStore("n.db");
    auto connection = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)"));
    ASSERT_TRUE(Sql(*connection,
                    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<5000) "
                    "INSERT INTO t SELECT x, randomblob(200) FROM c"));
    const auto read = [&](PageNumber page, MutableBytes into) { return store->ReadNewest(page, into); };
    const auto wireframe = FindWireframe(store->page_size(), store->page_count(), read).value();
    const PageNumber root = RootOf(*connection, "t");
    PageSet linked;
    for (const uint32_t next : wireframe.next_leaf)
      if (next != 0) linked.Add(PageNumber{next});
    // Every leaf of the table but its first follows another one.
    uint32_t leaves = 0;
    for (uint32_t value = 2; value <= store->page_count(); ++value)
      if (std::to_integer<int>(Newest(*store, PageNumber{value})[0]) == 13) ++leaves;
    EXPECT_GT(leaves, 100u);
    EXPECT_EQ(linked.size() + 1, leaves);
    EXPECT_FALSE(linked.Has(root));
  });
}

TEST_F(PageStoreTest, FreeLeavesAreFoundAllOfThem) {
  Run([&] {
    auto store = OpenStore("f.db");
    auto connection = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)"));
    ASSERT_TRUE(Sql(*connection,
                    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<2000) "
                    "INSERT INTO t SELECT x, zeroblob(3000) FROM c"));
    ASSERT_TRUE(Sql(*connection, "DELETE FROM t WHERE id>10"));
    const auto read = [&](PageNumber page, MutableBytes into) { return store->ReadNewest(page, into); };
    const auto leaves = FindFreeLeaves(store->page_size(), store->page_count(), read).value();
    const auto wireframe = FindWireframe(store->page_size(), store->page_count(), read).value();
    PageSet distinct;
    for (const PageNumber leaf : leaves) EXPECT_TRUE(distinct.Add(leaf));
    for (const PageNumber page : wireframe.pages) EXPECT_FALSE(distinct.Has(page)) << page.value;
    // Trunks count as free as well, and are part of the wireframe.
    const int64_t free = Number(*connection, "PRAGMA freelist_count");
    EXPECT_GT(leaves.size(), 1000u);
    EXPECT_LT(leaves.size(), static_cast<size_t>(free));
    EXPECT_GE(leaves.size() + wireframe.pages.size(), static_cast<size_t>(free));
  });
}

TEST_F(PageStoreTest, WhatWasUsedLatelyIsHot) {
  Run([&] {
    auto store = OpenStore("h.db");
    PageNumber a, b;
    {
      auto writer = Connection::Open(*store).value();
      MakeTwoTables(*writer);
      a = RootOf(*writer, "a");
      b = RootOf(*writer, "b");
      ASSERT_TRUE(writer->Checkpoint(CheckpointMode::kTruncate));
      ASSERT_TRUE(Sql(*writer, "UPDATE a SET x=7"));
      ASSERT_TRUE(Sql(*writer, "UPDATE b SET x=7"));
    }
    const auto hot = store->HotPages(1);
    EXPECT_EQ(hot, std::vector<PageNumber>{b}) << "the one written last";
    EXPECT_EQ(store->HotPages(100).size(), store->page_count()) << "all of this file have been used";
  });
}

TEST_F(PageStoreTest, WhatWasUsedLatelyIsHotThroughoutALargeFile) {
  Run([&] {
    auto store = OpenStore("h.db");
    auto writer = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*writer, "CREATE TABLE a(id INTEGER PRIMARY KEY, x)"));
    ASSERT_TRUE(Sql(*writer,
                    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n<2500) "
                    "INSERT INTO a SELECT n, zeroblob(3000) FROM c"));
    ASSERT_GT(store->page_count(), 2 * 1024u);
    EXPECT_EQ(store->HotPages(10'000).size(), store->page_count()) << "all have been written";
    ASSERT_TRUE(Sql(*writer, "UPDATE a SET x=zeroblob(3001) WHERE id=2500"));
    const auto last = store->HotPages(1);
    ASSERT_EQ(last.size(), 1u);
    EXPECT_GT(last.front().value, 2 * 1024u);
  });
}

TEST_F(PageStoreTest, OthersRunWhileItLooksForWhatIsHot) {
  Run([&] {
    auto store = OpenStore("h.db");
    auto writer = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*writer, "CREATE TABLE a(id INTEGER PRIMARY KEY, x)"));
    ASSERT_TRUE(Sql(*writer,
                    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n<2500) "
                    "INSERT INTO a SELECT n, zeroblob(3000) FROM c"));
    int turns = 0;
    bool found = false;
    runtime::TaskGroup others(*core_);
    others.Spawn("other", [&] {
      for (; !found; runtime::Yield()) ++turns;
    });
    EXPECT_EQ(store->HotPages(10).size(), 10u);
    found = true;
    others.Join();
    EXPECT_GE(turns, 2);
  });
}

// -- Going back

TEST_F(PageStoreTest, ATenantThatGoesBackTakesOnlyWhatWasWrittenHere) {
  Run([&] {
    auto source = OpenStore("s.db");
    auto writer = Connection::Open(*source).value();
    MakeTwoTables(*writer);
    const PageNumber a = RootOf(*writer, "a"), b = RootOf(*writer, "b");
    auto store = CopyWithout(*source, "d.db", PageSet(), [](PageNumber) {});
    auto connection = Connection::Open(*store).value();
    ASSERT_TRUE(Sql(*connection, "UPDATE a SET x=2"));
    ASSERT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
    ASSERT_TRUE(Sql(*connection, "CREATE TABLE c(x)"));  // In the WAL, and past the end of what came.
    ASSERT_TRUE(store->log().WaitDurable());
    store->handed().StartSending();
    const PageSet& handed = store->handed().MakeReverseList({});
    EXPECT_FALSE(handed.Has(a)) << "checkpointed here";
    EXPECT_TRUE(handed.Has(b)) << "never written here";
    EXPECT_FALSE(handed.Has(PageNumber{1})) << "in the WAL";
    EXPECT_FALSE(handed.Has(RootOf(*connection, "c"))) << "made here";
  });
}

TEST_F(PageStoreTest, ReadersOfAbsentPagesFailAtOnceWhenTheTenantGoesBack) {
  Run([&] {
    auto source = OpenStore("s.db");
    auto writer = Connection::Open(*source).value();
    MakeTwoTables(*writer);
    PageSet missing;
    missing.Add(RootOf(*writer, "a"));
    auto store = CopyWithout(*source, "d.db", missing, [](PageNumber) {});
    auto connection = Connection::Open(*store).value();
    runtime::TaskGroup readers(*core_);
    std::optional<Error> error;
    readers.Spawn("reader", [&] {
      auto answer = Sql(*connection, "SELECT x FROM a");
      if (!answer) error = answer.error();
    });
    while (store->arrival().wanted().empty()) runtime::Yield();
    store->arrival().StopPulls();
    readers.Join();
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code, kPullFailedCode);
    const auto again = Sql(*connection, "SELECT x FROM a");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, kPullFailedCode);
  });
}

}  // namespace
}  // namespace tradewind::sqlite
