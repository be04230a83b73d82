// A source hears messages that make no sense where it is: the channel ends as CHANNEL_CONFUSED, and the tenant stays
// where it is and whole.
#include <gmock/gmock.h>

#include "move/move_fixture.h"
#include "move/move_source.h"
#include "tenant/tenant.h"
#include "zephyr/engine.h"
#include "zephyr/turn_fixture.h"

namespace tradewind::zephyr {
namespace {

using namespace std::chrono_literals;

using move::Complete;
using move::FirstServed;
using move::Hello;
using move::LinkPair;
using move::List;
using move::MoveSource;
using move::Offer;
using move::OfferKind;
using move::Own;
using move::Owned;
using move::Ready;
using move::Role;

class SourceTurn : public testing::Test {
 protected:
  // How far the destination of the test has come when it says what makes no sense.
  enum class Stage {
    kOffered,
    kGreeted,
    kAskedToPrepare,
    kPrepared,
    kListed,
    kOwner,
    kComplete,
    kReoffered,
    kReconnected
  };

  struct Ending {
    MoveSource::Outcome outcome = MoveSource::Outcome::kStopped;
    std::string said;  // How the channel ended.
    std::optional<Role> role;
    std::string error;
    bool has_file = false;
    bool serves = false;
    bool done = false;  // Of the receipt.
  };

  Ending Run(Stage stage, const std::vector<move::Message>& nonsense) {
    Ending ending;
    core_.Run([&] {
      std::filesystem::remove_all(core_.folder());
      std::filesystem::create_directory(core_.folder());
      move::TestHost host(core_, engine_);
      for (const char* node : {"n1", "n2"})
        ASSERT_TRUE(host.catalog().RegisterNode({{node, "http://n"}, node}));
      ASSERT_TRUE(host.catalog().CreateTenant("shop", "sqlite", "n1"));
      ASSERT_TRUE(host.journal().Put({"shop", Role::kOwned, Epoch{1}, "", "", 0, false}));
      catalog::MoveRecord record;
      record.id = "m1";
      record.tenant = "shop";
      record.source = "n1";
      record.destination = "n2";
      record.method = "zephyr";
      record.epoch_before = Epoch{1};
      ASSERT_TRUE(host.catalog().BeginMove(record));
      auto store =
          sqlite::PageStore::Open(core_, host.TenantPath("shop"), runtime::OpenMode::kCreate).value();
      const auto tenant = tenant::Tenant::Open(core_, "shop", std::move(store)).value();
      ASSERT_TRUE(tenant->OpenStream().value()->Execute({.sql = "CREATE TABLE t(v)"}));

      move::Receipt start;
      start.id = "m1";
      start.tenant = "shop";
      start.source = "n1";
      start.destination = "n2";
      start.epoch = Epoch{1};
      MoveSource source(host, *tenant, engine_, start, move::MoveOptions{}, move::Direction::kForward);
      int channels = 0;
      const int confused_at = stage >= Stage::kReoffered ? 2 : 1;
      LinkPair links(core_, [&](std::unique_ptr<move::MoveChannel> channel) {
        if (++channels > confused_at) {  // It has seen enough.
          host.is_stopping = ending.outcome == MoveSource::Outcome::kStopped;
          static_cast<void>(channel->Send(move::Failed{"TEST_OVER", ""}));
          return source.Stop();
        }
        if (channels < confused_at) return BringTo(Stage::kComplete, *channel);
        BringTo(stage, *channel);
        for (const move::Message& message : nonsense) static_cast<void>(channel->Send(message));
        const auto deadline = core_.Now() + 1s;
        Result<move::Message> heard = channel->ReceiveUntil(deadline);
        while (heard) heard = channel->ReceiveUntil(deadline);
        ending.said = heard.error().code;
      });
      host.link = links.near;
      ending.outcome = source.Run();
      const move::Receipt receipt = source.receipt();
      ending.error = receipt.error;
      ending.done = receipt.phase == move::Phase::kDone;
      ending.role = host.RoleOf("shop");
      ending.has_file = std::filesystem::exists(host.TenantPath("shop"));
      ending.serves = tenant->gate() == tenant::Gate::kOpen;
      host.is_stopping = true;
      links.Stop();
      tenant->Close();
      host.Close();
    });
    return ending;
  }

  void BringTo(Stage stage, move::MoveChannel& channel) {
    const Offer offer = Hear<Offer>(channel);
    if (stage == Stage::kOffered || (stage == Stage::kReoffered && offer.kind == OfferKind::kDual)) return;
    static_cast<void>(channel.Send(Hello{}));
    if (stage == Stage::kGreeted || offer.kind == OfferKind::kDual) return;
    Hear<Prepare>(channel);
    if (stage == Stage::kAskedToPrepare) return;
    static_cast<void>(channel.Send(AsMessage(Prepared{})));
    if (stage == Stage::kPrepared) return;
    const List list = Hear<List>(channel);
    if (stage == Stage::kListed) return;
    static_cast<void>(channel.Send(Ready{list.number}));
    Hear<Own>(channel);
    if (stage == Stage::kOwner) return;
    static_cast<void>(channel.Send(Owned{}));
    Hear<Complete>(channel);
  }

  // The next of that kind; what comes before it is passed over.
  template <typename M>
  static M Hear(move::MoveChannel& channel) {
    while (true) {
      const auto heard = channel.Receive();
      if (!heard) {
        ADD_FAILURE() << Describe(heard.error());
        return M{};
      }
      if (auto message = As<M>(*heard)) return *message;
    }
  }

  // Before the swap the move is given up, and the tenant is served here as ever.
  void ExpectGivenUp(Stage stage, const std::vector<move::Message>& nonsense) {
    const Ending ending = Run(stage, nonsense);
    const std::string what = "stage " + std::to_string(static_cast<int>(stage)) + ", message " +
                             std::to_string(nonsense.back().index());
    EXPECT_THAT(ending.said, testing::HasSubstr("CLOSED")) << what;
    EXPECT_EQ(ending.outcome, MoveSource::Outcome::kCancelled) << what;
    EXPECT_THAT(ending.error, testing::HasSubstr("CHANNEL_CONFUSED")) << what;
    EXPECT_EQ(ending.role, Role::kOwned) << what;
    EXPECT_TRUE(ending.has_file && ending.serves) << what;
  }
  // After it the move goes on over another channel: nothing is deleted.
  void ExpectKept(Stage stage, const std::vector<move::Message>& nonsense) {
    const Ending ending = Run(stage, nonsense);
    const std::string what = "stage " + std::to_string(static_cast<int>(stage)) + ", message " +
                             std::to_string(nonsense.back().index());
    EXPECT_THAT(ending.said, testing::HasSubstr("CLOSED")) << what;
    EXPECT_EQ(ending.outcome, MoveSource::Outcome::kStopped) << what;
    EXPECT_TRUE(ending.role == Role::kDual || ending.role == Role::kSwapping) << what;
    EXPECT_TRUE(ending.has_file && !ending.serves && !ending.done) << what;
  }

  Engine engine_;
  runtime::TestCore core_;
};

move::Message Greeting(std::vector<uint64_t> arrived, std::vector<uint64_t> present) {
  return Hello{true, 1, EncodePart(GreetingPart{std::move(arrived), std::move(present)})};
}

TEST_F(SourceTurn, AWholeMoveEndsWithTheCopyToBeDeleted) {
  const Ending ending = Run(Stage::kComplete, {AnyDone()});
  EXPECT_EQ(ending.outcome, MoveSource::Outcome::kMoved);
  EXPECT_EQ(ending.role, Role::kDeleting);
}

TEST_F(SourceTurn, WhatASourceSaysConfusesItEverywhere) {
  for (const move::Message& message :
       {move::Message(
            Offer{OfferKind::kInit, 1, Epoch{1}, "m1", "shop", "n1", "sqlite", EncodePart(CopyPart{4096})}),
        AsMessage(Prepare{1}), AsMessage(Pages{true, {PageNumber{1}}, std::vector<std::byte>(4096)}),
        move::Message(List{}), move::Message(Own{Epoch{2}}), move::Message(Complete{})}) {
    for (const Stage stage : {Stage::kOffered, Stage::kAskedToPrepare, Stage::kListed})
      ExpectGivenUp(stage, {message});
    for (const Stage stage : {Stage::kOwner, Stage::kComplete}) ExpectKept(stage, {message});
  }
}

TEST_F(SourceTurn, DoneBeforeEverythingWasSentDeletesNothing) {
  for (const Stage stage :
       {Stage::kOffered, Stage::kGreeted, Stage::kAskedToPrepare, Stage::kPrepared, Stage::kListed})
    ExpectGivenUp(stage, {AnyDone()});
  ExpectKept(Stage::kReconnected, {AnyDone()});
}

TEST_F(SourceTurn, AnswersToWhatWasNotSaidConfuseIt) {
  ExpectGivenUp(Stage::kGreeted, {Hello{}});
  ExpectGivenUp(Stage::kOffered, {AsMessage(Prepared{})});
  ExpectGivenUp(Stage::kPrepared, {AsMessage(Prepared{})});
  for (const Stage stage : {Stage::kOffered, Stage::kGreeted, Stage::kAskedToPrepare}) {
    ExpectGivenUp(stage, {Ready{1}});
    ExpectGivenUp(stage, {Owned{}});
    ExpectGivenUp(stage, {FirstServed{}});
    ExpectGivenUp(stage, {AsMessage(Pull{PageNumber{1}})});
    ExpectGivenUp(stage, {AsMessage(Hashes{PageNumber{1}, {1}})});
    ExpectGivenUp(stage, {AsMessage(Ack{1u << 30})});
  }
  ExpectGivenUp(Stage::kListed, {Ready{7}});
  ExpectGivenUp(Stage::kListed, {Owned{}});
  ExpectGivenUp(Stage::kListed, {AsMessage(Pull{PageNumber{1}})});
  ExpectKept(Stage::kOwner, {Ready{1}});
  ExpectKept(Stage::kOwner, {Hello{}});
  ExpectKept(Stage::kOwner, {Owned{}, Owned{}});
  ExpectKept(Stage::kOwner, {FirstServed{}, FirstServed{}});
  ExpectKept(Stage::kComplete, {AsMessage(Prepared{})});
  ExpectKept(Stage::kComplete, {AsMessage(Ack{1u << 30})});
}

TEST_F(SourceTurn, HashesComeInOrderAndNoMoreThanThereArePages) {
  ExpectKept(Stage::kComplete, {AsMessage(Hashes{PageNumber{2}, {1}})});
  ExpectKept(Stage::kComplete,
             {AsMessage(Hashes{PageNumber{1}, {1}}), AsMessage(Hashes{PageNumber{1}, {1}})});
  ExpectKept(Stage::kComplete, {AsMessage(Hashes{PageNumber{1}, {}})});
  ExpectKept(Stage::kComplete, {AsMessage(Hashes{PageNumber{1}, std::vector<uint64_t>(70)})});
  ExpectKept(Stage::kComplete, {AsMessage(Hashes{PageNumber{0}, {1}})});
}

TEST_F(SourceTurn, AReceiverCannotHaveWhatTheFileHasNot) {
  // A file of two pages.
  for (const std::vector<uint64_t>& words :
       {std::vector<uint64_t>{1}, std::vector<uint64_t>{8}, std::vector<uint64_t>{2, 1},
        std::vector<uint64_t>{2, 0, 0, 0, 0, 0, 0}}) {
    ExpectKept(Stage::kReoffered, {Greeting(words, {6})});
    ExpectKept(Stage::kReoffered, {Greeting({6}, words)});
  }
  ExpectKept(Stage::kReoffered, {AsMessage(Pull{PageNumber{1}})});
  ExpectKept(Stage::kReoffered, {Greeting({}, {}), Greeting({}, {})});
  ExpectGivenUp(Stage::kOffered, {Hello{false, ~uint64_t{0}, {}}});
  ExpectKept(Stage::kComplete, {AsMessage(Pull{PageNumber{0}})});
  ExpectKept(Stage::kComplete, {AsMessage(Pull{PageNumber{70}})});
}

}  // namespace
}  // namespace tradewind::zephyr
