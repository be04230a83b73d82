// A file that a user has named.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace tradewind::cli {

// Its bytes; nothing where it is not there or cannot be read (a folder, or what this user may not).
std::optional<std::string> TextOfFile(const std::string& path);
// The same of a key for tokens, of either kind. Fails with FILE_NOT_READABLE (kNotFound).
Result<std::string> ReadKey(const std::string& path);

}  // namespace tradewind::cli
