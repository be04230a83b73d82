#include "runtime/network.h"

namespace tradewind::runtime {

std::string Address::ToString() const {
  const bool needs_brackets = host.find(':') != std::string::npos;
  return (needs_brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace tradewind::runtime
