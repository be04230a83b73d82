// A node that comes back in the middle of a move, while another program has the tenant's file open.
#include <gtest/gtest.h>

#include "admin/tenant_maker.h"
#include "base/limits.h"
#include "move/journal.h"
#include "move/moves.h"
#include "move/options.h"
#include "runtime/disk.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using namespace std::chrono_literals;

constexpr char kPipeline[] = "/db/shop/v2/pipeline";
constexpr char kFill[] =
    R"json({"requests":[{"type":"execute","stmt":{"sql":"CREATE TABLE t(a)"}},{"type":"execute","stmt":{"sql":"INSERT INTO t VALUES(randomblob(3000000))"}},{"type":"close"}]})json";
constexpr char kRead[] =
    R"json({"requests":[{"type":"execute","stmt":{"sql":"SELECT length(a) FROM t"}},{"type":"close"}]})json";

class ResumeTest : public TwoNodes {
 protected:
  std::string PhaseOf(const std::string& move) {
    const auto receipt = Json(200, Call(*n1_, "GET", "/v1/moves/" + move));
    return boost::json::value_to<std::string>(receipt.at("phase"));
  }
  std::string StartMove(const char* options) {
    const auto started = Json(202, Call(*n1_, "POST", "/v1/moves", options));
    return boost::json::value_to<std::string>(started.at("id"));
  }
};

// The sender is back as soon as the node is, and before the copy is: that must not end the copy.
TEST_F(ResumeTest, ACopyThatIsBeingOpenedOutlivesASenderThatAsksForIt) {
  WithNodes([&] {
    catalog::Need(n1_->maker().Create("shop", ""));
    const auto filled = Call(*n1_, "POST", kPipeline, kFill);
    ASSERT_EQ(filled.status, 200) << filled.body;
    const std::string move = StartMove(R"({"tenant":"shop","to":"n2","rate_bytes_per_s":100000})");
    Await([&] { return PhaseOf(move) == "finish"; });
    Stop(n2_);
    {
      // As another program that has SQLite's lock of it.
      const auto file =
          core_->disk().Open(folder_.File("n2") + "/tenants/shop.db", runtime::OpenMode::kExisting);
      ASSERT_TRUE(file);
      ASSERT_TRUE((*file)->Lock({0x40000000, 512}));
      n2_ = Start("n2", n1_->url());
      ASSERT_TRUE(n2_);
      // It has tried, and tries again: from here on it waits for the file.
      Await([&] { return n2_->parts().moves().IsMoving("shop"); });
      const runtime::TimePoint until = core_->Now() + 4 * limits::kReconnectPause;
      while (core_->Now() < until && n2_->parts().moves().IsMoving("shop")) runtime::Yield();
      EXPECT_TRUE(n2_->parts().moves().IsMoving("shop"));
    }
    Json(200, Call(*n1_, "PATCH", "/v1/moves/" + move, R"({"rate_bytes_per_s":null})"));
    Await([&] { return PhaseOf(move) == "done"; });
    const auto read = Call(*n2_, "POST", kPipeline, kRead);
    EXPECT_NE(read.body.find("3000000"), std::string::npos) << read.body;
  });
}

// The end of the move is in the journal, and the map of what has arrived was to go next.
TEST_F(ResumeTest, NothingIsLeftOfAMoveThatEndedJustBeforeItsNode) {
  WithNodes([&] {
    catalog::Need(n2_->maker().Create("shop", ""));
    Stop(n2_);
    const std::string tenants = folder_.File("n2") + "/tenants/";
    for (const char* name : {"shop.db-presence", "nobody.db-presence"})
      ASSERT_TRUE(core_->disk().Open(tenants + name, runtime::OpenMode::kCreate));
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    EXPECT_EQ(core_->disk().Exists(tenants + "shop.db-presence"), false);
    EXPECT_EQ(core_->disk().Exists(tenants + "nobody.db-presence"), true)
        << "of no tenant that this node knows";
    EXPECT_EQ(Call(*n2_, "POST", kPipeline, kFill).status, 200);
  });
}

// The move that brought the tenant is over for the catalog, and this node went down before its journal said so; the next
// one was begun in the catalog, and waited for that.
TEST_F(ResumeTest, AMoveThatWasOnlyBegunIsCancelledAlsoWhereTheOneBeforeItIsStillToEnd) {
  WithNodes([&] {
    catalog::Need(n1_->maker().Create("shop", ""));
    const std::string arrival = StartMove(R"({"tenant":"shop","to":"n2"})");
    Await([&] { return PhaseOf(arrival) == "done"; });
    Stop(n2_);
    const std::string path = folder_.File("n2") + "/journal";
    move::JournalEntries entries;
    {
      const auto journal = move::Journal::Open(*core_, path).value();
      entries = journal->entries();
      journal->Close();
    }
    move::JournalEntry& entry = entries.at("shop");
    entry.role = move::Role::kOwner;
    entry.move = arrival;
    entry.peer = "n1";
    ASSERT_TRUE(move::Journal::WriteNew(*core_, path, entries));

    catalog::Catalog& catalog = n1_->parts().member().catalog;
    catalog::MoveRecord next;
    next.id = "m-next";
    next.tenant = "shop";
    next.source = "n2";
    next.destination = "n1";
    next.method = "zephyr";
    next.options = move::ToText(move::MoveOptions());
    next.epoch_before = catalog.GetTenant("shop").value().ownership.epoch;
    ASSERT_TRUE(catalog.BeginMove(next));
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    Await([&] { return catalog.GetMove(next.id).value().state == catalog::MoveState::kCancelled; });
  });
}

}  // namespace
}  // namespace tradewind::node
