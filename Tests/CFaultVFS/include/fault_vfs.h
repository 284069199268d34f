// A disk that fails on demand: a layer above SQLite's own VFS (https://www.sqlite.org/vfs.html) for
// the files of chosen databases. Everything else in the process goes past it.
//
// All functions may be called from any thread.
#pragma once

#include <stddef.h>

/// What is under one database.
typedef struct fault_disk fault_disk;

/// The calls that can fail, and that are recorded.
enum fault_kind {
  FAULT_OPEN = 1 << 0,
  FAULT_READ = 1 << 1,
  FAULT_WRITE = 1 << 2,
  FAULT_TRUNCATE = 1 << 3,
  FAULT_SYNC = 1 << 4,
  FAULT_DELETE = 1 << 5,
  FAULT_ACCESS = 1 << 6,
  FAULT_FILE_SIZE = 1 << 7,
  FAULT_LOCK = 1 << 8,
  FAULT_SHM_MAP = 1 << 9,
  FAULT_SHM_LOCK = 1 << 10
};

/// The files of a database.
enum fault_file {
  FAULT_DATABASE = 1 << 0,
  FAULT_WAL = 1 << 1,
  FAULT_JOURNAL = 1 << 2
};

/// What was done to a file, in the order in which it was done.
typedef struct fault_entry {
  /// FAULT_OPEN (only when it made the file), FAULT_WRITE, FAULT_TRUNCATE, FAULT_SYNC, FAULT_DELETE.
  unsigned kind;
  unsigned file;
  /// Whether the call failed; of a write that failed, the bytes that were written all the same.
  int failed;
  /// Of a write; the new size of a truncation.
  long long offset;
  /// Of a write.
  const unsigned char *bytes;
  size_t length;
} fault_entry;

/// Watches a database, its write-ahead log and its rollback journal, when they are opened from now on.
/// Above the layer of Sources/CLogVFS only connections that have this layer are watched.
fault_disk *fault_disk_create(const char *path, int is_above_log_vfs);

/// Ends it; files that are still open hold what they need.
void fault_disk_release(fault_disk *disk);

/// Makes the nth call (from 1 on) of these kinds on these files answer a code, and when it persists
/// all that follow too. A write that fails writes its first half, as a full disk may.
void fault_disk_arm(
    fault_disk *disk, unsigned kinds, unsigned files, long nth, int code, int persists);

/// Lets all calls through.
void fault_disk_disarm(fault_disk *disk);

/// How many calls have failed since the disk was last armed.
long fault_disk_fired(fault_disk *disk);

/// Records from now on what is done to the files.
void fault_disk_record(fault_disk *disk);

/// How many entries there are.
size_t fault_disk_entry_count(fault_disk *disk);

/// An entry, whose bytes live as long as the disk.
fault_entry fault_disk_entry(fault_disk *disk, size_t index);

/// The code that SQLite's own VFS answers when a call of this kind fails.
int fault_natural_code(unsigned kind);

/// SQLITE_FULL.
int fault_code_full(void);

/// Sets sqlite3_hard_heap_limit64, of the whole process; 0 for none.
void fault_heap_limit(long long bytes);

/// sqlite3_memory_used, of the whole process.
long long fault_heap_used(void);
