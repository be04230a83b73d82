// The gateway's requests that are no pipelines: cursors, here and at the gateway that has the stream, and version 1.
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/limits.h"
#include "gateway/client_answers.h"
#include "gateway/forwarding.h"
#include "gateway/gateway.h"
#include "hrana/decode.h"
#include "hrana/encode.h"
#include "net/call_for.h"
#include "net/seal.h"
#include "runtime/off_core.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"

namespace tradewind::gateway {

namespace {

tl::unexpected<Error> NoCursor() {
  return Fail(ErrorKind::kNotFound, "CURSOR_NOT_FOUND", "there is no such cursor here (any more)");
}

// How one gateway tells another of a piece: "<id> more|last <baton>", a line feed, and the entries.
net::HttpResponse Relayed(const std::string& id, const std::string& baton, EntryPiece piece) {
  auto response =
      net::HttpResponse::Text(200, fmt::format("{} {} {}\n", id, piece.last ? "last" : "more", baton));
  response.body += piece.entries;
  response.held = std::move(piece.held);
  response.held.Set(response.body.size());
  return response;
}

struct RelayedPiece {
  std::string id;
  std::string baton;
  EntryPiece piece;
};

Result<RelayedPiece> ParseRelayed(const net::HttpResponse& answer) {
  const auto broken = [] {
    return Fail(ErrorKind::kInternal, "CURSOR_BROKEN", "the gateway of the stream sent no piece of a cursor",
                "run the same version of tradewind on all nodes");
  };
  std::string_view text = answer.body;
  const size_t end = text.find('\n');
  if (answer.status != 200 || end == std::string_view::npos) return broken();
  const std::string_view line = text.substr(0, end);
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return broken();
  RelayedPiece relayed;
  relayed.id = line.substr(0, first);
  relayed.baton = line.substr(second + 1);
  relayed.piece.last = line.substr(first + 1, second - first - 1) == "last";
  relayed.piece.entries = text.substr(end + 1);
  relayed.piece.held.Set(relayed.piece.entries.size());
  return relayed;
}

EntryPiece FailedPiece(const Error& error) {
  EntryPiece piece{.last = true};
  hrana::AppendErrorEntry(piece.entries, error);
  return piece;
}

runtime::Duration PatienceForPiece() {
  return 2 * PatienceFor({hrana::GetAutocommit{}});
}

}  // namespace

// -- Version 1

net::HttpResponse Gateway::RunAlone(const net::HttpRequest& request, const Permit& permit, bool is_batch) {
  const auto ran = sqlite::OrOutOfMemory<StreamResults>([&]() -> Result<StreamResults> {
    TW_TRY_ASSIGN(hrana::StreamRequest alone, runtime::OffCoreIfLarge(request.body.size(), [&] {
                    return is_batch ? hrana::DecodeBatchAlone(request.body)
                                    : hrana::DecodeExecuteAlone(request.body);
                  }));
    size_t no_room = 0;
    TW_TRY(hrana::SqlStore().Resolve(alone, no_room));
    std::vector<hrana::StreamRequest> requests{std::move(alone)};
    TW_TRY(CheckSize(requests));
    OwnerStream stream{.tenant = permit.tenant, .rights = permit.rights};
    auto results = owner_.Run(stream, requests, /*keep=*/false, 0, request.caller);
    // A transaction that it has begun ends with it.
    owner_.Close(stream);
    return results;
  });
  if (!ran) return Failure(ExplainToClient(ran.error(), member_.self));
  std::string body = ran->texts.front();
  const bool is_result = hrana::EncodeAlone(body);
  auto response = net::HttpResponse::Json(is_result ? 200 : 400, std::move(body));
  response.held = ran->held;
  response.core = owner_.CoreOf(permit.tenant);
  return response;
}

// -- Cursors

net::HttpResponse Gateway::AnswerCursor(const net::HttpRequest& request, const Permit& permit) {
  Result<hrana::PipelineRequest> cursor =
      runtime::OffCoreIfLarge(request.body.size(), [&] { return hrana::DecodeCursor(request.body); });
  if (!cursor) return Failure(cursor.error());
  if (Result<void> sized = CheckSize(cursor->requests); !sized) return Failure(sized.error());
  std::optional<Baton> baton;
  if (cursor->baton) {
    baton = ParseBaton(*cursor->baton);
    if (!baton) return Failure(BadBaton().value());
    if (baton->node != member_.self) return RelayCursor(request, permit, baton->node);
  }
  Gateway& home = HomeOf(baton);
  auto begun = net::CallOnFor(home.core_, request.caller, [&](net::Caller* there) {
    const runtime::Turns turns_there(permit.tenant);
    return home.BeginCursor(*cursor, baton, permit, there);
  });
  if (!begun) return Failure(begun.error());
  const auto next = [&home, caller = request.caller, kept = begun->cursor, name = permit.tenant] {
    return net::CallOnFor(home.core_, caller, [&](net::Caller* there) {
      const runtime::Turns turns_there(name);
      return home.cursors_.Next(kept, there);
    });
  };
  const auto abandon = [&home, kept = begun->cursor] {
    runtime::CallOn(home.core_, [&] { home.cursors_.Abandon(kept); });
  };
  auto response = AnswerInPieces(permit.tenant, hrana::EncodeCursorStart(begun->baton),
                                 std::move(begun->first), {next, abandon});
  if (&home == this && !baton) response.core = owner_.CoreOf(permit.tenant);
  return response;
}

Result<ClientCursors::Begun> Gateway::BeginCursor(hrana::PipelineRequest& pipeline,
                                                  const std::optional<Baton>& baton, const Permit& permit,
                                                  net::Caller* caller) {
  core_.AssertHere();
  TW_TRY_ASSIGN(const auto stream, baton ? streams_.Acquire(*baton, permit)
                                         : Result<ClientStreams::Pointer>(streams_.Open(permit)));
  auto begun = cursors_.Begin(stream, pipeline, caller);
  if (!begun) return Fail(ExplainToClient(std::move(begun).error(), member_.self));
  return begun;
}

// -- With another gateway's stream

net::HttpResponse Gateway::RelayCursor(const net::HttpRequest& request, const Permit& permit,
                                       const NodeName& gateway) {
  net::HttpResponse answer = PassOn(request, permit, kCursorsPath, gateway, PatienceForPiece());
  if (answer.status != 200) return answer;
  auto begun = ParseRelayed(answer);
  if (!begun) return Failure(begun.error());
  const auto ask = [this, gateway, id = begun->id](const std::string& method, net::Caller* caller) {
    net::HttpRequest call;
    call.method = method;
    call.target = fmt::format("{}/{}", kCursorsPath, id);
    call.headers.Set(net::kForwardedField, "1");
    call.caller = caller;
    return peers_.Call(gateway, std::move(call), core_.Now() + PatienceForPiece());
  };
  const auto next = [ask, gateway, caller = request.caller]() -> EntryPiece {
    auto came = ask("POST", caller);
    if (!came) return FailedPiece(ExplainToClient(came.error(), gateway));
    auto relayed = ParseRelayed(*came);
    return relayed ? std::move(relayed->piece) : FailedPiece(relayed.error());
  };
  // If this is lost it ends by itself.
  const auto abandon = [ask] { static_cast<void>(ask("DELETE", nullptr)); };
  return AnswerInPieces(permit.tenant, hrana::EncodeCursorStart(begun->baton), std::move(begun->piece),
                        {next, abandon});
}

net::Answer Gateway::HandleRelayed(const net::Call& call) {
  core_.AssertHere();
  ++requests_;
  const net::HttpRequest& request = call.request;
  const Result<Permit> permit = Admit(call);
  if (!permit) return Failure(permit.error());
  const runtime::Turns turns(permit->tenant);
  Result<hrana::PipelineRequest> cursor =
      runtime::OffCoreIfLarge(request.body.size(), [&] { return hrana::DecodeCursor(request.body); });
  if (!cursor) return Failure(cursor.error());
  const auto baton = cursor->baton ? ParseBaton(*cursor->baton) : std::nullopt;
  if (!baton || baton->node != member_.self) return Failure(BadBaton().value());
  Gateway& home = HomeOf(baton);
  return net::CallOnFor(home.core_, request.caller, [&](net::Caller* there) -> net::HttpResponse {
    const runtime::Turns turns_there(permit->tenant);
    auto begun = home.BeginCursor(*cursor, baton, *permit, there);
    if (!begun) return Failure(begun.error());
    if (!begun->first.last) home.cursors_.Keep(begun->cursor);
    return Relayed(begun->cursor->id, begun->baton, std::move(begun->first));
  });
}

// The gateway that has it, and the cursor.
Gateway* Gateway::HomeOfCursor(std::string_view id) {
  size_t core = 0;
  const auto [end, failure] = std::from_chars(id.data(), id.data() + id.size(), core);
  return failure == std::errc() && core < gateways_.size() ? gateways_[core] : nullptr;
}

net::Answer Gateway::HandleRelayedNext(const net::Call& call) {
  Gateway* const home = HomeOfCursor(call.name);
  if (!home) return NoCursor();
  return net::CallOnFor(home->core_, call.request.caller, [&](net::Caller* there) -> net::Answer {
    const auto cursor = home->cursors_.TakeKept(call.name);
    if (!cursor) return NoCursor();
    const runtime::Turns turns(cursor->stream->at_owner.tenant);
    EntryPiece piece = home->cursors_.Next(cursor, there);
    if (!piece.last) home->cursors_.Keep(cursor);
    return Relayed(cursor->id, "-", std::move(piece));
  });
}

net::Answer Gateway::HandleRelayedEnd(const net::Call& call) {
  Gateway* const home = HomeOfCursor(call.name);
  if (!home) return NoCursor();
  return runtime::CallOn(home->core_, [&]() -> net::Answer {
    const auto cursor = home->cursors_.TakeKept(call.name);
    if (!cursor) return NoCursor();
    home->cursors_.Abandon(cursor);
    return net::HttpResponse::Text(200, "");
  });
}

}  // namespace tradewind::gateway
