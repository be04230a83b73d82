// The files of keys that a node is started with, and reads again when it is sent a SIGHUP: so they can be replaced while it
// serves.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/authenticator.h"
#include "base/result.h"
#include "node/node.h"
#include "node/node_options.h"
#include "runtime/core.h"

namespace tradewind::program {

// Paths, as the flags have them; empty: not given.
struct KeyFiles {
  std::vector<std::string> auth_keys;
  std::string admin_token_file;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
};

// Fail as cli::ReadKey, cli::ReadSecretFile and auth::VerifyingKeys::Parse do, and with ADMIN_TOKEN_MISSING (kInvalid).
Result<auth::Locks> ReadLocks(const KeyFiles& files);
// Fail as cli::ReadIdentity and cli::ReadTrust do.
Result<node::NodeTls> ReadTls(const KeyFiles& files);

// The log says whose certificate it is, and warns of one that has expired.
void SayIdentity(runtime::Core& core, const node::NodeTls& tls);

// Reads all again and gives it to the node. What cannot be used stays as it was, and the log says so. Suspends.
void RenewKeys(node::Node& node, const KeyFiles& files);

}  // namespace tradewind::program
