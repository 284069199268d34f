#include "log_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

// SQLite's own VFS takes the length of a write modulo 0x20000 (os_unix.c, seekAndWriteFd).
enum { BUFFER_BYTES = 0x1ffff };
// https://www.sqlite.org/fileformat2.html#walformat
enum { FRAME_HEADER_BYTES = 24 };
// The lock of the one who writes to the log: https://www.sqlite.org/walformat.html, section 2.3.
enum { WRITE_LOCK = 0 };
// Tells a database's file of its log; SQLite leaves numbers over 100 to others.
enum { ATTACH_LOG = 0x636f6e76 };

// What the layer knows of a file. It stands behind the file of the VFS below, in the same memory.
typedef struct layer_file {
  // Of the VFS below.
  const sqlite3_io_methods *below;
  // The same, but for those that the layer needs to see.
  sqlite3_io_methods methods;
  // Of a database its log, of a log its database; NULL when that is not open.
  struct layer_file *other;

  // Of a log: what SQLite has written and the VFS below has not. It is whole frames of a transaction
  // that is not committed, and the beginning of one.
  char *buffer;
  int length;
  // Where it belongs in the file.
  sqlite3_int64 start;
  // Whether the frame that is being written commits.
  int commits;
} layer_file;

static sqlite3_vfs *below;
static sqlite3_vfs layer;

static layer_file *own(sqlite3_file *file) {
  return (layer_file *)((char *)file + layer.szOsFile - (int)sizeof(layer_file));
}

// MARK: The log

// Keeps what cannot be written: SQLite may go on with the transaction, and must meet the error again.
static int flush(sqlite3_file *file) {
  layer_file *log = own(file);
  if (log->length == 0) return SQLITE_OK;
  int code = log->below->xWrite(file, log->buffer, log->length, log->start);
  if (code == SQLITE_OK) log->length = 0;
  return code;
}

// Bytes 4 to 7 of a frame's header are not zero when the frame commits.
static int is_commit(const unsigned char *header) {
  return header[4] || header[5] || header[6] || header[7];
}

// A frame that commits is written at once: next, SQLite tells other processes to read it, and unless
// `synchronous` is FULL no call on the log comes before that. The header shows that a frame commits,
// so what follows is written through until the next header.
static int log_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
  layer_file *log = own(file);
  if (offset != log->start + log->length || count > BUFFER_BYTES - log->length) {
    int code = flush(file);
    if (code != SQLITE_OK) return code;
  }
  if (count > BUFFER_BYTES) return log->below->xWrite(file, bytes, count, offset);
  if (log->length == 0) log->start = offset;
  memcpy(log->buffer + log->length, bytes, (size_t)count);
  log->length += count;
  if (count == FRAME_HEADER_BYTES) log->commits = is_commit(bytes);
  int code = log->commits ? flush(file) : SQLITE_OK;
  // What SQLite is told has failed must not be written later.
  if (code != SQLITE_OK) log->length -= count;
  return code;
}

static int log_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
  int code = flush(file);
  return code != SQLITE_OK ? code : own(file)->below->xRead(file, bytes, count, offset);
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size) {
  int code = flush(file);
  return code != SQLITE_OK ? code : own(file)->below->xTruncate(file, size);
}

static int log_sync(sqlite3_file *file, int flags) {
  int code = flush(file);
  return code != SQLITE_OK ? code : own(file)->below->xSync(file, flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size) {
  int code = flush(file);
  return code != SQLITE_OK ? code : own(file)->below->xFileSize(file, size);
}

static int log_close(sqlite3_file *file) {
  layer_file *log = own(file);
  int code = flush(file);
  if (log->other) log->other->other = NULL;
  sqlite3_free(log->buffer);
  int closed = log->below->xClose(file);
  return code != SQLITE_OK ? code : closed;
}

// MARK: The database

// What is left in the buffer when the lock is given back is of a transaction that was rolled back.
// Written later, it would overwrite what another process has committed in its place meanwhile.
static int database_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
  layer_file *database = own(file);
  int ends = (flags & SQLITE_SHM_UNLOCK) && (flags & SQLITE_SHM_EXCLUSIVE) && offset == WRITE_LOCK;
  if (ends && database->other) database->other->length = 0;
  return database->below->xShmLock(file, offset, count, flags);
}

static int database_control(sqlite3_file *file, int operation, void *argument) {
  layer_file *database = own(file);
  if (operation != ATTACH_LOG) return database->below->xFileControl(file, operation, argument);
  layer_file *log = argument;
  database->other = log;
  log->other = database;
  return SQLITE_OK;
}

// MARK: The VFS

// Puts the layer's methods in the place of those of the VFS below.
static layer_file *take_over(sqlite3_file *file) {
  layer_file *taken = own(file);
  memset(taken, 0, sizeof *taken);
  taken->below = file->pMethods;
  taken->methods = *file->pMethods;
  // A newer SQLite may have more methods than its header of today.
  if (taken->methods.iVersion > 3) taken->methods.iVersion = 3;
  return taken;
}

static int open_log(const char *name, sqlite3_file *file) {
  layer_file *log = take_over(file);
  log->buffer = sqlite3_malloc(BUFFER_BYTES);
  if (!log->buffer) {
    log->below->xClose(file);
    file->pMethods = NULL;
    return SQLITE_NOMEM;
  }
  log->methods.xClose = log_close;
  log->methods.xRead = log_read;
  log->methods.xWrite = log_write;
  log->methods.xTruncate = log_truncate;
  log->methods.xSync = log_sync;
  log->methods.xFileSize = log_size;
  file->pMethods = &log->methods;
  sqlite3_file *database = sqlite3_database_file_object(name);
  return database->pMethods->xFileControl(database, ATTACH_LOG, log);
}

static void open_database(sqlite3_file *file) {
  layer_file *database = take_over(file);
  database->methods.xShmLock = database_shm_lock;
  database->methods.xFileControl = database_control;
  file->pMethods = &database->methods;
}

static int open_file(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out) {
  (void)vfs;
  int code = below->xOpen(below, name, file, flags, flags_out);
  if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) return open_log(name, file);
  if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB)) open_database(file);
  return code;
}

static void install(void) {
  below = sqlite3_vfs_find(NULL);
  if (!below) return;
  // All that is not a file goes to the functions of the VFS below.
  layer = *below;
  layer.pNext = NULL;
  layer.zName = "conversationd-log";
  layer.szOsFile = (below->szOsFile + 7) / 8 * 8 + (int)sizeof(layer_file);
  layer.xOpen = open_file;
  if (sqlite3_vfs_register(&layer, 0) != SQLITE_OK) below = NULL;
}

const char *conversationd_log_vfs(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  return below ? layer.zName : NULL;
}
