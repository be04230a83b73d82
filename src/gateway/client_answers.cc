#include "gateway/client_answers.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "base/limits.h"
#include "hrana/error_codes.h"
#include "runtime/turns.h"

namespace tradewind::gateway {

net::HttpResponse Failure(const Error& error) {
  const hrana::HttpFailure failure = hrana::ToHttpFailure(error);
  net::HttpResponse response;
  response.status = failure.status;
  response.headers.Set("content-type", failure.content_type);
  if (failure.status == 429) response.headers.Set("Retry-After", "1");
  response.body = failure.body;
  return response;
}

Result<void> CheckSize(const std::vector<hrana::StreamRequest>& requests) {
  size_t statements = 0;
  for (const hrana::StreamRequest& request : requests) statements += StatementsIn(request);
  if (statements <= limits::kPipelineStatements) return {};
  return Fail(ErrorKind::kTooLarge, "PIPELINE_TOO_LONG",
              fmt::format("a pipeline may have {} statements, and this one has {}; none has run",
                          limits::kPipelineStatements, statements),
              "split it");
}

net::HttpResponse AnswerInPieces(const TenantName& tenant, std::string start, EntryPiece first,
                                 PieceSource source) {
  net::HttpResponse response;
  // Text, as libsql-server says: a client that is told of JSON may want the whole body to be one.
  response.headers.Set("content-type", "text/plain");
  const auto piece = std::make_shared<EntryPiece>(std::move(first));
  piece->entries.insert(0, start);
  response.pieces = [tenant, piece, source = std::move(source)](net::BodyWriter& body) {
    const runtime::Turns turns(tenant);
    const runtime::Activity activity("write a cursor");
    while (true) {
      if (!body.Write(piece->entries)) {
        if (!piece->last) source.abandon();
        return false;
      }
      if (piece->last) return true;
      *piece = source.next();
    }
  };
  return response;
}

}  // namespace tradewind::gateway
