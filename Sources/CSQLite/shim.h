#pragma once

#include <sqlite3.h>

// sqlite3_config and sqlite3_db_config are variadic, and Swift cannot call variadic C functions.

/// SQLite's mutexes as they are by themselves.
static inline sqlite3_mutex_methods *conversationd_mutexes(void) {
  static sqlite3_mutex_methods mutexes;
  return &mutexes;
}

static inline void conversationd_enter_mutex(sqlite3_mutex *mutex) {
  // About as long as a call of fcntl takes, under which one of them is held.
  for (int attempt = 0; attempt < 100; attempt++) {
    if (conversationd_mutexes()->xMutexTry(mutex) == SQLITE_OK) return;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
  }
  conversationd_mutexes()->xMutexEnter(mutex);
}

/// Sets up the library for many threads, before the first connection; see Library.swift.
static inline int conversationd_configure(void) {
  // It chooses its mutexes when it is initialized, and takes others while it is not.
  int code = sqlite3_initialize();
  if (code == SQLITE_OK) code = sqlite3_shutdown();
  if (code == SQLITE_OK) code = sqlite3_config(SQLITE_CONFIG_GETMUTEX, conversationd_mutexes());
  sqlite3_mutex_methods mutexes = *conversationd_mutexes();
  mutexes.xMutexEnter = conversationd_enter_mutex;
  if (code == SQLITE_OK) code = sqlite3_config(SQLITE_CONFIG_MUTEX, &mutexes);
  if (code == SQLITE_OK) code = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  return code;
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
