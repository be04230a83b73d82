#include "mariadb/import.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "mariadb/backup_import.h"
#include "mariadb/dump_import.h"

namespace tradewind::mariadb {
namespace {

using namespace std::string_view_literals;

// How a stream of mbstream begins.
constexpr std::string_view kStream = "XBSTCK01";

// What is no SQL, by its first bytes.
Result<void> CheckIsSql(std::string_view beginning) {
  struct Format {
    std::string_view begins;
    const char* name;
    const char* action;
  };
  constexpr std::array kFormats{
      Format{"\x1f\x8b"sv, "compressed by gzip",
             "unpack it first, as in: zcat FILE | tradewind tenant import NAME -"},
      Format{"\x28\xb5\x2f\xfd"sv, "compressed by zstd",
             "unpack it first, as in: zstdcat FILE | tradewind tenant import NAME -"},
      Format{"\xfd\x37zXZ"sv, "compressed by xz",
             "unpack it first, as in: xzcat FILE | tradewind tenant import NAME -"},
      Format{"BZh"sv, "compressed by bzip2",
             "unpack it first, as in: bzcat FILE | tradewind tenant import NAME -"},
      Format{"SQLite format 3"sv, "an SQLite database", "import it without --engine mariadb"},
  };
  for (const Format& format : kFormats)
    if (beginning.starts_with(format.begins))
      return Fail(ErrorKind::kInvalid, "IMPORT_FORMAT_UNKNOWN",
                  fmt::format("the file is {}, and neither SQL nor a stream of mariadb-backup", format.name),
                  format.action);
  return {};
}

}  // namespace

Result<std::unique_ptr<Import>> Import::Begin(runtime::Core& core, const ServerPrograms& programs,
                                              Options options, Bytes beginning) {
  const std::string_view text(reinterpret_cast<const char*>(beginning.data()), beginning.size());
  const bool is_backup = text.starts_with(kStream);
  if (!is_backup) TW_TRY(CheckIsSql(text));
  auto import = is_backup ? NewBackupImport(core, programs, std::move(options))
                          : NewDumpImport(core, programs, std::move(options));
  if (auto started = import->Start(); !started) {
    import->End();
    return Fail(std::move(started).error());
  }
  return import;
}

}  // namespace tradewind::mariadb
