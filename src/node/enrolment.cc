#include "node/enrolment.h"

#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "gateway/health.h"
#include "net/seal.h"
#include "sqlite/vfs.h"

namespace tradewind::node {

Enrolment::Enrolment(const catalog::Member& member, const NodeOptions& options, std::string url,
                     DataFolder& folder, net::HttpClient& client)
    : member_(member), options_(options), url_(std::move(url)), folder_(folder), client_(client) {}

bool Enrolment::IsRefusal(const Error& error) {
  return error.code == catalog::kNameTakenCode || error.code == catalog::kOtherClusterCode ||
         error.code == catalog::kForgottenCode || error.code == "NODE_RUNS_ELSEWHERE" ||
         error.code == "NAME_INVALID";
}

catalog::Registration Enrolment::RegistrationOf(bool dry_run) const {
  const FolderIdentity& identity = folder_.identity();
  const int64_t version = options_.sqlite_version.value_or(sqlite::SqliteVersion());
  return {
      {options_.name, url_, false, version}, identity.id, identity.cluster, options_.replace_node, dry_run};
}

Result<void> Enrolment::Register() {
  const auto membership = member_.catalog.RegisterNode(RegistrationOf(/*dry_run=*/false));
  if (membership)
    return folder_.NoteCluster(membership->cluster,
                               options_.join_url ? CatalogPlace::kElsewhere : CatalogPlace::kHere);
  const Error& why = membership.error();
  if (why.code == net::kSecretWrongCode) return Fail(ErrorKind::kRefused, why.code, why.message, why.action);
  if (!options_.join_url || IsRefusal(why)) return Fail(why);
  return Fail(ErrorKind::kUnavailable, "CLUSTER_UNREACHABLE",
              "no cluster answers at " + *options_.join_url + " (" + why.message + ")",
              "check --join, and that the first node runs");
}

// Who answers is a node with a copy of this folder, or one that is to be replaced and lives. (Behind a forwarding address
// it may be this one, which says that it is starting.)
Result<void> Enrolment::CheckNoTwin() {
  const catalog::Registration wanted = RegistrationOf(/*dry_run=*/true);
  const auto membership = member_.catalog.RegisterNode(wanted);
  if (membership && membership->sqlite > wanted.node.sqlite)
    log::warn(
        "this node has SQLite {} now and had {} before: what that has written it may not read, and tenants "
        "that "
        "have been on it do not move here",
        catalog::SqliteVersionText(wanted.node.sqlite), catalog::SqliteVersionText(membership->sqlite));
  if (!membership) return IsRefusal(membership.error()) ? Fail(membership.error()) : Result<void>();
  if (membership->url.empty() || membership->url == url_) return {};
  net::HttpRequest probe;
  probe.target = "/health";
  probe.idempotent = true;
  const auto answer =
      client_.Call(membership->url + "/health", std::move(probe), member_.core.Now() + limits::kNodeProbe);
  const auto health = answer && answer->status == 200 ? gateway::DecodeHealth(answer->body) : std::nullopt;
  if (!health || health->node != options_.name) return {};
  return Fail(ErrorKind::kRefused, "NODE_RUNS_ELSEWHERE",
              "a node " + options_.name + " runs at " + membership->url,
              "stop that one first, or give another --name");
}

}  // namespace tradewind::node
