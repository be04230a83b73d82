// Renders results of `tradewind bench`, JSON on stdin, as the page on stdout.
#include <boost/json.hpp>
#include <iostream>
#include <iterator>
#include <string>

#include "report/report.h"

int main() {
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  boost::system::error_code failed;
  const boost::json::value results = boost::json::parse(text, failed);
  if (failed) {
    std::cerr << "render_results: stdin is not JSON: " << failed.message() << "\n";
    return 1;
  }
  std::cout << tradewind::report::RenderReport(results);
  return std::cout.flush() ? 0 : 1;
}
