#include "gateway/client_cursors.h"

#include <utility>

#include "base/limits.h"
#include "hrana/encode.h"
#include "runtime/random_id.h"
#include "sqlite/error_code.h"

namespace tradewind::gateway {

ClientCursors::ClientCursors(runtime::Core& core, OwnerCalls& owner, ClientStreams& streams,
                             std::function<void(const ClientStreams::Pointer&)> end_failed)
    : core_(core),
      owner_(owner),
      streams_(streams),
      end_failed_(std::move(end_failed)),
      kept_(core, "relayed cursors", limits::kCursorIdle,
            [this](const Pointer& idle) { end_failed_(idle->stream); }) {}

Result<ClientCursors::Begun> ClientCursors::Begin(const ClientStreams::Pointer& stream,
                                                  hrana::PipelineRequest& pipeline, net::Caller* caller) {
  auto begun = sqlite::OrOutOfMemory<Begun>([&]() -> Result<Begun> {
    size_t stored_room = limits::kPipelineStoredSqlBytes;
    TW_TRY(stream->sql.Resolve(pipeline.requests.front(), stored_room));
    const auto cursor = std::make_shared<ClientCursor>(
        ClientCursor{std::to_string(core_.number()) + "." + runtime::RandomId(core_), stream,
                     OwnerCalls::Cursor{.batch = std::move(pipeline.requests)}});
    TW_TRY_ASSIGN(EntryPiece first, owner_.Next(stream->at_owner, cursor->at_owner, caller));
    std::string baton = streams_.MakeNextBaton(*stream);
    return Begun{cursor, std::move(baton), std::move(first)};
  });
  if (!begun)
    end_failed_(stream);
  else if (begun->first.last)
    streams_.Release(*stream);
  return begun;
}

EntryPiece ClientCursors::Next(const Pointer& cursor, net::Caller* caller) {
  auto piece = sqlite::OrOutOfMemory<EntryPiece>(
      [&] { return owner_.Next(cursor->stream->at_owner, cursor->at_owner, caller); });
  if (piece) {
    if (piece->last) streams_.Release(*cursor->stream);
    return *std::move(piece);
  }
  end_failed_(cursor->stream);
  EntryPiece failure{.last = true};
  hrana::AppendErrorEntry(failure.entries, piece.error());
  return failure;
}

void ClientCursors::Keep(const Pointer& cursor) {
  if (kept_.Add(cursor)) kept_.Release(*cursor);
}

ClientCursors::Pointer ClientCursors::TakeKept(const std::string& id) {
  Pointer cursor = kept_.Find(id);
  if (!cursor || !kept_.Acquire(*cursor)) return nullptr;
  kept_.Expire(*cursor);
  return cursor;
}

}  // namespace tradewind::gateway
