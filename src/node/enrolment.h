// How a node makes itself known to its cluster: which node it is, where it is reached, which SQLite it has.
//
// Core 0 only.
#pragma once

#include <string>

#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/member.h"
#include "net/http_client.h"
#include "node/data_folder.h"
#include "node/node_options.h"

namespace tradewind::node {

class Enrolment {
 public:
  // `url`: where the node is reached. All must outlive it.
  Enrolment(const catalog::Member& member, const NodeOptions& options, std::string url, DataFolder& folder,
            net::HttpClient& client);

  // Before the address of the name is changed: does somebody answer by that name where it was? Fails with
  // NODE_RUNS_ELSEWHERE then, or with a refusal. A catalog that does not answer is no failure. Suspends.
  Result<void> CheckNoTwin();
  // Fails as Catalog::RegisterNode and DataFolder::NoteCluster do, and with CLUSTER_UNREACHABLE. Suspends.
  Result<void> Register();
  // Whether the catalog says no, and will say so again.
  static bool IsRefusal(const Error& error);

 private:
  catalog::Registration RegistrationOf(bool dry_run) const;

  const catalog::Member& member_;
  const NodeOptions& options_;
  const std::string url_;
  DataFolder& folder_;
  net::HttpClient& client_;
};

}  // namespace tradewind::node
