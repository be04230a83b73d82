#include "program/key_files.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/log.h"
#include "cli/secret_file.h"
#include "cli/text_file.h"
#include "cli/tls_files.h"

namespace tradewind::program {
namespace {

constexpr cli::SecretFile kAdminToken{"ADMIN_TOKEN", "the admin token", "--admin-token-file"};

void Say(const net::TlsIdentity& identity, int64_t now_s) {
  log::info("TLS: the certificate is {}", identity.description());
  if (now_s >= identity.begins_s() && now_s < identity.ends_s()) return;
  log::warn("TLS: the certificate {}: clients that look at it will not connect",
            now_s < identity.begins_s() ? "is not valid yet" : "HAS EXPIRED");
}

void SayKept(const char* what, const Error& error) {
  log::error("SIGHUP: {} could NOT be read again, and stays as it was: {}", what, Describe(error));
}

}  // namespace

Result<auth::Locks> ReadLocks(const KeyFiles& files) {
  auth::Locks locks;
  for (const std::string& path : files.auth_keys) {
    TW_TRY_ASSIGN(const std::string text, cli::ReadKey(path));
    auto keys = auth::VerifyingKeys::Parse(text);
    if (!keys) {
      keys.error().message = fmt::format("--auth-key {}: {}", path, keys.error().message);
      return Fail(std::move(keys).error());
    }
    locks.keys.Add(*keys);
  }
  if (!files.admin_token_file.empty()) {
    TW_TRY_ASSIGN(locks.admin_token, cli::ReadSecretFile(files.admin_token_file, kAdminToken));
  } else if (!locks.keys.empty()) {
    return Fail(
        ErrorKind::kInvalid, "ADMIN_TOKEN_MISSING",
        "a node that asks its clients for tokens (--auth-key) leaves its admin API open without one for that",
        "make one, (umask 077; openssl rand -hex 32 > FILE), and give --admin-token-file FILE");
  }
  return locks;
}

Result<node::NodeTls> ReadTls(const KeyFiles& files) {
  node::NodeTls tls;
  if (!files.tls_cert.empty()) {
    TW_TRY_ASSIGN(tls.identity, cli::ReadIdentity(files.tls_cert, files.tls_key));
  }
  TW_TRY_ASSIGN(tls.trust, cli::ReadTrust(files.tls_ca));
  return tls;
}

void SayIdentity(runtime::Core& core, const node::NodeTls& tls) {
  if (tls.identity) Say(*tls.identity, core.UnixMilliseconds() / 1000);
}

void RenewKeys(node::Node& node, const KeyFiles& files) {
  Result<auth::Locks> locks;
  std::optional<Result<std::shared_ptr<const net::TlsIdentity>>> identity;
  Result<std::shared_ptr<const net::TlsTrust>> trust;
  node.core().RunOffCore([&] {
    locks = ReadLocks(files);
    if (!files.tls_cert.empty()) identity = cli::ReadIdentity(files.tls_cert, files.tls_key);
    trust = cli::ReadTrust(files.tls_ca);
  });
  if (!locks) {
    SayKept("the keys for tokens and the admin token", locks.error());
  } else if (!files.auth_keys.empty() || !files.admin_token_file.empty()) {
    node.RenewLocks(*locks);
    log::info("SIGHUP: the keys for tokens and the admin token are read again");
  }
  if (identity && !*identity) SayKept("the certificate", identity->error());
  if (identity && *identity) {
    node.RenewIdentity(**identity);
    log::info("SIGHUP: the certificate is read again");
    Say(***identity, node.core().UnixMilliseconds() / 1000);
  }
  if (!trust) {
    SayKept("the CA of other nodes", trust.error());
  } else if (*trust) {
    node.RenewTrust(*trust);
    log::info("SIGHUP: the CA of other nodes is read again");
  }
}

}  // namespace tradewind::program
