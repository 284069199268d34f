#pragma once

#include <sqlite3.h>

// sqlite3_config and sqlite3_db_config are variadic, and Swift cannot call variadic C functions.

/// Sets an SQLITE_CONFIG_… switch that takes an int.
static inline int conversationd_config(int option, int value) {
  return sqlite3_config(option, value);
}

/// Turns an SQLITE_DBCONFIG_… switch that takes an int and reports into an int on or off.
static inline int conversationd_db_config(sqlite3 *db, int option, int value) {
  int ignored = 0;
  return sqlite3_db_config(db, option, value, &ignored);
}

// SQLITE_TRANSIENT is a cast of -1 to a function pointer, which Swift does not import.

/// Binds a text of byteCount bytes, of which SQLite takes a copy. An empty Swift buffer may have no
/// address, which SQLite would take for NULL.
static inline int conversationd_bind_text(
    sqlite3_stmt *statement, int index, const char *text, sqlite3_uint64 byteCount) {
  return sqlite3_bind_text64(
      statement, index, text ? text : "", byteCount, SQLITE_TRANSIENT, SQLITE_UTF8);
}
