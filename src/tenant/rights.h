// What a client may do with a tenant beside reading it.
#pragma once

namespace tradewind::tenant {

struct Rights {
  bool write = true;
  bool change_schema = true;  // Without `write` it means nothing.
  bool operator==(const Rights&) const = default;
};

}  // namespace tradewind::tenant
