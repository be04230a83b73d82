// tradewind sql NAME at a terminal: a prompt.
//
// The session lasts as long as the prompt: it is kept alive while a person thinks, so that a transaction, temporary tables
// and the like are there for the next statement. Ctrl-C at a statement that runs ends the statement, and with it the
// session, which the node rolls back; the prompt goes on with a new one. Lines that begin with a dot are for the prompt
// itself (.help).
#pragma once

#include <string>

#include "base/result.h"
#include "cli/client_command.h"

namespace tradewind::cli {

// Fails only when the tenant or the node is not there at the start. Suspends.
Result<void> RunPrompt(ClientContext& context, const std::string& tenant);

}  // namespace tradewind::cli
