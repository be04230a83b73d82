// Any bytes as the body of each request of the admin API, and as what a node answers instead of a success.
#include "admin/admin_request.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "net/api_error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto create = admin::ParseCreateTenant(text))
    TW_CHECK(IsValidName(create->name), "a tenant must have a legal name");
  if (const auto import = admin::ParseImport(text))
    TW_CHECK(IsValidName(import->tenant), "a tenant must have a legal name");
  static_cast<void>(admin::ParseExport(text));
  static_cast<void>(admin::ParseMove(text));
  static_cast<void>(admin::ParseSetMove(text));
  static_cast<void>(admin::ParseSetTenant(text));
  static_cast<void>(admin::ParseDrain(text));
  static_cast<void>(admin::ParseNothing(text));
  net::HttpRequest request;
  request.query["offset"] = text;
  static_cast<void>(admin::QueryNumber(request, "offset"));
  net::HttpResponse answer;
  answer.status = 503;
  answer.body = text;
  const Error error = net::ParseErrorResponse(answer);
  TW_CHECK(!error.code.empty(), "an error must have a code");
  return 0;
}
