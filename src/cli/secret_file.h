// A file that holds a secret: nobody but this user can have read it, or put another one in its place.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tradewind::cli {

inline constexpr size_t kSecretBytes = 32;  // At least as many characters.

// How errors speak of one.
struct SecretFile {
  std::string_view code;    // What their codes begin with: "CLUSTER_SECRET".
  std::string_view name;    // "the cluster's secret"
  std::string_view option;  // What names the file: "--cluster-secret-file"
};

// What it holds, without white space around. Fails with MISSING (kNotFound), UNREADABLE (kIo), EXPOSED or INVALID
// (kRefused), behind the code and "_".
Result<std::string> ReadSecretFile(const std::string& path, const SecretFile& of);

// What the first of them looks at before a file is made there: fails with EXPOSED if others may write to its folder.
Result<void> CheckSecretFolder(const std::string& path, const SecretFile& of);
// With what errno says: the file could not be `what` ("read", "made").
tl::unexpected<Error> SecretUnreadable(std::string_view what, const std::string& path, const SecretFile& of);

}  // namespace tradewind::cli
