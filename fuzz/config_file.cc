// The configuration file, with the flags of `tradewind serve`.
#include "program/config_file.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "program/program.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tradewind;
  static cli::Arguments arguments("", "tradewind");
  static cli::CommandLine line;
  static const auto check = program::AddServeCommand(arguments.root(), line);
  const std::string_view toml(reinterpret_cast<const char*>(data), size);
  static_cast<void>(program::ConfigArguments(toml, "file", arguments.root().Find("serve"), {"--listen"}));
  return 0;
}
