// Lines that a person types at a terminal, with editing and a history, on libedit.
#pragma once

#include <memory>
#include <string>

namespace tradewind::cli {

class LineEditor {
 public:
  // The history is read from the file, if it is there, and each line is added to it; with no file it lasts as long as
  // this. The file is the user's alone (0600).
  explicit LineEditor(std::string history_file);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class Input { kLine, kEnd, kInterrupted };
  // Blocks until a line is there (without its end), the input ends (Ctrl-D on an empty line), or Ctrl-C gives the line
  // up. Any thread, one at a time.
  Input Read(const std::string& prompt, std::string& line);
  // A line that was typed, or several that make one statement.
  void Remember(const std::string& text);

  struct State;  // Keeps libedit out of this header.

 private:
  std::unique_ptr<State> state_;
};

}  // namespace tradewind::cli
