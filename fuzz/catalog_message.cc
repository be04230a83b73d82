// Any bytes as what the catalog and a node say to each other. A record that is taken must come through the encoding
// unchanged.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cluster/catalog_json.h"
#include "cluster/record_check.h"

namespace {

using namespace tradewind;

template <typename Record>
void Try(const cluster::JsonObject& object) {
  Record record;
  if (!cluster::FromJson(object, record)) return;
  const cluster::JsonObject encoded = cluster::ToJson(record);
  Record again;
  TW_CHECK(cluster::FromJson(encoded, again).has_value(), "a record that was encoded here must decode");
  TW_CHECK(cluster::ToJson(again) == encoded, "a record must not change on its way");
}

template <typename Record>
void TryChecked(const cluster::JsonObject& object) {
  Try<Record>(object);
  Record record;
  if (cluster::FromJson(object, record)) static_cast<void>(cluster::UnsoundField(record));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto object = cluster::ParseObject({reinterpret_cast<const char*>(bytes), size});
  if (!object) return 0;
  TryChecked<cluster::NodeRecord>(*object);
  TryChecked<cluster::Registration>(*object);
  TryChecked<cluster::TenantRecord>(*object);
  TryChecked<cluster::MoveRecord>(*object);
  Try<cluster::Membership>(*object);
  Try<cluster::SwapOutcome>(*object);
  Try<cluster::MoveOutcome>(*object);
  Try<Error>(*object);
  return 0;
}
