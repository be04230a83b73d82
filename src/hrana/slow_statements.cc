#include "hrana/slow_statements.h"

#include <chrono>
#include <string>

#include "base/log.h"
#include "sql/sql_shape.h"

namespace tradewind::hrana {

void SlowStatements::Note(const TenantName& tenant, runtime::TimePoint began, std::string_view sql,
                          const Error* error) const {
  if (least_ <= runtime::Duration::zero()) return;
  const runtime::Duration took = core_.Now() - began;
  if (took < least_) return;
  const std::string shape = sql::ShapeOf(sql, kShapeBytes);
  log::Event(log::Level::kWarn, "slow_statement",
             {{"tenant", std::string_view(tenant)},
              {"ms", std::chrono::duration<double, std::milli>(took).count()},
              {"outcome", error ? std::string_view(error->code) : std::string_view("done")},
              {"sql", std::string_view(shape)}});
}

}  // namespace tradewind::hrana
