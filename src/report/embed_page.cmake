# Writes OUTPUT, the C++ that defines what page.h declares, from the files in PAGE. Run by the build with cmake -P.
function(literal file variable)
  file(READ ${PAGE}/${file} text)
  if(text MATCHES "\\)tw_page\"")
    message(FATAL_ERROR "${file} has the mark that ends its literal")
  endif()
  set(${variable} "R\"tw_page(${text})tw_page\"" PARENT_SCOPE)
endfunction()

literal(report.html template)
literal(report.css style)
string(REPLACE "," ";" names "${SCRIPTS}")
set(scripts "")
foreach(name ${names})
  literal(${name} script)
  string(APPEND scripts "    ${script},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"report/page.h\"

namespace tradewind::report::page {

const std::string_view kTemplate = ${template};
const std::string_view kStyle = ${style};
constexpr std::string_view kScriptParts[] = {
${scripts}};
const std::span<const std::string_view> kScripts = kScriptParts;

}  // namespace tradewind::report::page
")
