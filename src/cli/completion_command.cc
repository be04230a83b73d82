// tradewind completion bash|zsh: a script that completes commands, options, and the names of tenants and nodes. It is
// made from the parser, so it knows what the program knows.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/command_line.h"

namespace tradewind::cli {
namespace {

std::string OptionsOf(const Command& command, bool with_help) {
  std::string words;
  for (const Option& option : command.options()) {
    const std::vector<std::string> names = option.names();
    if (!with_help && !names.empty() && names.front() == "--help") continue;
    for (const std::string& name : names) words += name + " ";
  }
  return words;
}

// What may come after the command: its subcommands and options, and the options of those that it belongs to.
std::string WordsOf(const Command& command) {
  std::string words;
  for (const Command& below : command.commands()) words += below.name() + " ";
  words += OptionsOf(command, true);
  for (auto above = command.parent(); above; above = above->parent()) words += OptionsOf(*above, false);
  words.pop_back();  // Every command has --help, and a space after it.
  return words;
}

// Commands whose first argument is a tenant that exists, and those where it is a node.
std::string NamesAfter(const std::string& path) {
  for (const char* command : {"sql", "tenant show", "tenant delete", "tenant set", "tenant reset-password",
                              "tenant export", "move start"})
    if (path == command) return "$(_tradewind_names tenant)";
  for (const char* command : {"node drain", "node undrain", "node forget"})
    if (path == command) return "$(_tradewind_names node)";
  return {};
}

void AppendCommands(const Command& command, const std::string& path, std::string& known, std::string& cases) {
  cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", path,
                       WordsOf(command) + (NamesAfter(path).empty() ? "" : " " + NamesAfter(path)));
  for (const Command& subcommand : command.commands()) {
    const std::string below = path.empty() ? subcommand.name() : path + " " + subcommand.name();
    known += (known.empty() ? "" : "|") + fmt::format("\"{}\"", below);
    AppendCommands(subcommand, below, known, cases);
  }
}

std::string Script(const Command& app, bool zsh) {
  std::string known, cases;
  AppendCommands(app, "", known, cases);
  return fmt::format(R"SH({}# Made by: tradewind completion {}
_tradewind_names() {{
  timeout 2 tradewind "$1" list 2>/dev/null | while read -r name rest; do [ "$name" = NAME ] || echo "$name"; done
}}
_tradewind() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" path="" words="" at next
  for ((at = 1; at < COMP_CWORD; at++)); do
    next="${{path:+$path }}${{COMP_WORDS[at]}}"
    case "$next" in
    {}) path="$next" ;;
    esac
  done
  case "$before" in
    --node|--to) words="$(_tradewind_names node)" ;;
    -o|--output) words="table json" ;;
    *) case "$path" in
{}    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _tradewind tradewind
)SH",
                     zsh ? "autoload -U +X bashcompinit && bashcompinit\n" : "", zsh ? "zsh" : "bash", known,
                     cases);
}

}  // namespace

void AddCompletionCommand(Command app, CommandLine& line) {
  const Command completion = app.AddCommand(
      "completion", "A script that lets a shell complete commands: source <(tradewind completion bash)");
  auto shell = std::make_shared<std::string>();
  completion.AddOption("SHELL", *shell, "bash or zsh").Required().OneOf({"bash", "zsh"});
  completion.OnGiven([app, &line, shell] {
    line.action = [app, shell] {
      fmt::print("{}", Script(app, *shell == "zsh"));
      return ExitCode::kDone;
    };
  });
}

}  // namespace tradewind::cli
