#include "move/byte_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/limits.h"
#include "move/move_fixture.h"

namespace tradewind::move {
namespace {

class ByteStreamTest : public testing::Test {
 protected:
  void WithChannels(const std::function<void(LinkPair&, MoveChannel& near, MoveChannel& far)>& body) {
    core_.Run([&] {
      std::unique_ptr<MoveChannel> far;
      LinkPair links(core_, [&](std::unique_ptr<MoveChannel> channel) { far = std::move(channel); });
      {
        auto near = links.near->Open();
        ASSERT_TRUE(near->Send(Offer{}));
        while (!far) runtime::Yield();
        body(links, *near, *far);
        near->Close();
        while (!far->ended()) runtime::Yield();
        far.reset();
      }
      links.Stop();
    });
  }
  static std::vector<std::byte> SomeBytes(size_t count) {
    std::vector<std::byte> bytes(count);
    for (size_t at = 0; at < count; ++at) bytes[at] = static_cast<std::byte>(at * 31 >> 3);
    return bytes;
  }

  runtime::TestCore core_;
};

TEST_F(ByteStreamTest, CarriesBytesBothWaysBesideMessages) {
  WithChannels([&](LinkPair&, MoveChannel& near, MoveChannel& far) {
    const auto there = SomeBytes(3 * limits::kStreamWindowBytes + 17);
    const auto back = SomeBytes(limits::kStreamWindowBytes + 5);
    runtime::TaskGroup fibers(core_);
    const auto write = [](MoveChannel& channel, const std::vector<std::byte>& bytes) {
      EXPECT_TRUE(channel.stream().Write(bytes));
      EXPECT_TRUE(channel.stream().EndWriting());
    };
    const auto read = [](MoveChannel& channel) {
      std::vector<std::byte> all, part(1000);
      while (true) {
        const auto got = channel.stream().Read(part);
        if (!got || *got == 0) return all;
        all.insert(all.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(*got));
      }
    };
    fibers.Spawn("write there", [&] { write(near, there); });
    fibers.Spawn("write back", [&] { write(far, back); });
    fibers.Spawn("read back", [&] { EXPECT_EQ(read(near), back); });
    EXPECT_TRUE(near.Send(Own{Epoch{3}}));
    EXPECT_EQ(read(far), there);
    EXPECT_TRUE(std::holds_alternative<Offer>(far.Receive().value()));
    EXPECT_EQ(std::get<Own>(far.Receive().value()).epoch, Epoch{3});
    fibers.Join();
  });
}

TEST_F(ByteStreamTest, WaitsForWhoReadsSlowly) {
  WithChannels([&](LinkPair&, MoveChannel& near, MoveChannel& far) {
    bool written = false;
    runtime::TaskGroup fibers(core_);
    fibers.Spawn("write", [&] {
      EXPECT_TRUE(near.stream().Write(SomeBytes(2 * limits::kStreamWindowBytes)));
      written = true;
    });
    for (int turn = 0; turn < 200; ++turn) runtime::Yield();
    EXPECT_FALSE(written);
    EXPECT_LT(near.bytes_sent(), limits::kStreamWindowBytes + 1000);
    std::vector<std::byte> part(limits::kStreamWindowBytes);
    for (size_t all = 0; all < 2 * limits::kStreamWindowBytes;) all += far.stream().Read(part).value();
    fibers.Join();
    EXPECT_TRUE(written);
  });
}

TEST_F(ByteStreamTest, AnEndOfTheChannelEndsWhoWaits) {
  WithChannels([&](LinkPair&, MoveChannel& near, MoveChannel& far) {
    runtime::TaskGroup fibers(core_);
    fibers.Spawn("read", [&] {
      std::vector<std::byte> part(10);
      EXPECT_EQ(near.stream().Read(part).error().code, "CHANNEL_CLOSED");
    });
    fibers.Spawn("write",
                 [&] { EXPECT_FALSE(near.stream().Write(SomeBytes(2 * limits::kStreamWindowBytes))); });
    for (int turn = 0; turn < 200; ++turn) runtime::Yield();
    far.Close();
    fibers.Join();
  });
}

TEST_F(ByteStreamTest, WhoIsToEndBeforeTheChannelIsWoken) {
  WithChannels([&](LinkPair&, MoveChannel& near, MoveChannel& far) {
    runtime::TaskGroup fibers(core_);
    fibers.Spawn("read", [&] {
      std::vector<std::byte> part(10);
      EXPECT_EQ(near.stream().Read(part).error().code, "STREAM_STOPPED");
    });
    for (int turn = 0; turn < 50; ++turn) runtime::Yield();
    near.stream().Stop();
    fibers.Join();
    EXPECT_TRUE(near.Send(Own{Epoch{3}})) << "the channel goes on";
    EXPECT_TRUE(far.Receive());
  });
}

TEST_F(ByteStreamTest, APeerThatKeepsToNoWindowLosesItsLink) {
  for (const Message& message : {Message(StreamBytes{SomeBytes(limits::kStreamWindowBytes + 1)}),
                                 Message(StreamAck{1}), Message(StreamAck{UINT32_MAX})}) {
    WithChannels([&](LinkPair& links, MoveChannel& near, MoveChannel&) {
      static_cast<void>(near.Send(message));
      for (int turn = 0; turn < 200; ++turn) runtime::Yield();
      EXPECT_TRUE(links.far->lost()) << message.index();
    });
  }
}

}  // namespace
}  // namespace tradewind::move
