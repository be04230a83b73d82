#include "cli/listen_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <string>

namespace tradewind::cli {
namespace {

tl::unexpected<Error> Invalid(std::string_view text) {
  return Fail(ErrorKind::kInvalid, "LISTEN_INVALID",
              fmt::format("--listen {} is no address to listen on", text),
              "write HOST:PORT, such as 127.0.0.1:8080 (port 0: any free one)");
}

}  // namespace

Result<runtime::Address> ParseListenAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Invalid(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || (!bracketed && host.find(':') != std::string_view::npos)) return Invalid(text);
  runtime::Address address;
  address.host = std::string(host);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return Invalid(text);
  return address;
}

bool IsLoopback(const runtime::Address& address) {
  if (address.host == "localhost") return true;
  in_addr four{};
  if (inet_pton(AF_INET, address.host.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  in6_addr six{};
  return inet_pton(AF_INET6, address.host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

}  // namespace tradewind::cli
