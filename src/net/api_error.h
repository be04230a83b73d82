// The one place where an Error becomes the answer of an HTTP API, and where such an answer becomes an Error
// again:
//   {"error": "sentence", "code": "TENANT_NOT_FOUND", "kind": "not_found", "action": "what to do"}
#pragma once

#include "base/result.h"
#include "net/http.h"

namespace tradewind::net {

int StatusOf(const Error& error);

HttpResponse ErrorResponse(const Error& error);

// Requires a status that is no success. An answer that is not of this form (a proxy's, say) gives code
// HTTP_ANSWER and a kind by its status.
Error ParseErrorResponse(const HttpResponse& response);

}  // namespace tradewind::net
