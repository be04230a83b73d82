// tradewind token keygen | create | show: no node is asked; whoever has the private key makes tokens.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "auth/token.h"
#include "base/ids.h"
#include "base/units.h"
#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/table.h"
#include "cli/text_file.h"

namespace tradewind::cli {
namespace {

struct KeygenOptions {
  std::string folder;
};

struct CreateOptions {
  std::string key;
  std::vector<std::string> tenants;
  std::string expires;
  bool no_ddl = false;
};

struct ShowOptions {
  std::string token;
  std::string key;
};

int64_t NowInSeconds() {
  return runtime::RealCore::Create()->UnixMilliseconds() / 1000;
}

tl::unexpected<Error> Unwritable(const std::string& path) {
  return Fail(ErrorKind::kIo, "FILE_NOT_WRITABLE",
              fmt::format("{} cannot be made: {}", path, std::strerror(errno)),
              errno == EEXIST ? "a key there may be in use: give another folder"
                              : "give a folder that this user may write");
}

Result<void> WriteNew(const std::string& path, const std::string& text, mode_t mode) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (file < 0) return Unwritable(path);
  const bool written =
      write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(file) == 0;
  const int why = errno;
  close(file);
  if (written) return {};
  unlink(path.c_str());
  errno = why;
  return Unwritable(path);
}

Result<void> Keygen(const KeygenOptions& options, bool json) {
  if (mkdir(options.folder.c_str(), 0700) != 0 && errno != EEXIST) return Unwritable(options.folder);
  const auth::SigningKey key = auth::SigningKey::Generate();
  const std::string secret = options.folder + "/tradewind.key.pem";
  const std::string open = options.folder + "/tradewind.pub.pem";
  TW_TRY(WriteNew(secret, key.PrivatePem(), 0600));
  if (Result<void> written = WriteNew(open, key.PublicPem(), 0644); !written) {
    unlink(secret.c_str());
    return written;
  }
  if (json)
    PrintJson(boost::json::object{{"private_key", secret}, {"public_key", open}});
  else
    fmt::print(
        "{}  makes tokens: keep it to yourself\n{}  is for the servers: tradewind serve --auth-key {}\n",
        secret, open, open);
  return {};
}

// "shop", "shop:rw", "shop:ro"; "*" for all tenants.
Result<void> AddTenant(const std::string& text, auth::Token& token) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const std::string access = colon == std::string::npos ? "rw" : text.substr(colon + 1);
  if ((access != "rw" && access != "ro") || (name != "*" && !IsValidName(name)))
    return Fail(ErrorKind::kInvalid, "USAGE", fmt::format("--tenant {} is no tenant with rights", text),
                "write --tenant NAME, NAME:ro or NAME:rw; '*' is every tenant");
  if (name == "*")
    token.everywhere =
        std::max(token.everywhere, access == "rw" ? auth::Access::kWrite : auth::Access::kRead);
  else
    (access == "rw" ? token.writable : token.readable).insert(name);
  return {};
}

Result<auth::Token> TokenOf(const CreateOptions& options, int64_t now_s) {
  auth::Token token;
  for (const std::string& tenant : options.tenants) TW_TRY(AddTenant(tenant, token));
  if (token.everywhere != auth::Access::kNone && (options.tenants.size() > 1 || options.no_ddl))
    return Fail(ErrorKind::kInvalid, "USAGE", "a token for every tenant has no other rights beside that",
                "leave the others out");
  if (options.no_ddl) token.schemas.emplace();
  if (!options.expires.empty()) {
    TW_TRY_ASSIGN(const auto lifetime, OfFlag("--expires", ParseDuration(options.expires)));
    const int64_t seconds = std::chrono::floor<std::chrono::seconds>(lifetime).count();
    if (seconds < 1)
      return Fail(ErrorKind::kInvalid, "USAGE", "a token that lasts no second is of no use",
                  "give --expires 30d");
    token.expires_at_s = now_s + seconds;
  }
  return token;
}

Result<void> Create(const CreateOptions& options, bool json) {
  TW_TRY_ASSIGN(const auth::Token token, TokenOf(options, NowInSeconds()));
  TW_TRY_ASSIGN(const std::string pem, ReadKey(options.key));
  TW_TRY_ASSIGN(const auth::SigningKey key, auth::SigningKey::Parse(pem));
  const std::string jwt = key.Sign(token);
  if (json)
    PrintJson(boost::json::object{{"token", jwt}, {"claims", boost::json::parse(auth::ToClaims(token))}});
  else
    fmt::print("{}\n", jwt);
  return {};
}

std::string RightsText(const auth::Grant& grant) {
  if (grant.access == auth::Access::kNone) return "nothing";
  if (grant.access == auth::Access::kRead) return "read";
  return grant.may_change_schema ? "read, write, change the schema" : "read, write";
}

Result<void> Show(const ShowOptions& options, bool json) {
  TW_TRY_ASSIGN(const std::string text, ReadKey(options.key));
  TW_TRY_ASSIGN(const auth::VerifyingKeys keys, auth::VerifyingKeys::Parse(text));
  TW_TRY_ASSIGN(const auth::Token token, keys.Verify(options.token, NowInSeconds()));
  if (json) {
    PrintJson(boost::json::parse(auth::ToClaims(token)));
    return {};
  }
  Table table({"TENANT", "MAY"});
  std::set<TenantName> named = token.readable;
  named.insert(token.writable.begin(), token.writable.end());
  for (const TenantName& tenant : named) table.AddRow({tenant, RightsText(token.At(tenant))});
  table.AddRow({"any other", RightsText(token.At(""))});
  fmt::print("{}until {}\n", table.ToString(),
             token.expires_at_s ? FormatTime(*token.expires_at_s * 1000) : "its key is replaced");
  return {};
}

ExitCode ExitOf(const Result<void>& outcome) {
  return outcome ? ExitCode::kDone : Report(outcome.error());
}

}  // namespace

void AddTokenCommands(Command app, CommandLine& line) {
  const Command token =
      app.AddCommand("token", "What clients show to use a tenant: tokens, and the keys that sign them");
  token.RequireCommand();
  token.FallThrough();

  const Command keygen =
      token.AddCommand("keygen", "Make a key pair: one half makes tokens, the other is for the servers");
  keygen.FallThrough();
  auto keys = std::make_shared<KeygenOptions>();
  keygen.AddOption("DIR", keys->folder, "Where; made when it is missing").Required();
  keygen.OnGiven([&line, keys] {
    line.action = [&line, keys] { return ExitOf(Keygen(*keys, line.global.output == OutputFormat::kJson)); };
  });

  const Command create = token.AddCommand("create", "Make a token, and print it");
  create.FallThrough();
  auto options = std::make_shared<CreateOptions>();
  create.AddOption("--key", options->key, "The private key").Required().ValueName("FILE");
  create
      .AddOption("--tenant", options->tenants,
                 "What it is for: NAME, NAME:ro or NAME:rw; '*' is every tenant. Repeat it for several")
      .Required()
      .ValueName("NAME[:ro|:rw]");
  create.AddOption("--expires", options->expires, "For how long, as 30d; default: for ever")
      .ValueName("DURATION");
  create.AddFlag("--no-ddl", options->no_ddl, "It may not change any schema");
  create.OnGiven([&line, options] {
    line.action = [&line, options] {
      return ExitOf(Create(*options, line.global.output == OutputFormat::kJson));
    };
  });

  const Command show = token.AddCommand("show", "Check a token, and say what it lets its bearer do");
  show.FallThrough();
  auto shown = std::make_shared<ShowOptions>();
  show.AddOption("TOKEN", shown->token, "The token").Required();
  show.AddOption("--key", shown->key, "The public key, or several in a file").Required().ValueName("FILE");
  show.OnGiven([&line, shown] {
    line.action = [&line, shown] { return ExitOf(Show(*shown, line.global.output == OutputFormat::kJson)); };
  });
}

}  // namespace tradewind::cli
