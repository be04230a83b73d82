# SQLite::SQLite3: by default the amalgamation that scripts/fetch-sqlite.sh leaves, compiled with what fits here;
# with TRADEWIND_SQLITE=system the one that Debian ships.
set(TRADEWIND_SQLITE bundled CACHE STRING "bundled (a pinned version, fetched by scripts/) or system (libsqlite3-dev)")
set_property(CACHE TRADEWIND_SQLITE PROPERTY STRINGS bundled system)

if(TRADEWIND_SQLITE STREQUAL system)
  find_package(SQLite3 REQUIRED)
  return()
endif()

set(folder ${PROJECT_SOURCE_DIR}/build-sqlite)
if(NOT EXISTS ${folder}/sqlite3.c)
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/fetch-sqlite.sh COMMAND_ERROR_IS_FATAL ANY)
endif()
add_library(tw_sqlite3 STATIC ${PROJECT_SOURCE_DIR}/src/sqlite/builtin_functions.c)
target_include_directories(tw_sqlite3 SYSTEM PUBLIC ${folder})
target_include_directories(tw_sqlite3 PRIVATE ${PROJECT_SOURCE_DIR}/src/sqlite)
# A connection is used by one thread at a time, and memory is counted where it is taken. Double-quoted strings stay
# on: schemas in the field use them. What follows is what Debian's has too, so that files and SQL mean the same.
target_compile_definitions(tw_sqlite3 PRIVATE
  SQLITE_THREADSAFE=2
  SQLITE_DEFAULT_MEMSTATUS=0
  SQLITE_DQS=3
  SQLITE_OMIT_SHARED_CACHE
  SQLITE_ENABLE_COLUMN_METADATA
  SQLITE_ENABLE_DBSTAT_VTAB
  SQLITE_ENABLE_FTS3
  SQLITE_ENABLE_FTS3_PARENTHESIS
  SQLITE_ENABLE_FTS4
  SQLITE_ENABLE_FTS5
  SQLITE_ENABLE_MATH_FUNCTIONS
  SQLITE_ENABLE_RTREE
  SQLITE_ENABLE_STMTVTAB
  SQLITE_ENABLE_UPDATE_DELETE_LIMIT
  SQLITE_LIKE_DOESNT_MATCH_BLOBS
  SQLITE_MAX_VARIABLE_NUMBER=250000
  SQLITE_SOUNDEX
  SQLITE_USE_URI
  HAVE_FDATASYNC=1 HAVE_ISNAN=1 HAVE_STRCHRNUL=1 HAVE_USLEEP=1 HAVE_GMTIME_R=1 HAVE_LOCALTIME_R=1)
target_compile_definitions(tw_sqlite3 PUBLIC TRADEWIND_BUNDLED_SQLITE)
target_compile_options(tw_sqlite3 PRIVATE -w)
if(TRADEWIND_SANITIZE)
  target_compile_options(tw_sqlite3 PRIVATE -fno-sanitize=undefined)  # Not our code to change.
endif()
target_link_libraries(tw_sqlite3 PUBLIC Threads::Threads ${CMAKE_DL_LIBS} m)
add_library(SQLite::SQLite3 ALIAS tw_sqlite3)
