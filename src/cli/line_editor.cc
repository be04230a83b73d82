#include "cli/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstring>
#include <utility>

namespace tradewind::cli {

struct LineEditor::State {
  EditLine* editor = nullptr;
  History* history = nullptr;
  std::string history_file;
  std::string prompt;
  bool interrupted = false;
};

namespace {

constexpr int kHistoryLines = 1000;

LineEditor::State& StateOf(EditLine* editor) {
  void* state = nullptr;
  el_get(editor, EL_CLIENTDATA, &state);
  return *static_cast<LineEditor::State*>(state);
}

char* PromptOf(EditLine* editor) {
  return StateOf(editor).prompt.data();
}

unsigned char Interrupt(EditLine* editor, int) {
  StateOf(editor).interrupted = true;
  return CC_EOF;
}

// libedit drops letters that its locale has not, and SQL is UTF-8. A program begins with the locale C, whatever the user's is.
void TakeUtf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

LineEditor::LineEditor(std::string history_file) : state_(std::make_unique<State>()) {
  TakeUtf8();
  State& state = *state_;
  state.history_file = std::move(history_file);
  state.editor = el_init("tradewind", stdin, stdout, stderr);
  state.history = history_init();
  HistEvent event{};
  history(state.history, &event, H_SETSIZE, kHistoryLines);
  history(state.history, &event, H_SETUNIQUE, 1);
  if (!state.history_file.empty()) history(state.history, &event, H_LOAD, state.history_file.c_str());
  EditLine* const editor = state.editor;
  el_set(editor, EL_CLIENTDATA, &state);
  el_set(editor, EL_PROMPT, PromptOf);
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_HIST, history, state.history);
  // While a line is edited Ctrl-C is a key like any other; while a statement runs it is a signal again.
  el_set(editor, EL_SETTY, "-d", "-isig", nullptr);
  el_set(editor, EL_ADDFN, "tw-interrupt", "Give up this line", Interrupt);
  el_set(editor, EL_BIND, "^C", "tw-interrupt", nullptr);
  el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_source(editor, nullptr);  // The user's own keys: ~/.editrc
}

LineEditor::~LineEditor() {
  history_end(state_->history);
  el_end(state_->editor);
}

LineEditor::Input LineEditor::Read(const std::string& prompt, std::string& line) {
  state_->prompt = prompt;
  state_->interrupted = false;
  int length = 0;
  // Before the prompt is shown, so that Ctrl-C and Ctrl-D are keys from then on: el_gets alone shows it first.
  el_set(state_->editor, EL_PREP_TERM, 1);
  const char* const text = el_gets(state_->editor, &length);
  if (state_->interrupted) {
    std::fputs("^C\n", stdout);
    el_reset(state_->editor);
    return Input::kInterrupted;
  }
  if (text == nullptr || length <= 0) return Input::kEnd;
  line.assign(text, static_cast<size_t>(length));
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  return Input::kLine;
}

void LineEditor::Remember(const std::string& text) {
  HistEvent event{};
  history(state_->history, &event, H_ENTER, text.c_str());
  if (state_->history_file.empty()) return;
  const mode_t mask = umask(0077);
  history(state_->history, &event, H_SAVE, state_->history_file.c_str());
  umask(mask);
}

}  // namespace tradewind::cli
