// What travels in a move, as the steps of the move see it: one pair of payloads for each engine. The steps that pass
// ownership on (move_source.h, move_destination.h: ready -> swapping -> swap -> owner, cancel, resume, reversing,
// done, the journal) are the same for all of them, and know nothing else of an engine.
//
//   before the swap   Prepare: whatever is worth sending while the source goes on serving. Freeze: a moment from which on
//                     nothing changes; it may fail, and is tried again. MakeList: what the copy has to have to own,
//                     which the destination makes durable (MakeReady).
//   after it          SendRest: what the copy still lacks; nothing, for one that was complete before. Then both sums are
//                     compared.
//   reversed          The copy that the source kept is made current by a move in the other direction, with a pair of
//                     payloads made for Direction::kReverse.
//
// An engine answers for: what MakeReady() returned from is durable; nothing that the list has changes at the source after
// Freeze() succeeded, until Thaw(); after a restart Load() and Resume() find it as it was. The steps answer for: who
// serves, and what is deleted when.
//
// A payload is for one core's fibers. What comes from the other node is answered with an error, never asserted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "move/messages.h"
#include "move/move_channel.h"
#include "move/options.h"
#include "move/receipt.h"
#include "move/source_session.h"
#include "runtime/fiber.h"
#include "tenant/hosted_tenant.h"

namespace tradewind::move {

class MoveHost;
class SourcePace;

enum class Direction {
  kForward,
  kReverse,  // The move was reversed: its destination sends the tenant back.
};

// The move of a source's payload, which it outlives.
class SourceMove {
 public:
  virtual ~SourceMove() = default;
  virtual MoveHost& host() = 0;
  virtual tenant::HostedTenant& hosted() = 0;
  virtual Direction direction() const = 0;
  virtual const NodeName& peer() const = 0;
  virtual const MoveOptions& options() const = 0;
  virtual Receipt& figures() = 0;
  virtual SourcePace& pace() = 0;
  virtual uint64_t bytes_sent() const = 0;  // Over all channels.
  // Something of the channel changed, or of what is asked of the move.
  virtual runtime::WaitQueue& news() = 0;
  // The move is being given up, has been reversed, or the node is ending: nothing is begun any more.
  virtual bool is_ending() const = 0;
  // Whether the destination may speak as an owner.
  virtual bool MayOwn(const SourceSession& session) const = 0;
  // Suspends as HostedTenant::AwaitQuiet() does, with the grace that the operator gave.
  virtual void AwaitQuiet() = 0;
  // Parks the tenant, for a Freeze() that needs that early. Does not suspend.
  virtual void Park() = 0;
  // From its success on new transactions wait. For a payload that sends everything in that state; otherwise the move
  // does so after Prepare().
  virtual Result<void> BeginHandOver() = 0;
};

// What a copy is compared by: the bytes are for the other end's payload, the sum for people.
struct Completion {
  Part part;
  uint64_t sum = 0;
};

class SourcePayload {
 public:
  virtual ~SourcePayload() = default;

  // A channel begins: what is known of the one before it is void. And it has ended: nothing of the payload uses it when
  // EndSession() returns, which suspends.
  virtual void BeginSession() = 0;
  virtual void EndSession() = 0;
  // Of the offer.
  virtual Part DescribeCopy() const = 0;
  // Whether the whole of it is a few messages, which wait for nothing in between.
  virtual bool is_small() const = 0;

  // Going back: something of the tenant may be at the other node alone, which gives it away no more from the offer on. So the
  // tenant is quiet before that (SourceMove::AwaitQuiet), and Freeze() does not ask for it again.
  virtual bool may_lack_parts() const = 0;

  // -- Before the swap. Each may suspend, and fails when the channel is lost.
  virtual Result<void> Prepare(SourceSession& session) = 0;
  // A failure with the code kFreezeFailedCode is followed by Thaw() and another try.
  virtual Result<void> Freeze(runtime::TimePoint deadline) = 0;
  // Sends what the list needs, and returns it. Requires: frozen, and nothing changes that.
  virtual Result<Part> MakeList(SourceSession& session) = 0;
  // Undoes a Freeze(), one that failed too; what was prepared stays. Does not suspend.
  virtual void Thaw() = 0;
  // The attempt is over, and the swap was not sent: what was prepared is void. Does not suspend.
  virtual void GiveUp() = 0;

  // -- After it.
  // The destination owns, and has been told.
  virtual void PassedOn() = 0;
  // After a restart that found the tenant handed over. Suspends.
  virtual Result<void> Resume() = 0;
  // Suspends until nothing that was open here may still write, or the grace for that is over.
  virtual void EndWriters() = 0;
  // A new channel: the destination has said what it has (TakeGreeting). Suspends.
  virtual Result<void> GoOn(SourceSession& session) = 0;
  // Until everything is on its way. Suspends; fails when the channel is lost or the move ends.
  virtual Result<void> SendRest(SourceSession& session) = 0;
  virtual Completion MakeCompletion() const = 0;
  // How the copies differ, for people, if the destination has said; it is forgotten.
  virtual std::optional<std::string> TakeDifference() = 0;
  // The move was reversed: the copy here is to be made current, by a payload of the other kind.
  virtual void Reverse() = 0;

  // -- What is heard. In the fiber that reads; false or an error ends the channel.
  virtual bool TakeGreeting(const SourceSession& session, Bytes part) = 0;
  virtual Result<void> Take(SourceSession& session, EngineMessage message) = 0;
  // The figures of Done.
  virtual bool TakeDone(Bytes part) = 0;

  virtual void Describe(Receipt& receipt) const = 0;
  virtual uint64_t bytes_left(const SourceSession* session) const = 0;  // Roughly.
};

// A payload that could not be frozen within the deadline, and may be later.
inline constexpr std::string_view kFreezeFailedCode = "FREEZE_FAILED";

// The move of a destination's payload.
struct DestinationMove {
  MoveHost& host;
  MoveId move;
  TenantName tenant;
  Direction direction;
};

class DestinationPayload {
 public:
  virtual ~DestinationPayload() = default;  // Requires: Join() has returned.

  // -- A channel: from BeginChannel() to EndChannel(), which suspends, the payload may send on it.
  virtual void BeginChannel(MoveChannel& channel) = 0;
  virtual void EndChannel() = 0;

  // -- The copy until it is ready. Each may suspend.
  // Whether Begin() would take it. Does not suspend.
  virtual Result<void> CheckOffer(Bytes part) const = 0;
  // A copy is begun, and what there was of one is void; the journal says so. Going back: the frozen copy is to be
  // changed from now on.
  virtual Result<void> Begin(Bytes part) = 0;
  // Whether a source that begins anew may send this first.
  virtual bool IsFirst(const EngineMessage& message) const = 0;
  virtual Result<void> Take(MoveChannel& channel, EngineMessage message) = 0;
  // Everything of the list is here, or this fails; it is durable when it returns.
  virtual Result<void> MakeReady(uint64_t list, Bytes part) = 0;
  // Nothing of the copy is left on the disk when it returns. Never asked of a tenant that comes back.
  virtual Result<void> Drop() = 0;

  // -- The copy that is ready, and the one that serves.
  // After a restart: whether it is there, as whole as it must be. `untouched`: nobody has served it.
  virtual Result<void> Check(bool untouched) const = 0;
  // What was made ready is at hand. Does nothing for one that is loaded. Suspends.
  virtual Result<void> Load(uint64_t list) = 0;
  // It is known that this node owns: from here on what still comes is taken. Requires: it is loaded. Does not suspend.
  virtual void Own() = 0;
  // The tenant serves as soon as it is adopted. Once, after Own(). Suspends, and may need what still comes.
  virtual Result<std::unique_ptr<tenant::HostedTenant>> Open() = 0;
  // That failed, or came to nothing.
  virtual void Unload() = 0;
  // Of Hello: what it has.
  virtual Part Greet() const = 0;
  // Before it is compared again. Fails with MOVE_UNKNOWN when there is nothing to compare. Suspends.
  virtual Result<void> MakeSumAnew() = 0;
  // Whether everything that the completion speaks of has come.
  virtual Result<bool> HasAll(Bytes completion) = 0;
  virtual bool Agrees(Bytes completion) const = 0;
  // Everything that has come is durable when it returns. Suspends.
  virtual Result<void> MakeDurable() = 0;
  // How the copies differ, for the other end. Suspends.
  virtual Result<void> SendDifference(MoveChannel& channel) = 0;
  virtual Part DescribeDone() const = 0;
  // Suspends until nothing of it is under way in the background.
  virtual void Settle() = 0;
  // The move is over: the tenant is an ordinary one. Suspends.
  virtual Result<void> End() = 0;

  // Whoever waits for the other node gets an error instead, now and later. Does not suspend.
  virtual void StopWaits() = 0;
  // Suspends until no fiber of it runs. Nothing is asked of it any more.
  virtual void Join() = 0;
};

// What a node has once for each engine whose tenants it can move.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const = 0;  // As the catalog's records have it.
  // Whether the tenant may be moved at all, and so. Suspends.
  virtual Result<void> CheckMovable(tenant::HostedTenant& tenant, const MoveOptions& options) const = 0;
  virtual std::unique_ptr<SourcePayload> MakeSource(SourceMove& move) = 0;
  virtual std::unique_ptr<DestinationPayload> MakeDestination(const DestinationMove& move) = 0;
  // A tenant that was reversed before all of it had come here, after a restart. Suspends.
  virtual Result<std::unique_ptr<tenant::HostedTenant>> OpenToSendBack(MoveHost& host,
                                                                       const TenantName& tenant) = 0;
  // A tenant comes back: the copy that stayed here is fit to be made current, or this fails. Suspends.
  virtual Result<void> CheckFrozen(MoveHost& host, const TenantName& tenant) = 0;
};

// The node's engine of that name; fails with ENGINE_UNKNOWN (kRefused).
Result<Engine*> KnownEngine(MoveHost& host, std::string_view name);

// For a destination: what the source sent makes no sense where this node is.
tl::unexpected<Error> OutOfTurn(std::string_view what);

}  // namespace tradewind::move
