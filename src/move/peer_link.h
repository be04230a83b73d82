// The two connections from one node to another over which all moves between them run, and the channels on
// them, one for each move (move_channel.h).
//
//   urgent lane   control, pulls and their answers: short, never behind a push
//   bulk lane     pushes; one batch of one move after the other, in turn
//
// The node that opens the link opens the channels on it, with an Offer as their first message; the number of
// a channel is never used again on the link. Messages of
// one lane arrive in the order of sending; between the lanes there is no order, so whoever needs one waits
// for an answer. A frame that is damaged, or a lost connection, ends the link and every channel on it: the
// moves go on over a new one.
//
// This core only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "move/messages.h"
#include "move/move_channel.h"
#include "runtime/core.h"
#include "runtime/fair_lock.h"
#include "runtime/fiber.h"
#include "runtime/network.h"

namespace tradewind::move {

class PeerLink : public std::enable_shared_from_this<PeerLink> {
 public:
  // Runs in a fiber of its own for each channel that the other side opens.
  using OnOpened = std::function<void(std::unique_ptr<MoveChannel>)>;

  explicit PeerLink(runtime::Core& core, OnOpened on_opened = {})
      : core_(core), on_opened_(std::move(on_opened)), lanes_{Lane(core), Lane(core)}, fibers_(core) {}
  ~PeerLink();  // Requires: Join() has returned.

  // Takes one of the link's connections and reads it until the link is lost. `leftover`: bytes of the peer
  // that came with the upgrade's answer. Suspends.
  void Serve(Urgency lane, std::unique_ptr<runtime::Connection> connection, std::string leftover);

  // A new channel to the other side.
  std::unique_ptr<MoveChannel> Open();

  // Ends both connections and every channel. Does not suspend.
  void Close();
  bool lost() const { return lost_.has_value(); }
  // A connection has been taken for the lane. It takes no second one, and none once it is lost.
  bool has_lane(Urgency lane) const { return lost() || lanes_[static_cast<size_t>(lane)].connection; }
  // Suspends until no fiber of the link runs; it must be lost, or about to be.
  void Join();

 private:
  friend class MoveChannel;
  struct Lane {
    explicit Lane(runtime::Core& core) : sending(core) {}
    std::unique_ptr<runtime::Connection> connection;
    bool serving = false;
    runtime::WaitQueue connected;  // Or lost.
    runtime::FairLock sending;
  };

  // Suspends until the frame is with the transport.
  Result<void> Send(const std::vector<std::byte>& frame, Urgency lane, uint64_t& bytes_sent);
  void SendEnd(uint32_t channel);
  Result<void> Read(Lane& lane, Urgency kind, std::string leftover);
  // Hands on every whole frame at the start of `bytes`; returns how many bytes those were.
  Result<size_t> TakeFrames(Bytes bytes, Urgency kind);
  Result<void> Deliver(uint32_t channel, Message message, Urgency kind, size_t bytes);
  // Notes the number of a channel of the other side; whether it comes for the first time. Fails with
  // CHANNEL_CONFUSED when there are too many gaps before it.
  Result<bool> TakeNumber(uint32_t channel);
  void Lose(Error why);

  runtime::Core& core_;
  const OnOpened on_opened_;
  std::array<Lane, 2> lanes_;
  std::map<uint32_t, MoveChannel*> channels_;
  uint32_t last_channel_ = 0;
  // Of the other side: all up to `taken_up_to_`, and these.
  uint32_t taken_up_to_ = 0;
  std::set<uint32_t> taken_;
  std::optional<Error> lost_;
  runtime::TaskGroup fibers_;
  runtime::WaitQueue served_;
};

}  // namespace tradewind::move
