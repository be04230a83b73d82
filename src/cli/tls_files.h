// The files of TLS that a user has named. All read at once, without suspending.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "net/tls.h"

namespace tradewind::cli {

// Of a server. Fails with FILE_NOT_READABLE (kNotFound), TLS_KEY_EXPOSED (kRefused: every user of the machine may read the
// key), and as TlsIdentity::Parse does; the message names the file.
Result<std::shared_ptr<const net::TlsIdentity>> ReadIdentity(const std::string& certificate_path,
                                                             const std::string& key_path);
// Null for no file. Fails with FILE_NOT_READABLE, and as TlsTrust::Parse does.
Result<std::shared_ptr<const net::TlsTrust>> ReadTrust(const std::string& path);

}  // namespace tradewind::cli
