#include "program/listen_address.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

namespace tradewind::program {
namespace {

tl::unexpected<Error> Invalid(std::string_view text, std::string_view flag) {
  return Fail(ErrorKind::kInvalid, "LISTEN_INVALID",
              fmt::format("{} {} is no address to listen on", flag, text),
              "write HOST:PORT, such as 127.0.0.1:8080 (port 0: any free one)");
}

}  // namespace

Result<runtime::Address> ParseListenAddress(std::string_view text, std::string_view flag) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Invalid(text, flag);
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || (!bracketed && host.find(':') != std::string_view::npos)) return Invalid(text, flag);
  runtime::Address address;
  address.host = std::string(host);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return Invalid(text, flag);
  return address;
}

bool IsLoopback(const runtime::Address& address) {
  if (address.host == "localhost" || address.host == "::1") return true;
  std::string_view rest = address.host;
  if (!rest.starts_with("127.")) return false;
  // All four parts must be numbers: "127.0.0.1.example.org" is a name.
  for (int part = 0; part < 4; ++part) {
    uint8_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc()) return false;
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    if (part < 3 && (rest.empty() || rest.front() != '.')) return false;
    if (part < 3) rest.remove_prefix(1);
  }
  return rest.empty();
}

}  // namespace tradewind::program
