// The cursors of clients on the streams that one gateway holds, over HTTP: here, or relayed by another gateway to which a
// client has taken its baton. A cursor has its stream acquired until its last piece.
//
// This core only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "gateway/client_streams.h"
#include "gateway/owner_calls.h"
#include "gateway/stream_table.h"
#include "hrana/request.h"
#include "net/http.h"
#include "runtime/core.h"

namespace tradewind::gateway {

struct ClientCursor {
  std::string id;  // By which another gateway asks for the rest; 128 random bits.
  ClientStreams::Pointer stream;
  OwnerCalls::Cursor at_owner;
};

class ClientCursors {
 public:
  using Pointer = std::shared_ptr<ClientCursor>;
  // `end_failed` ends a stream that has failed; does not suspend.
  ClientCursors(runtime::Core& core, OwnerCalls& owner, ClientStreams& streams,
                std::function<void(const ClientStreams::Pointer&)> end_failed);

  struct Begun {
    Pointer cursor;
    std::string baton;  // With which the client goes on once the cursor has ended.
    EntryPiece first;
  };
  // Runs the one request of `pipeline`, a batch, on an acquired stream. A failure has ended the stream. Suspends.
  Result<Begun> Begin(const ClientStreams::Pointer& stream, hrana::PipelineRequest& pipeline,
                      net::Caller* caller);
  // The next piece. What fails is its last entry, and has ended the stream. Requires: there is one. Suspends.
  EntryPiece Next(const Pointer& cursor, net::Caller* caller);
  // Nobody wants the rest. Does not suspend.
  void Abandon(const Pointer& cursor) { end_failed_(cursor->stream); }

  // For another gateway, which comes for each piece; a cursor for which it does not come for limits::kCursorIdle is
  // abandoned.
  void Keep(const Pointer& cursor);
  // Null when there is none. It is to be kept again.
  Pointer TakeKept(const std::string& id);
  // Suspends.
  void Stop() { kept_.Stop(); }

 private:
  runtime::Core& core_;
  OwnerCalls& owner_;
  ClientStreams& streams_;
  const std::function<void(const ClientStreams::Pointer&)> end_failed_;
  StreamTable<ClientCursor> kept_;
};

}  // namespace tradewind::gateway
