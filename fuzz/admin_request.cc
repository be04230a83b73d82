// Any bytes as the body of each request of the admin API, and as what a node answers instead of a success.
#include "node/admin_request.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "node/api_error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto create = node::ParseCreateTenant(text))
    TW_CHECK(IsValidName(create->name), "a tenant must have a legal name");
  if (const auto import = node::ParseImport(text))
    TW_CHECK(IsValidName(import->tenant), "a tenant must have a legal name");
  static_cast<void>(node::ParseExport(text));
  static_cast<void>(node::ParseMove(text));
  static_cast<void>(node::ParseSetMove(text));
  static_cast<void>(node::ParseSetTenant(text));
  static_cast<void>(node::ParseDrain(text));
  static_cast<void>(node::ParseNothing(text));
  net::HttpRequest request;
  request.query["offset"] = text;
  static_cast<void>(node::QueryNumber(request, "offset"));
  net::HttpResponse answer;
  answer.status = 503;
  answer.body = text;
  const Error error = node::ParseErrorResponse(answer);
  TW_CHECK(!error.code.empty(), "an error must have a code");
  return 0;
}
