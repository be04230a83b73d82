// What calls the scalar functions that are built into SQLite, so that a call with large arguments need not hold its
// thread. SQLite looks up a function once, when a statement is compiled; what is exchanged here is the code behind
// its entry, and nothing of what the planner knows of it (LIKE and GLOB go on using indexes).
//
// C, because the other side is compiled with SQLite's own source. Only with the bundled SQLite.
#pragma once

#include <sqlite3.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*tw_function)(sqlite3_context* context, int count, sqlite3_value** arguments);
// Called in place of `original`, whose SQL name is `name`. `bytes`: of all text and blobs among the arguments.
typedef void (*tw_interceptor)(const char* name, tw_function original, sqlite3_int64 bytes,
                               sqlite3_context* context, int count, sqlite3_value** arguments);

// From now on `interceptor` is called for functions with at least `least_bytes` of arguments, and for those that
// make much of little (randomblob, printf, ...). Once, after sqlite3_initialize() and before the first connection.
void tw_intercept_functions(sqlite3_int64 least_bytes, tw_interceptor interceptor);

// The same for the LIKE that PRAGMA case_sensitive_like has given a connection of its own.
void tw_intercept_like(sqlite3* connection);

// From now on `work` is called now and then for what SQLite does within one call, or one instruction, without taking
// memory or asking for a page: it compiles, and compares the rows of a sort. `amount` is about how many tokens, nodes,
// instructions and comparisons there were; long ones count for more.
void tw_count_work(void (*work)(unsigned amount));
// Forgets what has been counted since `work` was last called on this thread: so what follows is the same each time.
void tw_count_anew(void);

// From now on `kibibytes` says what a table that a statement keeps apart (for DISTINCT, UNION, a materialised CTE) may have
// in memory; the rest of it goes to a file.
void tw_size_ephemeral_caches(int (*kibibytes)(void));

// Of LIKE and GLOB, behind sqlite3_user_data(). 0: there is none.
struct tw_wildcards {
  unsigned char all, one, set, ignores_case;
};

#ifdef __cplusplus
}
#endif
