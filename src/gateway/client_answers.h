// What the gateway answers a client with, beside results.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "gateway/owner_calls.h"
#include "hrana/request.h"
#include "net/http.h"

namespace tradewind::gateway {

// The failure of a whole request.
net::HttpResponse Failure(const Error& error);

// Fails with PIPELINE_TOO_LONG.
Result<void> CheckSize(const std::vector<hrana::StreamRequest>& requests);

// A cursor whose pieces are asked for as the client takes them. `start`: the line before the first one. `next` is called
// until it gives the last one, `abandon` if the client goes before; both in the fiber of the connection, and may suspend.
struct PieceSource {
  std::function<EntryPiece()> next;
  std::function<void()> abandon;
};
net::HttpResponse AnswerInPieces(const TenantName& tenant, std::string start, EntryPiece first,
                                 PieceSource source);

}  // namespace tradewind::gateway
