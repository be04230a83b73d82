#include "sqlite/budget_error.h"

#include <string>

#include "base/limits.h"
#include "base/units.h"
#include "sqlite/page_store.h"

namespace tradewind::sqlite {

Error TooComplex() {
  return {ErrorKind::kTooLarge, "SQL_TOO_COMPLEX",
          "the statement needs too much time or memory to be compiled: what it names refers to too much else",
          "use fewer common table expressions and views of views"};
}

Error TooLarge() {
  return {ErrorKind::kTooLarge, "STATEMENT_TOO_LARGE",
          "the statement needs more than " + std::to_string(limits::kStatementMemoryBytes >> 20) +
              " MiB for what it sorts or keeps apart",
          "sort or compare fewer or smaller rows, with an index where there can be one"};
}

Error NoMemoryForRows() {
  return {ErrorKind::kTooLarge, "SERVER_MEMORY",
          "the rows of the result need more memory than is left of what the server may have",
          "try again when less is going on, or ask for fewer rows at a time"};
}

Error TooMuchMemory(const MemoryBudget& budget, Error of_statement) {
  switch (budget.shortage()) {
    case MemoryBudget::Shortage::kTenant:
      if (const uint64_t bound = budget.store()->memory().bound(); bound < limits::kTenantMemoryBytes)
        return {ErrorKind::kTooLarge, "SQLITE_NOMEM",
                "the statement needs more memory than is left of the " + FormatSize(bound) +
                    " that its tenant may have, and was ended",
                "make it smaller; an administrator can change the tenant's quota (tradewind tenant set "
                "--quota-memory)"};
      return {ErrorKind::kTooLarge, "TENANT_MEMORY",
              "the statement needs more memory than is left of what its tenant may have, and was ended",
              "run fewer large statements of this tenant at a time, or make them smaller"};
    case MemoryBudget::Shortage::kProcess:
      return {ErrorKind::kTooLarge, "SERVER_MEMORY",
              "the statement needs more memory than is left of what the server may have, and was ended",
              "try again when less is going on, or make it smaller; the server's bound is serve --memory"};
    default: return of_statement;
  }
}

}  // namespace tradewind::sqlite
