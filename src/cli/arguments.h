// What a program takes on its command line: commands, and what each takes. Over CLI11, which arguments.cc alone reads:
// its headers take longer to compile than all commands together.
//
// `Command` and `Option` name a part of an `Arguments` and are copied freely; they are valid as long as it lives. The
// variables that options are put into must live as long, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tradewind::cli {

// Each method returns the option, so that they can follow one another.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option Required() const;
  // What stands for its value in the help, such as SIZE.
  Option ValueName(const char* name) const;
  // The help shows what the variable holds now.
  Option ShowDefault() const;
  Option OneOf(const std::vector<std::string>& values) const;
  Option Between(int64_t least, int64_t most) const;
  Option Positive() const;
  Option NotNegative() const;
  // Several values in one word, with this between them.
  Option SeparatedBy(char separator) const;
  Option FromEnvironment(const char* variable) const;
  // Not both; the other option is there already.
  Option Excludes(const char* other) const;
  // Only with it.
  Option Needs(const char* other) const;

  bool given() const;
  // As they are written, the long ones first: --output, -o. A position has none.
  std::vector<std::string> names() const;
  // Those of OneOf(); else none.
  std::vector<std::string> values() const;
  bool takes_value() const;
  bool may_be_repeated() const;

 private:
  CLI::Option* option_;
};

class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  Command AddCommand(const char* name, const char* description) const;
  // One that was added. It must be there.
  Command Find(const char* name) const;
  // One of the commands must be given.
  void RequireCommand() const;
  // --version prints this.
  void AddVersion(const char* text) const;
  // What it does not know is looked up in the command that it belongs to.
  void FallThrough() const;
  // Runs after everything was parsed, if the command was given.
  void OnGiven(std::function<void()> action) const;

  std::string name() const;
  // Those that were added.
  std::vector<Command> commands() const;
  // With those of its choices; --help is the first.
  std::vector<Option> options() const;
  // Nothing: there is none of this name, which has its dashes.
  std::optional<Option> FindOption(const std::string& name) const;
  // That which it was added to; nothing at the root.
  std::optional<Command> parent() const;

  // A name without dashes is a position.
  Option AddOption(const char* names, std::string& value, const char* description) const;
  Option AddOption(const char* names, std::vector<std::string>& values, const char* description) const;
  Option AddOption(const char* names, double& value, const char* description) const;
  Option AddOption(const char* names, int& value, const char* description) const;
  Option AddOption(const char* names, uint32_t& value, const char* description) const;
  Option AddOption(const char* names, int64_t& value, const char* description) const;
  Option AddOption(const char* names, uint64_t& value, const char* description) const;
  Option AddOption(const char* names, std::optional<size_t>& value, const char* description) const;
  Option AddFlag(const char* names, bool& given, const char* description) const;
  // Options of which exactly one must be given are added to what it returns.
  Command AddChoice(const char* name) const;

 private:
  CLI::App* app_;
};

class Arguments {
 public:
  Arguments(const char* description, const char* program);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  Command root() { return Command(app_.get()); }

  // Fills the variables. Help that was asked for and mistakes are printed; then how the program ends is returned.
  std::optional<ExitCode> Parse(int argc, const char* const* argv);
  // The same of the words behind the program's name.
  std::optional<ExitCode> Parse(std::vector<std::string> words);
  // The same, but prints nothing: what is wrong with the words, or nothing.
  std::optional<std::string> MistakeIn(std::vector<std::string> words);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace tradewind::cli
