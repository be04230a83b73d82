// Any bytes as the options and as the receipt of a move that the catalog keeps.
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "move/catalog_receipt.h"
#include "move/options.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto options = move::ParseMoveOptions(text)) {
    const std::string encoded = move::ToText(*options);
    const auto again = move::ParseMoveOptions(encoded);
    TW_CHECK(again.has_value(), "options that were written here must be read");
    TW_CHECK(move::ToText(*again) == encoded, "options must not change in the catalog");
  }
  catalog::MoveRecord record;
  record.id = "m1";
  record.receipt = text;
  for (const auto state : {catalog::MoveState::kForward, catalog::MoveState::kDone}) {
    record.state = state;
    static_cast<void>(move::IsComplete(record));
    const std::string receipt = move::ReceiptOf(record, "the catalog");
    TW_CHECK(boost::json::parse(receipt).is_object(), "a receipt must be an object");
  }
  return 0;
}
