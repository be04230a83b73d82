#include "cluster/catalog_rows.h"

#include <optional>
#include <variant>

namespace tradewind::cluster {

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

MoveState Columns::StateAt(size_t column) {
  const std::optional<MoveState> state = ParseMoveState(Text(column));
  if (!state) right_ = false;
  return state.value_or(MoveState::kForward);
}

Result<void> Columns::Check() const {
  if (right_) return {};
  return Fail(ErrorKind::kCorrupt, std::string(kCatalogCorruptCode), "a row holds what was never written");
}

Result<TenantRecord> TenantOf(const std::vector<sqlite::Value>& row) {
  Columns columns(row);
  TenantRecord tenant{columns.Text(0),    columns.Text(1), {columns.Text(2), columns.EpochAt(3)},
                      columns.Integer(4), columns.Text(5), columns.Text(6)};
  TW_TRY(columns.Check());
  return tenant;
}

Result<MoveRecord> MoveOf(const std::vector<sqlite::Value>& row) {
  Columns columns(row);
  MoveRecord move{columns.Text(0),    columns.Text(1),    columns.Text(2),    columns.Text(3),
                  columns.Text(4),    columns.EpochAt(5), columns.StateAt(6), columns.Text(7),
                  columns.Integer(8), columns.Integer(9), columns.Text(10)};
  TW_TRY(columns.Check());
  return move;
}

Result<NodeRecord> NodeOf(const std::vector<sqlite::Value>& row) {
  Columns columns(row);
  NodeRecord node{columns.Text(0), columns.Text(1), columns.Integer(2) != 0};
  TW_TRY(columns.Check());
  return node;
}

}  // namespace tradewind::cluster
