#include "local_nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>

#include "cli/client_command.h"
#include "cli/move_receipt.h"
#include "net/http_client.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"

namespace tradewind::bench {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr runtime::Duration kMovePatience = 5min;
constexpr runtime::Duration kDeletePatience = 30s;
constexpr runtime::Duration kPollPause = 5ms;

}  // namespace

Result<LocalNodes> LocalNodes::Start(runtime::Core& core, net::HttpClient& http) {
  const char* const chosen = std::getenv("TRADEWIND_BINARY");
  const std::string program =
      chosen ? chosen : std::filesystem::read_symlink("/proc/self/exe").parent_path() / "tradewind";
  TW_TRY_ASSIGN(auto cluster, cli::LocalCluster::Start(core, program, 2));
  return LocalNodes(core, http, std::move(cluster));
}

Result<cli::AdminClient> LocalNodes::Admin(const std::string& node) const {
  return cli::AdminClient::Make(*core_, *http_, cluster_->node(node).url());
}

Result<void> LocalNodes::Import(const std::string& tenant, const std::string& path,
                                const std::string& node) const {
  TW_TRY_ASSIGN(const auto file, core_->disk().Open(path, runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(const uint64_t size, file->Size());
  TW_TRY_ASSIGN(auto admin, Admin(node));
  TW_TRY_ASSIGN(const json::value begun,
                admin.Post("/v1/imports", {{"tenant", tenant}, {"size_bytes", size}, {"node", node}}));
  const std::string transfer = "/v1/imports/" + cli::EscapeSegment(cli::TextAt(begun, "id"));
  const auto most = std::max<uint64_t>(1, static_cast<uint64_t>(cli::NumberAt(begun, "chunk_bytes")));
  for (uint64_t offset = 0; offset < size;) {
    std::string chunk(std::min(most, size - offset), '\0');
    TW_TRY_ASSIGN(const size_t got, file->Read(offset, std::as_writable_bytes(std::span(chunk))));
    chunk.resize(got);
    TW_TRY(admin.PutBytes(fmt::format("{}?offset={}", transfer, offset), std::move(chunk)));
    offset += got;
  }
  TW_TRY(admin.Post(transfer + "/commit", {}));
  return {};
}

std::string LocalNodes::FileOf(const std::string& tenant, const std::string& node) const {
  return cluster_->folder() + "/" + node + "/tenants/" + tenant + ".db";
}

Result<void> LocalNodes::AwaitDeleted(const std::string& tenant, const std::string& node) const {
  const runtime::TimePoint until = core_->Now() + kDeletePatience;
  while (std::filesystem::exists(FileOf(tenant, node))) {
    if (core_->Now() > until)
      return Fail(ErrorKind::kTimeout, "COPY_NOT_DELETED", "node " + node + " keeps its copy of " + tenant);
    runtime::SleepFor(kPollPause);
  }
  return {};
}

Result<json::value> LocalNodes::AwaitMove(const std::string& source, const std::string& id) const {
  TW_TRY_ASSIGN(auto admin, Admin(source));
  const runtime::TimePoint until = core_->Now() + kMovePatience;
  for (;;) {
    TW_TRY_ASSIGN(json::value receipt, admin.Get("/v1/moves/" + cli::EscapeSegment(id)));
    if (cli::MoveHasEnded(receipt)) return receipt;
    if (core_->Now() > until)
      return Fail(ErrorKind::kTimeout, "MOVE_STUCK", "the move does not end: " + json::serialize(receipt));
    runtime::SleepFor(kPollPause);
  }
}

}  // namespace tradewind::bench
