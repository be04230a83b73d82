// A data folder is its user's alone: what is made in it is 0600 in folders of 0700, whatever the umask was; what an earlier
// version or another program left open to others is narrowed at each start.
#pragma once

#include <string>

#include "base/result.h"

namespace tradewind::program {

// What this process makes from here on is for its user alone, also what SQLite makes by itself.
void MakePrivateFiles();

// Takes the rights of all others from what a node keeps in its data folder. Links are left alone, and so is what is
// reached through one. The folder itself is narrowed too, but not one that belongs to somebody else or has other things in
// it (a home, /tmp): it stays as it is. Fails with DATA_FOLDER_EXPOSED (kRefused) when a right cannot be taken. Blocks.
struct Narrowed {
  size_t entries = 0;          // That others had rights to.
  bool shares_folder = false;  // Others have rights to the folder itself, and keep them.
};
Result<Narrowed> KeepPrivate(const std::string& folder);

}  // namespace tradewind::program
