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

// What may come after the command: its subcommands, what its positions may be and options, and the options of those that
// it belongs to.
std::string WordsOf(const Command& command) {
  std::string words;
  for (const Command& below : command.commands()) words += below.name() + " ";
  for (const Option& option : command.options())
    if (option.names().empty())
      for (const std::string& value : option.values()) words += value + " ";
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
  for (const char* command : {"move show", "move watch", "move cancel", "move set"})
    if (path == command) return "$(_tradewind_names move)";
  return {};
}

// Each option that takes a value, after its command, and the values that it may have: none are known of most, and the
// shell completes files then. Those of the root may come after every command.
void AppendValues(const Command& command, const std::string& path, std::string& cases) {
  for (const Option& option : command.options()) {
    if (option.names().empty() || !option.takes_value()) continue;
    std::string patterns;
    for (const std::string& name : option.names())
      patterns +=
          fmt::format("{}{}:{}\"", patterns.empty() ? "" : "|", path.empty() ? "*\"" : "\"" + path, name);
    const std::string first = option.names().front();
    std::string values = first == "--node" || first == "--to" ? "$(_tradewind_names node)" : "";
    for (const std::string& value : option.values()) values += (values.empty() ? "" : " ") + value;
    cases += fmt::format("    {}) words=\"{}\" ;;\n", patterns, values);
  }
}

void AppendCommands(const Command& command, const std::string& path, std::string& known, std::string& cases,
                    std::string& values) {
  AppendValues(command, path, values);
  cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", path,
                       WordsOf(command) + (NamesAfter(path).empty() ? "" : " " + NamesAfter(path)));
  for (const Command& subcommand : command.commands()) {
    const std::string below = path.empty() ? subcommand.name() : path + " " + subcommand.name();
    known += (known.empty() ? "" : "|") + fmt::format("\"{}\"", below);
    AppendCommands(subcommand, below, known, cases, values);
  }
}

// No variable is called `path` or what else is special to zsh: there that is where commands are looked for.
std::string Script(const Command& app, bool zsh) {
  std::string known, cases, values;
  AppendCommands(app, "", known, cases, values);
  return fmt::format(R"SH({}# Made by: tradewind completion {}
_tradewind_names() {{
  timeout 2 tradewind "$1" list 2>/dev/null | {{
    read -r name rest
    while read -r name rest; do echo "$name"; done
  }}
}}
_tradewind() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" command="" words="" at next
  for ((at = 1; at < COMP_CWORD; at++)); do
    next="${{command:+$command }}${{COMP_WORDS[at]}}"
    case "$next" in
    {}) command="$next" ;;
    esac
  done
  case "$command:$before" in
{}    *) case "$command" in
{}    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _tradewind tradewind
)SH",
                     zsh ? "autoload -U +X bashcompinit && bashcompinit\n" : "", zsh ? "zsh" : "bash", known,
                     values, cases);
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
