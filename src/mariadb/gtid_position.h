// A position of MariaDB's replication: of each domain its last transaction, as `domain-server-sequence`, with commas
// between. Nothing in it: no transaction yet.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tradewind::mariadb {

class GtidPosition {
 public:
  // As @@gtid_binlog_pos and the like have it; none for any other text.
  static std::optional<GtidPosition> Parse(std::string_view text);
  // The domains in their order: equal positions have equal texts.
  std::string ToString() const;

  bool empty() const { return last_.empty(); }
  // Whether who is here has everything that `other` has: sequences only grow (gtid_strict_mode).
  bool Covers(const GtidPosition& other) const { return other.Beyond(*this) == 0; }
  // How many transactions it is ahead of `other`, over all domains in which it is.
  uint64_t Beyond(const GtidPosition& other) const;
  // Of each domain the later one.
  GtidPosition MergedWith(const GtidPosition& other) const;
  bool operator==(const GtidPosition&) const = default;

 private:
  struct Last {
    uint32_t server = 0;
    uint64_t sequence = 0;
    bool operator==(const Last&) const = default;
  };
  std::map<uint32_t, Last> last_;  // By domain.
};

}  // namespace tradewind::mariadb
