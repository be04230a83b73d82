// tradewind tenant import | export, catalog backup: a plain SQLite file in, or out while the tenant is in use, in pieces, so
// that a file of any size needs little memory.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/command_line.h"
#include "net/http_client.h"
#include "outside/export_target.h"
#include "outside/outside_database.h"
#include "runtime/disk.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

struct TransferOptions {
  std::string tenant;
  std::string file;
  std::string node;
};

void ShowProgress(const char* what, uint64_t done, uint64_t total) {
  if (!ProgressIsWanted()) return;
  fmt::print(stderr, "\r{} {} of {}{}", what, FormatSize(done), FormatSize(total),
             done == total ? "\n" : "   ");
}

// What the server proposes for a transfer: where it is, and in what pieces.
struct Transfer {
  std::string path;
  uint64_t chunk_bytes = 0;
};

Result<Transfer> ParseTransfer(const json::value& answer, const std::string& collection) {
  Transfer transfer{collection + "/" + EscapeSegment(TextAt(answer, "id")),
                    static_cast<uint64_t>(NumberAt(answer, "chunk_bytes"))};
  if (TextAt(answer, "id").empty() || transfer.chunk_bytes == 0) {
    return Fail(ErrorKind::kCorrupt, "ANSWER_INCOMPLETE", "the server did not say how to transfer the file",
                "check that the node and this program are of one version");
  }
  return transfer;
}

Result<void> Upload(ClientContext& context, outside::OutsideDatabase& file, const Transfer& transfer) {
  const uint64_t size = file.size_bytes();
  for (uint64_t offset = 0; offset < size;) {
    std::string chunk(std::min(transfer.chunk_bytes, size - offset), '\0');
    TW_TRY_ASSIGN(const size_t got, file.Read(offset, std::as_writable_bytes(std::span(chunk))));
    if (got != chunk.size()) {
      return Fail(ErrorKind::kIo, "FILE_SHRANK", "the file became shorter while it was read",
                  "import a file that nothing writes to");
    }
    TW_TRY(context.admin.PutBytes(fmt::format("{}?offset={}", transfer.path, offset), std::move(chunk)));
    offset += got;
    ShowProgress("sent", offset, size);
  }
  return {};
}

Result<void> Import(ClientContext& context, const TransferOptions& options) {
  TW_TRY_ASSIGN(const auto file, outside::OutsideDatabase::Open(options.file));
  const uint64_t size = file->size_bytes();
  json::object request{{"tenant", options.tenant}, {"size_bytes", size}};
  if (!options.node.empty()) request["node"] = options.node;
  TW_TRY_ASSIGN(const json::value answer, context.admin.Post("/v1/imports", request));
  TW_TRY_ASSIGN(const Transfer transfer, ParseTransfer(answer, "/v1/imports"));
  if (auto sent = Upload(context, *file, transfer); !sent) {
    // Best effort: the node forgets it anyway in time, and the first error is the one to show.
    [[maybe_unused]] auto dropped = context.admin.Delete(transfer.path);
    return sent;
  }
  TW_TRY_ASSIGN(const json::value tenant, context.admin.Post(transfer.path + "/commit", {}));
  if (context.json())
    PrintJson(tenant);
  else
    fmt::print("tenant {} is made from {} ({}) on node {}\n", options.tenant, options.file, FormatSize(size),
               TextAt(tenant, "owner"));
  return {};
}

Result<void> Download(ClientContext& context, runtime::File& file, uint64_t size, const Transfer& transfer) {
  for (uint64_t offset = 0; offset < size;) {
    const uint64_t length = std::min(transfer.chunk_bytes, size - offset);
    TW_TRY_ASSIGN(const std::string chunk, context.admin.GetBytes(fmt::format(
                                               "{}?offset={}&length={}", transfer.path, offset, length)));
    if (chunk.empty() || chunk.size() > length)
      return Fail(ErrorKind::kCorrupt, "ANSWER_INCOMPLETE",
                  "the server sent another number of bytes than asked for");
    TW_TRY(file.Write(offset, std::as_bytes(std::span(chunk))));
    offset += chunk.size();
    ShowProgress("received", offset, size);
  }
  return {};
}

// What the node makes when it is asked at `path`, into the file. Its size.
Result<uint64_t> Fetch(ClientContext& context, const std::string& path, const json::object& request,
                       const std::string& file) {
  TW_TRY_ASSIGN(const auto target, outside::ExportTarget::Open(context.core, file));
  TW_TRY_ASSIGN(const json::value answer, context.admin.Post(path, request));
  TW_TRY_ASSIGN(const Transfer transfer, ParseTransfer(answer, "/v1/exports"));
  const auto size = static_cast<uint64_t>(NumberAt(answer, "size_bytes"));
  auto received = Download(context, target->file(), size, transfer);
  if (received) received = target->Commit();
  // The copy at the node is only for us; if this fails, the node removes it in time.
  [[maybe_unused]] auto dropped = context.admin.Delete(transfer.path);
  TW_TRY(std::move(received));
  return size;
}

Result<void> BackUp(ClientContext& context, const TransferOptions& options) {
  TW_TRY_ASSIGN(const uint64_t size, Fetch(context, "/v1/catalog/backup", {}, options.file));
  if (context.json())
    PrintJson(json::object{{"file", options.file}, {"size_bytes", size}});
  else
    fmt::print("the catalog is copied to {} ({})\n", options.file, FormatSize(size));
  return {};
}

Result<void> Export(ClientContext& context, const TransferOptions& options) {
  TW_TRY_ASSIGN(const uint64_t size,
                Fetch(context, "/v1/exports", {{"tenant", options.tenant}}, options.file));
  if (context.json())
    PrintJson(json::object{{"tenant", options.tenant}, {"file", options.file}, {"size_bytes", size}});
  else
    fmt::print("tenant {} is copied to {} ({})\n", options.tenant, options.file, FormatSize(size));
  return {};
}

}  // namespace

void AddTransferCommands(Command tenant, CommandLine& line) {
  auto options = std::make_shared<TransferOptions>();
  const auto add = [&](const char* name, const char* what, auto run) {
    const Command command = tenant.AddCommand(name, what);
    command.FallThrough();
    command.AddOption("NAME", options->tenant, "The tenant").Required();
    command.AddOption("FILE", options->file, "The SQLite file").Required();
    command.OnGiven([&line, options, run] {
      line.action = [&line, options, run] {
        return RunClient(line.global, [&](ClientContext& context) { return run(context, *options); });
      };
    });
    return command;
  };
  add("import", "Make a tenant from an SQLite file", Import)
      .AddOption("--node", options->node, "The node to own it; default: the cluster's choice");
  add("export", "Copy a tenant to an SQLite file, while it is in use", Export);
}

void AddCatalogCommands(Command app, CommandLine& line) {
  const Command catalog = app.AddCommand("catalog", "The catalog: which node owns which tenant");
  catalog.RequireCommand();
  catalog.FallThrough();
  auto options = std::make_shared<TransferOptions>();
  const Command backup = catalog.AddCommand("backup", "Copy the catalog to a file, while it is in use");
  backup.FallThrough();
  backup.AddOption("FILE", options->file, "Where the copy goes; made").Required();
  backup.OnGiven([&line, options] {
    line.action = [&line, options] {
      return RunClient(line.global, [&](ClientContext& context) { return BackUp(context, *options); });
    };
  });
}

}  // namespace tradewind::cli
