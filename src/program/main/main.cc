// The program `tradewind`.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "program/program.h"

int main(int argc, char** argv) {
  // Standard output belongs to results.
  spdlog::set_default_logger(spdlog::stderr_logger_mt("tradewind"));
  return tradewind::program::RunCommandLine(argc, argv);
}
