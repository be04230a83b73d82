#include "sim/instance_log.h"

#include <fmt/format.h>

#include <charconv>
#include <span>

#include "base/hash.h"

namespace tradewind::sim {

namespace {

constexpr std::string_view kFolder = "/data/tenants/";
constexpr size_t kFieldBytes = 30;  // "SEQUENCE__ SERVER ROW_________", a space, then the sum of that.

std::string SumOf(std::string_view fields) {
  return fmt::format("{:08x}", static_cast<uint32_t>(Hash64(std::as_bytes(std::span(fields)))));
}

template <typename Number>
bool ParseNumber(std::string_view digits, Number& number) {
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return read.ec == std::errc() && read.ptr == digits.data() + digits.size();
}

}  // namespace

std::string ToRecord(const SimTransaction& transaction) {
  const std::string fields =
      fmt::format("{:010} {:06} {:012}", transaction.sequence, transaction.server, transaction.row);
  return fields + ' ' + SumOf(fields) + '\n';
}

bool ParseRecord(std::string_view record, SimTransaction& transaction) {
  if (record.size() != kTransactionBytes) return false;
  const std::string_view fields = record.substr(0, kFieldBytes);
  return record.substr(kFieldBytes + 1, 8) == SumOf(fields) &&
         ParseNumber(fields.substr(0, 10), transaction.sequence) &&
         ParseNumber(fields.substr(11, 6), transaction.server) &&
         ParseNumber(fields.substr(18, 12), transaction.row);
}

std::vector<SimTransaction> ParseLog(std::string_view file) {
  std::vector<SimTransaction> log;
  for (size_t at = 0; at + kTransactionBytes <= file.size(); at += kTransactionBytes) {
    SimTransaction transaction;
    if (!ParseRecord(file.substr(at, kTransactionBytes), transaction)) break;
    if (transaction.sequence != log.size() + 1) break;
    log.push_back(transaction);
  }
  return log;
}

std::string InstancePath(const std::string& tenant) {
  return std::string(kFolder).append(tenant).append(kInstanceFileSuffix);
}

std::string TenantOfInstance(std::string_view path) {
  if (!path.starts_with(kFolder) || !path.ends_with(kInstanceFileSuffix)) return "";
  path.remove_prefix(kFolder.size());
  path.remove_suffix(kInstanceFileSuffix.size());
  return std::string(path);
}

}  // namespace tradewind::sim
