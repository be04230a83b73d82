#include "cli/client_command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>

#include "base/json_fields.h"
#include "cli/table.h"
#include "cli/tls_files.h"
#include "net/http_client.h"

namespace tradewind::cli {

namespace json = boost::json;

ExitCode RunClient(const GlobalOptions& global, const std::function<Result<void>(ClientContext&)>& body) {
  const auto trust = ReadTrust(global.tls_ca);
  if (!trust) return Report(trust.error());
  const auto core = runtime::RealCore::Create();
  Result<void> outcome;
  core->RunUntilReturned("command", [&] {
    net::HttpClient http(*core);
    http.SetTrust(*trust);
    auto admin = AdminClient::Make(*core, http, global.server, global.token);
    if (admin) {
      ClientContext context{*core, http, std::move(*admin), global, *trust};
      outcome = body(context);
    } else {
      outcome = Fail(std::move(admin).error());
    }
    http.Close();
  });
  return outcome ? ExitCode::kDone : Report(outcome.error());
}

void PrintJson(const json::value& value) {
  fmt::print("{}\n", json::serialize(value));
}

void PrintAccount(const json::value& tenant) {
  if (!MemberAt(tenant, "password").is_string()) return;
  fmt::print("\n{}", PropertyList({{"database", TextAt(tenant, "database")},
                                   {"user", TextAt(tenant, "user")},
                                   {"password", TextAt(tenant, "password") + " (shown this once)"}}));
}

bool ProgressIsWanted() {
  return isatty(STDERR_FILENO) == 1;
}

const json::value& MemberAt(const json::value& object, std::string_view name) {
  static const json::value kNull;
  const json::object* members = object.if_object();
  const json::value* member = members ? FindField(*members, name) : nullptr;
  return member ? *member : kNull;
}

std::string TextAt(const json::value& object, std::string_view name) {
  const json::value& member = MemberAt(object, name);
  return member.is_string() ? json::value_to<std::string>(member) : std::string();
}

double NumberAt(const json::value& object, std::string_view name) {
  const json::value& member = MemberAt(object, name);
  return member.is_number() ? member.to_number<double>() : 0;
}

bool FlagAt(const json::value& object, std::string_view name) {
  const json::value& member = MemberAt(object, name);
  return member.is_bool() && member.get_bool();
}

std::string FormatTime(int64_t unix_milliseconds) {
  if (unix_milliseconds == 0) return "-";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}Z",
                     fmt::gmtime(static_cast<std::time_t>(unix_milliseconds / 1000)));
}

}  // namespace tradewind::cli
