#include "cli/tls_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/text_file.h"

namespace tradewind::cli {
namespace {

Result<std::string> Read(const char* flag, const std::string& path) {
  if (auto text = TextOfFile(path)) return *std::move(text);
  return Fail(ErrorKind::kNotFound, "FILE_NOT_READABLE",
              fmt::format("{} {}: the file cannot be read", flag, path), "name one that this user may read");
}

Error In(const std::string& where, Error error) {
  error.message = where + ": " + error.message;
  return error;
}

// A group may have it: that of the users who run servers.
Result<void> CheckKept(const std::string& key_path) {
  struct stat status {};
  if (::stat(key_path.c_str(), &status) != 0 || (status.st_mode & S_IRWXO) == 0) return {};
  return Fail(ErrorKind::kRefused, "TLS_KEY_EXPOSED",
              fmt::format("--tls-key {}: every user of this machine may have the key", key_path),
              fmt::format("make a new one if there are others; then chmod o= {}", key_path));
}

}  // namespace

Result<std::shared_ptr<const net::TlsIdentity>> ReadIdentity(const std::string& certificate_path,
                                                             const std::string& key_path) {
  TW_TRY_ASSIGN(const std::string certificates, Read("--tls-cert", certificate_path));
  TW_TRY_ASSIGN(const std::string key, Read("--tls-key", key_path));
  TW_TRY(CheckKept(key_path));
  auto identity = net::TlsIdentity::Parse(certificates, key);
  if (identity) return identity;
  return Fail(In(identity.error().code == "TLS_CERTIFICATE_INVALID" ? "--tls-cert " + certificate_path
                                                                    : "--tls-key " + key_path,
                 identity.error()));
}

Result<std::shared_ptr<const net::TlsTrust>> ReadTrust(const std::string& path) {
  if (path.empty()) return std::shared_ptr<const net::TlsTrust>();
  TW_TRY_ASSIGN(const std::string authorities, Read("--tls-ca", path));
  auto trust = net::TlsTrust::Parse(authorities);
  if (trust) return trust;
  return Fail(In("--tls-ca " + path, trust.error()));
}

}  // namespace tradewind::cli
