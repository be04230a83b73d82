// What the commands that talk to a cluster have in common: a core, a fiber, an HTTP client, and the printing
// of errors.
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <memory>
#include <string>

#include "cli/admin_client.h"
#include "cli/command_line.h"
#include "net/tls.h"
#include "runtime/real_core.h"

namespace tradewind::cli {

struct ClientContext {
  runtime::RealCore& core;
  net::HttpClient& http;
  AdminClient admin;
  const GlobalOptions& global;
  std::shared_ptr<const net::TlsTrust>
      trust;  // Whose certificates clients believe; null: what the machine does.

  bool json() const { return global.output == OutputFormat::kJson; }
};

// Runs `body` in a fiber. An error that it returns is reported and decides the exit code.
ExitCode RunClient(const GlobalOptions& global, const std::function<Result<void>(ClientContext&)>& body);

// One line of JSON on stdout.
void PrintJson(const boost::json::value& value);

// Below what was said of a new tenant: its account, if the answer has one. It is not shown again.
void PrintAccount(const boost::json::value& tenant);

// Whether progress may be shown on stderr.
bool ProgressIsWanted();

// Members of the server's answers, forgiving: a missing or null one is empty or 0.
std::string TextAt(const boost::json::value& object, std::string_view name);
double NumberAt(const boost::json::value& object, std::string_view name);
bool FlagAt(const boost::json::value& object, std::string_view name);
// The member itself; null when it is missing.
const boost::json::value& MemberAt(const boost::json::value& object, std::string_view name);

// "2025-03-01 12:00:00Z", from Unix milliseconds; "-" for 0.
std::string FormatTime(int64_t unix_milliseconds);

}  // namespace tradewind::cli
