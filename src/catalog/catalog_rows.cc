#include "catalog/catalog_rows.h"

#include <optional>
#include <variant>

#include "catalog/record_check.h"

namespace tradewind::catalog {

namespace {

template <typename Record>
Result<Record> Checked(const Columns& columns, std::string_view table, Record record) {
  TW_TRY(columns.Check());
  const std::string_view field = UnsoundField(record);
  if (field.empty()) return record;
  return RowIsCorrupt("a row of its table " + std::string(table) + " has a " + std::string(field) +
                      " that nobody wrote");
}

}  // namespace

tl::unexpected<Error> RowIsCorrupt(std::string_view what) {
  return Fail(ErrorKind::kCorrupt, std::string(kCatalogCorruptCode), std::string(what));
}

std::string Columns::Text(size_t column) {
  const auto* text = column < row_.size() ? std::get_if<std::string>(&row_[column]) : nullptr;
  if (!text) right_ = false;
  return text ? *text : std::string();
}

int64_t Columns::Integer(size_t column) {
  const auto* integer = column < row_.size() ? std::get_if<int64_t>(&row_[column]) : nullptr;
  if (!integer) right_ = false;
  return integer ? *integer : 0;
}

Epoch Columns::EpochAt(size_t column) {
  const Epoch epoch{static_cast<uint64_t>(Integer(column))};
  if (!IsSound(epoch)) right_ = false;
  return epoch;
}

int64_t Columns::TimeAt(size_t column) {
  const int64_t time = Integer(column);
  if (!IsSoundTime(time)) right_ = false;
  return time;
}

NodeName Columns::NameAt(size_t column) {
  std::string name = Text(column);
  if (!IsValidName(name)) right_ = false;
  return name;
}

MoveState Columns::StateAt(size_t column) {
  const std::optional<MoveState> state = ParseMoveState(Text(column));
  if (!state) right_ = false;
  return state.value_or(MoveState::kForward);
}

Result<void> Columns::Check() const {
  if (right_) return {};
  return RowIsCorrupt("a row of its tables holds what nobody wrote");
}

Result<TenantRecord> TenantOf(const std::vector<sql::Value>& row) {
  Columns columns(row);
  TenantRecord tenant{columns.Text(0),    columns.Text(1), {columns.Text(2), columns.EpochAt(3)},
                      columns.Integer(4), columns.Text(5), columns.Text(6),
                      columns.Integer(7), columns.Text(8)};
  return Checked(columns, "tenants", std::move(tenant));
}

Result<MoveRecord> MoveOf(const std::vector<sql::Value>& row) {
  Columns columns(row);
  MoveRecord move{columns.Text(0),    columns.Text(1),    columns.Text(2),    columns.Text(3),
                  columns.Text(4),    columns.EpochAt(5), columns.StateAt(6), columns.Text(7),
                  columns.Integer(8), columns.Integer(9), columns.Text(10)};
  return Checked(columns, "moves", std::move(move));
}

Result<NodeRecord> NodeOf(const std::vector<sql::Value>& row) {
  Columns columns(row);
  const int64_t draining = columns.Integer(2);
  NodeRecord node{columns.Text(0), columns.Text(1), draining != 0, columns.Integer(3)};
  if (draining != 0 && draining != 1) return RowIsCorrupt("a row of its table nodes has no proper draining");
  return Checked(columns, "nodes", std::move(node));
}

}  // namespace tradewind::catalog
