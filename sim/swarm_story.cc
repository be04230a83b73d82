// What a swarm tells of a run: who did what to which tenant, what failed, and which check found something wrong.
#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <string>

#include "sim/swarm.h"

namespace tradewind::sim {

namespace {

constexpr size_t kMostLines = 150;
constexpr size_t kMostColumns = 200;

std::string Shortened(std::string line) {
  if (line.size() > kMostColumns) line = line.substr(0, kMostColumns) + " ...";
  return line;
}

}  // namespace

std::string Swarm::NameOfMove(const std::string& id) {
  return moves_.try_emplace(id, fmt::format("move {}", moves_.size() + 1)).first->second;
}

std::string Swarm::InPlainWords(std::string line) const {
  static const std::regex kMove("(move )?\\b(m[0-9a-f]{32})\\b");
  std::string plain;
  std::smatch found;
  while (std::regex_search(line, found, kMove)) {
    const auto known = moves_.find(found[2]);
    plain += found.prefix();
    plain += known == moves_.end() ? "a drain's move " + found[2].str().substr(0, 6) : known->second;
    line = found.suffix();
  }
  // Each request has a number of its own; without it, what is asked again and again is told once.
  static const std::regex kRequest("\\bid=\\S+ ");
  return Shortened(std::regex_replace(plain + line, kRequest, ""));
}

std::vector<std::string> Swarm::Story() const {
  std::vector<std::string> lines;
  std::string last;
  size_t repeated = 0;
  const auto end_repeats = [&] {
    if (repeated > 0) lines.push_back(fmt::format("{:>14}(the same {} times more)", "", repeated));
    repeated = 0;
  };
  for (const Event& event : events_) {
    const std::string line = InPlainWords(event.line);
    if (line == last) {
      ++repeated;
      continue;
    }
    end_repeats();
    last = line;
    const auto at = std::chrono::duration<double>(event.at - runtime::TimePoint{}).count();
    lines.push_back(fmt::format("{:9.4f} s  {}{}", at, event.of_node ? "    " : "", line));
  }
  end_repeats();
  if (lines.size() > kMostLines) {
    const size_t left_out = lines.size() - kMostLines;
    // The first two say what the cluster is.
    lines.erase(lines.begin() + 2, lines.begin() + 2 + static_cast<ptrdiff_t>(left_out));
    lines.insert(lines.begin() + 2, fmt::format("{:>14}... {} lines before", "", left_out));
  }
  for (const std::string& finding : findings_) lines.push_back("WRONG: " + InPlainWords(finding));
  return lines;
}

}  // namespace tradewind::sim
