#include "cli/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace tradewind::cli {
namespace {

// Of what is no number: -1.
double NumberIn(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && *end == '\0' ? number : -1;
}

// Tells `end` why the program is not to run: a mistake in the words, or help that was asked for.
template <typename End>
void ParseWords(CLI::App& app, std::vector<std::string> words, const End& end) {
  std::reverse(words.begin(), words.end());  // As the parser wants them.
  try {
    app.parse(std::move(words));
  } catch (const CLI::RequiredError& error) {
    // What nobody knows is the likelier mistake, or the reason why something else is missing.
    const std::vector<std::string> unknown = app.remaining(true);
    if (unknown.empty())
      end(error);
    else
      end(CLI::ExtrasError(app.get_name(), unknown));
  } catch (const CLI::ParseError& error) {
    end(error);
  }
}

}  // namespace

Option Option::Required() const {
  option_->required();
  return *this;
}

Option Option::ValueName(const char* name) const {
  option_->type_name(name);
  return *this;
}

Option Option::ShowDefault() const {
  option_->capture_default_str();
  return *this;
}

Option Option::OneOf(const std::vector<std::string>& values) const {
  option_->check(CLI::IsMember(values));
  return *this;
}

Option Option::Between(int64_t least, int64_t most) const {
  option_->check(CLI::Validator(
      [least, most](const std::string& text) {
        int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error == std::errc() && *end == '\0' && number >= least && number <= most) return std::string();
        return fmt::format("'{}' is no whole number from {} to {}", text, least, most);
      },
      fmt::format("INT in [{} - {}]", least, most)));
  return *this;
}

Option Option::Positive() const {
  option_->check(CLI::Validator(
      [](const std::string& text) {
        return NumberIn(text) > 0 ? std::string() : fmt::format("'{}' is no number above zero", text);
      },
      "POSITIVE"));
  return *this;
}

Option Option::NotNegative() const {
  option_->check(CLI::Validator(
      [](const std::string& text) {
        return NumberIn(text) >= 0 ? std::string() : fmt::format("'{}' is no number from zero on", text);
      },
      "NONNEGATIVE"));
  return *this;
}

Option Option::SeparatedBy(char separator) const {
  option_->delimiter(separator);
  return *this;
}

Option Option::FromEnvironment(const char* variable) const {
  option_->envname(variable);
  return *this;
}

Option Option::Excludes(const char* other) const {
  option_->excludes(other);
  return *this;
}

Option Option::Needs(const char* other) const {
  option_->needs(other);
  return *this;
}

bool Option::given() const {
  return option_->count() > 0;
}

std::vector<std::string> Option::names() const {
  std::vector<std::string> names;
  for (const std::string& name : option_->get_lnames()) names.push_back("--" + name);
  for (const std::string& name : option_->get_snames()) names.push_back("-" + name);
  return names;
}

// The parser has them in what the help says of the type: FORMAT:{text,json}.
std::vector<std::string> Option::values() const {
  const std::string type = option_->get_type_name();
  const size_t begin = type.find('{');
  std::vector<std::string> values;
  if (begin != type.npos && type.ends_with('}'))
    values = CLI::detail::split(type.substr(begin + 1, type.size() - begin - 2), ',');
  return values;
}

bool Option::takes_value() const {
  return option_->get_expected_max() != 0;
}

bool Option::may_be_repeated() const {
  return option_->get_items_expected_max() > 1;
}

Command Command::AddCommand(const char* name, const char* description) const {
  return Command(app_->add_subcommand(name, description));
}

Command Command::Find(const char* name) const {
  return Command(app_->get_subcommand(name));
}

void Command::RequireCommand() const {
  app_->require_subcommand(1);
}

void Command::AddVersion(const char* text) const {
  app_->set_version_flag("--version", text, "Print the version and exit");
}

void Command::FallThrough() const {
  app_->fallthrough();
}

void Command::OnGiven(std::function<void()> action) const {
  app_->callback(std::move(action));
}

std::string Command::name() const {
  return app_->get_name();
}

// The parser has a choice as a command without a name.
std::vector<Command> Command::commands() const {
  std::vector<Command> commands;
  for (CLI::App* below : app_->get_subcommands({}))
    if (!below->get_name().empty()) commands.push_back(Command(below));
  return commands;
}

std::vector<Option> Command::options() const {
  std::vector<Option> options;
  for (CLI::Option* option : app_->get_options()) options.push_back(Option(option));
  for (CLI::App* below : app_->get_subcommands({}))
    if (below->get_name().empty())
      for (CLI::Option* option : below->get_options())
        if (option != below->get_help_ptr()) options.push_back(Option(option));
  return options;
}

std::optional<Option> Command::FindOption(const std::string& name) const {
  CLI::Option* option = app_->get_option_no_throw(name);
  return option ? std::optional(Option(option)) : std::nullopt;
}

std::optional<Command> Command::parent() const {
  CLI::App* above = app_->get_parent();
  return above ? std::optional(Command(above)) : std::nullopt;
}

Option Command::AddOption(const char* names, std::string& value, const char* description) const {
  return Option(app_->add_option(names, value, description));
}

Option Command::AddOption(const char* names, std::vector<std::string>& values,
                          const char* description) const {
  return Option(app_->add_option(names, values, description));
}

Option Command::AddOption(const char* names, double& value, const char* description) const {
  return Option(app_->add_option(names, value, description));
}

Option Command::AddOption(const char* names, int& value, const char* description) const {
  return Option(app_->add_option(names, value, description));
}

Option Command::AddOption(const char* names, uint32_t& value, const char* description) const {
  return Option(app_->add_option(names, value, description));
}

Option Command::AddOption(const char* names, int64_t& value, const char* description) const {
  return Option(app_->add_option(names, value, description));
}

Option Command::AddOption(const char* names, uint64_t& value, const char* description) const {
  return Option(app_->add_option(names, value, description));
}

Option Command::AddOption(const char* names, std::optional<size_t>& value, const char* description) const {
  return Option(app_->add_option(names, value, description));
}

Option Command::AddFlag(const char* names, bool& given, const char* description) const {
  return Option(app_->add_flag(names, given, description));
}

Command Command::AddChoice(const char* name) const {
  CLI::App* group = app_->add_option_group(name);
  group->require_option(1);
  return Command(group);
}

Arguments::Arguments(const char* description, const char* program)
    : app_(std::make_unique<CLI::App>(description, program)) {}

Arguments::~Arguments() = default;

std::optional<ExitCode> Arguments::Parse(int argc, const char* const* argv) {
  return Parse(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

std::optional<ExitCode> Arguments::Parse(std::vector<std::string> words) {
  std::optional<ExitCode> over;
  ParseWords(*app_, std::move(words), [&](const CLI::ParseError& error) {
    over = app_->exit(error) == 0 ? ExitCode::kDone : ExitCode::kUsage;
  });
  return over;
}

std::optional<std::string> Arguments::MistakeIn(std::vector<std::string> words) {
  std::optional<std::string> mistake;
  ParseWords(*app_, std::move(words), [&](const CLI::ParseError& error) { mistake = error.what(); });
  return mistake;
}

}  // namespace tradewind::cli
