#include "gateway/permit.h"

namespace tradewind::gateway {

std::string_view NameOf(const tenant::Rights& rights) {
  if (!rights.write) return "ro";
  return rights.change_schema ? "rw,ddl" : "rw";
}

std::optional<tenant::Rights> ParseRights(std::string_view name) {
  if (name == "rw,ddl") return tenant::Rights{true, true};
  if (name == "rw") return tenant::Rights{true, false};
  if (name == "ro") return tenant::Rights{false, false};
  return std::nullopt;
}

}  // namespace tradewind::gateway
