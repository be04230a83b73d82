// tradewind tenant import | export, catalog backup: a plain SQLite file, or the SQL of a MariaDB tenant, in, or out while the
// tenant is in use, in pieces, so that a file of any size needs little memory.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>

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
  std::string engine = "sqlite";
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

// What is imported.
struct ImportSource {
  std::optional<uint64_t> size_bytes;  // None: whatever comes until it ends.
  // Fills `into` from `offset`, where the last one ended; returns how many bytes there were.
  std::function<Result<size_t>(uint64_t offset, MutableBytes into)> read;
};

Result<ImportSource> OpenDatabase(const std::string& path) {
  TW_TRY_ASSIGN(auto opened, outside::OutsideDatabase::Open(path));
  const std::shared_ptr<outside::OutsideDatabase> file = std::move(opened);
  return ImportSource{file->size_bytes(),
                      [file](uint64_t offset, MutableBytes into) { return file->Read(offset, into); }};
}

// Of a program that writes to this one. Nothing else goes on here meanwhile.
Result<size_t> ReadInput(MutableBytes into) {
  size_t got = 0;
  while (got < into.size()) {
    const ssize_t more = ::read(STDIN_FILENO, into.data() + got, into.size() - got);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0)
      return Fail(ErrorKind::kIo, "FILE_UNREADABLE",
                  std::string("the standard input cannot be read: ") + std::strerror(errno));
    if (more == 0) break;
    got += static_cast<size_t>(more);
  }
  return got;
}

Result<ImportSource> OpenDump(ClientContext& context, const std::string& path) {
  if (path == "-")
    return ImportSource{std::nullopt, [](uint64_t, MutableBytes into) { return ReadInput(into); }};
  const auto open = [&]() -> Result<ImportSource> {
    TW_TRY_ASSIGN(auto opened, context.core.disk().Open(path, runtime::OpenMode::kExisting));
    const std::shared_ptr<runtime::File> file = std::move(opened);
    TW_TRY_ASSIGN(const uint64_t size, file->Size());
    return ImportSource{size,
                        [file](uint64_t offset, MutableBytes into) { return file->Read(offset, into); }};
  };
  auto source = open();
  if (source) return source;
  return Fail(ErrorKind::kInvalid, "FILE_UNREADABLE", source.error().message,
              "name a file that you can read");
}

// How many bytes went.
Result<uint64_t> Upload(ClientContext& context, const ImportSource& source, const Transfer& transfer) {
  const uint64_t end = source.size_bytes.value_or(UINT64_MAX);
  uint64_t offset = 0;
  while (offset < end) {
    std::string chunk(std::min(transfer.chunk_bytes, end - offset), '\0');
    TW_TRY_ASSIGN(const size_t got, source.read(offset, std::as_writable_bytes(std::span(chunk))));
    if (got != chunk.size() && source.size_bytes) {
      return Fail(ErrorKind::kIo, "FILE_SHRANK", "the file became shorter while it was read",
                  "import a file that nothing writes to");
    }
    if (got == 0) break;
    chunk.resize(got);
    TW_TRY(context.admin.PutBytes(fmt::format("{}?offset={}", transfer.path, offset), std::move(chunk)));
    offset += got;
    if (source.size_bytes) ShowProgress("sent", offset, *source.size_bytes);
  }
  return offset;
}

Result<void> Import(ClientContext& context, const TransferOptions& options) {
  TW_TRY_ASSIGN(const ImportSource source,
                options.engine == "sqlite" ? OpenDatabase(options.file) : OpenDump(context, options.file));
  json::object request{{"tenant", options.tenant}, {"engine", options.engine}};
  if (source.size_bytes) request["size_bytes"] = *source.size_bytes;
  if (!options.node.empty()) request["node"] = options.node;
  TW_TRY_ASSIGN(const json::value answer, context.admin.Post("/v1/imports", request));
  TW_TRY_ASSIGN(const Transfer transfer, ParseTransfer(answer, "/v1/imports"));
  const auto sent = Upload(context, source, transfer);
  if (!sent) {
    // Best effort: the node forgets it anyway in time, and the first error is the one to show.
    [[maybe_unused]] auto dropped = context.admin.Delete(transfer.path);
    return Fail(sent.error());
  }
  TW_TRY_ASSIGN(const json::value tenant, context.admin.Post(transfer.path + "/commit", {}));
  if (context.json()) {
    PrintJson(tenant);
    return {};
  }
  fmt::print("tenant {} is made from {} ({}) on node {}\n", options.tenant,
             options.file == "-" ? "the standard input" : options.file, FormatSize(*sent),
             TextAt(tenant, "owner"));
  PrintAccount(tenant);
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
    command
        .AddOption("FILE", options->file, "The SQLite file; for the engine mariadb an SQL dump, or a backup")
        .Required();
    command.OnGiven([&line, options, run] {
      line.action = [&line, options, run] {
        return RunClient(line.global, [&](ClientContext& context) { return run(context, *options); });
      };
    });
    return command;
  };
  const Command import =
      add("import", "Make a tenant from an SQLite file, or from a dump of MariaDB", Import);
  import.AddOption("--engine", options->engine, "sqlite (default) or mariadb").OneOf({"sqlite", "mariadb"});
  import.AddOption("--node", options->node, "The node to own it; default: the cluster's choice");
  add("export", "Copy a tenant to an SQLite file, or to a dump of MariaDB, while it is in use", Export);
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
