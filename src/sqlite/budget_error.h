// What a client is told whose statement wants more than its budget (memory_budget.h).
#pragma once

#include "base/result.h"
#include "sqlite/memory_budget.h"

namespace tradewind::sqlite {

Error TooComplex();       // SQL_TOO_COMPLEX: to compile it.
Error TooLarge();         // STATEMENT_TOO_LARGE: to run it.
Error NoMemoryForRows();  // SERVER_MEMORY: its result.
// TENANT_MEMORY or SERVER_MEMORY if that is what was short; else what the statement's own budget says.
Error TooMuchMemory(const MemoryBudget& budget, Error of_statement);

}  // namespace tradewind::sqlite
