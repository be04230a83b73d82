// Any bytes as the file that says whose data folder it is, and, past the hash that guards it, any lines of it.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/hash.h"
#include "node/data_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const std::string head = fmt::format("tradewind node 2\n{}", text);
  const std::string guarded = fmt::format("{}sum {:016x}\n", head, Hash64(std::as_bytes(std::span(head))));
  for (const std::string_view file : {text, std::string_view(guarded)})
    if (const auto name = node::NameInNodeFile(file))
      TW_CHECK(IsValidName(*name), "a node must have a legal name");
  return 0;
}
