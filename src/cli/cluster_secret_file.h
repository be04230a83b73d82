// The file that holds what the nodes of a cluster share (net/cluster_secret.h).
//
//   $XDG_STATE_HOME/tradewind/cluster-secret, or
//   $HOME/.local/state/tradewind/cluster-secret, or, for a user without a folder of its own,
//   /tmp/tradewind-UID/cluster-secret
//
// The first node of a user makes it, and the others on the machine read it. It appears whole or not at all (a link to a
// file that was written and synced under another name), so nodes that start at once agree. Nodes of several users or
// machines are given a file by hand.
//
// A file that somebody else could have read or written is refused: it must be a plain file of this user (or, named by
// hand, of root), which nobody else may read or write, in a folder where nobody else may put another in its place.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/arguments.h"
#include "net/cluster_secret.h"

namespace tradewind::cli {

// --cluster-secret-file, of the commands that call nodes as a node does.
void AddClusterSecretOption(Command command, std::string& path);

// Where it is when nothing is said. Makes no folder.
std::string DefaultClusterSecretPath();

// Reads the file; white space around the secret does not count. Fails with CLUSTER_SECRET_MISSING (kNotFound),
// CLUSTER_SECRET_EXPOSED or CLUSTER_SECRET_INVALID (kRefused), or CLUSTER_SECRET_UNREADABLE (kIo). Blocks, as the next
// one does.
Result<net::ClusterSecret> ReadClusterSecret(const std::string& path);
// The same, and makes the file with its folders when there is none.
Result<net::ClusterSecret> ReadOrMakeClusterSecret(const std::string& path);
// With an empty path: the default one, made when it is missing.
Result<net::ClusterSecret> LoadClusterSecret(const std::string& path);

}  // namespace tradewind::cli
