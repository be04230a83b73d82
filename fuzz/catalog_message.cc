// Any bytes as what the catalog and a node say to each other. A record that is taken must come through the encoding
// unchanged.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "catalog/catalog_json.h"
#include "catalog/record_check.h"

namespace {

using namespace tradewind;

template <typename Record>
void Try(const catalog::JsonObject& object) {
  Record record;
  if (!catalog::FromJson(object, record)) return;
  const catalog::JsonObject encoded = catalog::ToJson(record);
  Record again;
  TW_CHECK(catalog::FromJson(encoded, again).has_value(), "a record that was encoded here must decode");
  TW_CHECK(catalog::ToJson(again) == encoded, "a record must not change on its way");
}

template <typename Record>
void TryChecked(const catalog::JsonObject& object) {
  Try<Record>(object);
  Record record;
  if (catalog::FromJson(object, record)) static_cast<void>(catalog::UnsoundField(record));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto object = catalog::ParseObject({reinterpret_cast<const char*>(bytes), size});
  if (!object) return 0;
  TryChecked<catalog::NodeRecord>(*object);
  TryChecked<catalog::Registration>(*object);
  TryChecked<catalog::TenantRecord>(*object);
  TryChecked<catalog::MoveRecord>(*object);
  Try<catalog::Membership>(*object);
  Try<catalog::SwapOutcome>(*object);
  Try<catalog::MoveOutcome>(*object);
  Try<Error>(*object);
  return 0;
}
