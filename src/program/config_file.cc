#include "program/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "cli/text_file.h"
#include "program/program.h"

namespace tradewind::program {
namespace {

tl::unexpected<Error> Invalid(const std::string& file, const toml::source_region& where,
                              const std::string& what, std::string action) {
  return Fail(ErrorKind::kInvalid, "CONFIG_INVALID",
              fmt::format("{}, line {}: {}", file, where.begin.line, what), std::move(action));
}

std::string FlagOf(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

// Those that a file can't have: which file it is, and what the help says.
bool IsNoSetting(std::string_view flag) {
  return flag == "--config" || flag == "--help";
}

bool IsGiven(const std::string& flag, const std::vector<std::string>& given) {
  return std::any_of(given.begin(), given.end(),
                     [&](const std::string& one) { return one == flag || one.starts_with(flag + "="); });
}

// How many letters have to change.
size_t Distance(std::string_view one, std::string_view other) {
  std::vector<size_t> row(other.size() + 1);
  for (size_t at = 0; at <= other.size(); ++at) row[at] = at;
  for (size_t i = 1; i <= one.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= other.size(); ++j) {
      const size_t changed = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string NearestSetting(const std::string& flag, const cli::Command& command) {
  std::string nearest;
  size_t least = 4;  // What is further away is another word.
  for (const cli::Option& option : command.options())
    for (const std::string& name : option.names())
      if (const size_t distance = Distance(flag, name);
          name.starts_with("--") && distance < least && !IsNoSetting(name)) {
        least = distance;
        nearest = name.substr(2);
      }
  return nearest.empty() ? "tradewind serve --help lists them" : "did you mean " + nearest + "?";
}

std::optional<std::string> TextOf(const toml::node& value) {
  if (const auto* text = value.as_string()) return text->get();
  if (const auto* number = value.as_integer()) return std::to_string(number->get());
  if (const auto* number = value.as_floating_point()) return fmt::format("{}", number->get());
  return std::nullopt;
}

Result<std::string> ReadConfig(const std::string& path) {
  if (auto text = cli::TextOfFile(path)) return *std::move(text);
  return Fail(ErrorKind::kNotFound, "CONFIG_NOT_READABLE",
              "the configuration file " + path + " cannot be read", "give the file with --config");
}

// The words after `serve`: its file, if one is named.
std::optional<std::string> ConfigIn(const std::vector<std::string>& given) {
  constexpr std::string_view kFlag = "--config";
  for (size_t at = 0; at < given.size(); ++at) {
    if (given[at] == kFlag && at + 1 < given.size()) return given[at + 1];
    if (given[at].starts_with(std::string(kFlag) + "=")) return given[at].substr(kFlag.size() + 1);
  }
  return std::nullopt;
}

Result<void> Check(const std::string& file) {
  cli::Arguments arguments("", "tradewind");
  cli::CommandLine line;
  const auto check = AddServeCommand(arguments.root(), line);
  TW_TRY_ASSIGN(std::vector<std::string> words, WithConfig({"serve", "--config", file}, arguments.root()));
  if (const auto mistake = arguments.MistakeIn(std::move(words)))
    return Fail(ErrorKind::kInvalid, "CONFIG_INVALID", fmt::format("{}: {}", file, *mistake),
                "tradewind serve --help says what each takes");
  return check();
}

}  // namespace

Result<std::vector<std::string>> ConfigArguments(std::string_view toml, const std::string& file,
                                                 const cli::Command& command,
                                                 const std::vector<std::string>& given) {
  toml::table settings;
  try {
    settings = toml::parse(toml, file);
  } catch (const toml::parse_error& error) {
    return Invalid(file, error.source(), std::string(error.description()), "mend it there");
  }
  std::vector<std::string> arguments;
  for (const auto& [key, value] : settings) {
    const std::string flag = FlagOf(std::string(key.str()));
    const std::optional<cli::Option> option = command.FindOption(flag);
    if (!option || IsNoSetting(flag))
      return Invalid(file, key.source(), fmt::format("there is no setting {}", key.str()),
                     NearestSetting(flag, command));
    if (IsGiven(flag, given)) continue;
    if (!option->takes_value()) {
      const auto* on = value.as_boolean();
      if (!on)
        return Invalid(file, value.source(), fmt::format("{} is true or false", key.str()),
                       "write it without quotes");
      if (on->get()) arguments.push_back(flag);
    } else if (const toml::array* list = value.as_array(); list && option->may_be_repeated()) {
      for (const toml::node& one : *list) {
        const auto text = TextOf(one);
        if (!text)
          return Invalid(file, one.source(), fmt::format("{} is a list of texts", key.str()),
                         "put each into quotes");
        if (text->empty())
          return Invalid(file, one.source(), fmt::format("one of {} is empty", key.str()), "leave it out");
        arguments.push_back(flag + "=" + *text);
      }
    } else {
      const auto text = TextOf(value);
      if (!text)
        return Invalid(file, value.source(), fmt::format("{} is a text or a number", key.str()),
                       "put it into quotes");
      if (text->empty())
        return Invalid(file, value.source(), fmt::format("{} is empty", key.str()), "leave the line out");
      arguments.push_back(flag + "=" + *text);
    }
  }
  return arguments;
}

Result<std::vector<std::string>> WithConfig(std::vector<std::string> arguments, const cli::Command& app) {
  const auto serve = std::find(arguments.begin(), arguments.end(), "serve");
  if (serve == arguments.end()) return arguments;
  const std::vector<std::string> given(serve + 1, arguments.end());
  const std::optional<std::string> file = ConfigIn(given);
  if (!file) return arguments;
  TW_TRY_ASSIGN(const std::string toml, ReadConfig(*file));
  TW_TRY_ASSIGN(const std::vector<std::string> more, ConfigArguments(toml, *file, app.Find("serve"), given));
  arguments.insert(serve + 1, more.begin(), more.end());
  return arguments;
}

void AddConfigCommand(cli::Command app, cli::CommandLine& line) {
  const cli::Command config = app.AddCommand("config", "The configuration file of a node");
  config.RequireCommand();
  const cli::Command check = config.AddCommand("check", "Say whether a node could start with the file");
  auto file = std::make_shared<std::string>();
  check.AddOption("FILE", *file, "The file that tradewind serve --config would be given").Required();
  check.OnGiven([&line, file] {
    line.action = [file] {
      if (const Result<void> checked = Check(*file); !checked) return cli::Report(checked.error());
      fmt::print("{} is in order\n", *file);
      return cli::ExitCode::kDone;
    };
  });
}

}  // namespace tradewind::program
