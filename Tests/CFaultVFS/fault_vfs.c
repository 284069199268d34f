#include "fault_vfs.h"

#include <log_vfs.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct fault_disk {
  fault_disk *next;
  char *path;
  int place;
  // Of the owner and of each open file; guarded by `registry`.
  int references;

  // Guards what follows.
  pthread_mutex_t lock;
  unsigned kinds, files;
  long nth, count, fired;
  int code, persists;
  int records;
  fault_entry *entries;
  size_t entry_count, entry_capacity;
};

// An open file: SQLite's own file stands behind it in the same memory.
typedef struct fault_sqlite_file {
  sqlite3_file base;
  fault_disk *disk;
  unsigned file;
} fault_sqlite_file;

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static fault_disk *disks;

// A layer below that of Sources/CLogVFS, for everybody, and one above it.
enum { BELOW, ABOVE };
static sqlite3_vfs layers[2];
static sqlite3_vfs *next[2];

// MARK: Disks

static void *required(void *memory) {
  if (!memory) abort();
  return memory;
}

static int is_suffix(const char *text) {
  return !*text || strcmp(text, "-wal") == 0 || strcmp(text, "-journal") == 0;
}

// A layer between the two hands its own VFS on.
static int place_of(sqlite3_vfs *vfs) { return vfs == &layers[ABOVE] ? ABOVE : BELOW; }

// The disk that a path lies on, with a reference for the caller; NULL for all other paths.
static fault_disk *disk_of(const char *path, int place) {
  fault_disk *found = NULL;
  pthread_mutex_lock(&registry);
  for (fault_disk *disk = disks; path && disk && !found; disk = disk->next) {
    size_t length = strlen(disk->path);
    int matches = strncmp(path, disk->path, length) == 0 && is_suffix(path + length);
    if (matches && disk->place == place) found = disk;
  }
  if (found) found->references++;
  pthread_mutex_unlock(&registry);
  return found;
}

static void drop(fault_disk *disk) {
  pthread_mutex_lock(&registry);
  int isLast = --disk->references == 0;
  pthread_mutex_unlock(&registry);
  if (!isLast) return;
  for (size_t i = 0; i < disk->entry_count; i++) free((void *)disk->entries[i].bytes);
  free(disk->entries);
  free(disk->path);
  pthread_mutex_destroy(&disk->lock);
  free(disk);
}

// The code that this call has to fail with, or SQLITE_OK.
static int fault(fault_disk *disk, unsigned kind, unsigned file) {
  int code = SQLITE_OK;
  pthread_mutex_lock(&disk->lock);
  if ((disk->kinds & kind) && (disk->files & file)) {
    disk->count++;
    if (disk->count == disk->nth || (disk->persists && disk->count > disk->nth)) {
      code = disk->code;
      disk->fired++;
    }
  }
  pthread_mutex_unlock(&disk->lock);
  return code;
}

static void record(fault_disk *disk, fault_entry entry) {
  pthread_mutex_lock(&disk->lock);
  if (disk->records) {
    if (disk->entry_count == disk->entry_capacity) {
      disk->entry_capacity = disk->entry_capacity * 2 + 64;
      disk->entries =
          required(realloc(disk->entries, disk->entry_capacity * sizeof *disk->entries));
    }
    if (entry.length > 0) {
      entry.bytes = memcpy(required(malloc(entry.length)), entry.bytes, entry.length);
    }
    disk->entries[disk->entry_count++] = entry;
  }
  pthread_mutex_unlock(&disk->lock);
}

// MARK: Files

static fault_sqlite_file *mine(sqlite3_file *file) { return (fault_sqlite_file *)file; }

static sqlite3_file *real(sqlite3_file *file) {
  return (sqlite3_file *)((char *)file + sizeof(fault_sqlite_file));
}

static int fault_on(sqlite3_file *file, unsigned kind) {
  return fault(mine(file)->disk, kind, mine(file)->file);
}

static void record_on(sqlite3_file *file, fault_entry entry) {
  entry.file = mine(file)->file;
  record(mine(file)->disk, entry);
}

static int file_close(sqlite3_file *file) {
  int code = real(file)->pMethods ? real(file)->pMethods->xClose(real(file)) : SQLITE_OK;
  drop(mine(file)->disk);
  return code;
}

static int file_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
  int code = fault_on(file, FAULT_READ);
  return code ? code : real(file)->pMethods->xRead(real(file), bytes, count, offset);
}

static int file_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
  int code = fault_on(file, FAULT_WRITE);
  if (code) count /= 2;
  int written = real(file)->pMethods->xWrite(real(file), bytes, count, offset);
  if (written == SQLITE_OK) {
    record_on(file, (fault_entry){.kind = FAULT_WRITE, .failed = code != SQLITE_OK,
        .offset = offset, .bytes = bytes, .length = (size_t)count});
  }
  return code ? code : written;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
  int code = fault_on(file, FAULT_TRUNCATE);
  if (!code) code = real(file)->pMethods->xTruncate(real(file), size);
  if (!code) record_on(file, (fault_entry){.kind = FAULT_TRUNCATE, .offset = size});
  return code;
}

// What counts as on disk is what was recorded here: the machine's own disk need not be waited for.
static int file_sync(sqlite3_file *file, int flags) {
  (void)flags;
  int code = fault_on(file, FAULT_SYNC);
  record_on(file, (fault_entry){.kind = FAULT_SYNC, .failed = code != SQLITE_OK});
  return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
  int code = fault_on(file, FAULT_FILE_SIZE);
  return code ? code : real(file)->pMethods->xFileSize(real(file), size);
}

static int file_lock(sqlite3_file *file, int level) {
  int code = fault_on(file, FAULT_LOCK);
  return code ? code : real(file)->pMethods->xLock(real(file), level);
}

static int file_unlock(sqlite3_file *file, int level) {
  return real(file)->pMethods->xUnlock(real(file), level);
}

static int file_check_lock(sqlite3_file *file, int *isReserved) {
  return real(file)->pMethods->xCheckReservedLock(real(file), isReserved);
}

static int file_control(sqlite3_file *file, int operation, void *argument) {
  return real(file)->pMethods->xFileControl(real(file), operation, argument);
}

static int file_sector_size(sqlite3_file *file) {
  return real(file)->pMethods->xSectorSize(real(file));
}

static int file_characteristics(sqlite3_file *file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int file_shm_map(
    sqlite3_file *file, int region, int size, int extends, void volatile **memory) {
  int code = fault_on(file, FAULT_SHM_MAP);
  if (!code) return real(file)->pMethods->xShmMap(real(file), region, size, extends, memory);
  *memory = NULL;
  return code;
}

// A lock is given back whatever happens, as close(2) does.
static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
  int code = flags & SQLITE_SHM_UNLOCK ? SQLITE_OK : fault_on(file, FAULT_SHM_LOCK);
  return code ? code : real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file) { real(file)->pMethods->xShmBarrier(real(file)); }

static int file_shm_unmap(sqlite3_file *file, int deletes) {
  return real(file)->pMethods->xShmUnmap(real(file), deletes);
}

// Version 2: without xFetch nothing is read past this layer by way of mmap(2).
static const sqlite3_io_methods methods = {
    2, file_close, file_read, file_write, file_truncate, file_sync, file_size, file_lock,
    file_unlock, file_check_lock, file_control, file_sector_size, file_characteristics,
    file_shm_map, file_shm_lock, file_shm_barrier, file_shm_unmap, NULL, NULL};

// MARK: The VFS

static unsigned file_named(const char *name) {
  size_t length = strlen(name);
  if (length > 4 && strcmp(name + length - 4, "-wal") == 0) return FAULT_WAL;
  if (length > 8 && strcmp(name + length - 8, "-journal") == 0) return FAULT_JOURNAL;
  return FAULT_DATABASE;
}

static int vfs_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flagsOut) {
  sqlite3_vfs *below = next[place_of(vfs)];
  int isOfDatabase = flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
  fault_disk *disk = isOfDatabase ? disk_of(name, place_of(vfs)) : NULL;
  if (!disk) return below->xOpen(below, name, file, flags, flagsOut);

  unsigned kind = file_named(name);
  int wasThere = 1;
  int code = fault(disk, FAULT_OPEN, kind);
  if (!code) code = below->xAccess(below, name, SQLITE_ACCESS_EXISTS, &wasThere);
  if (!code) {
    memset(real(file), 0, (size_t)below->szOsFile);
    code = below->xOpen(below, name, real(file), flags, flagsOut);
  }
  if (code) {
    file->pMethods = NULL;
    drop(disk);
    return code;
  }
  file->pMethods = &methods;
  mine(file)->disk = disk;
  mine(file)->file = kind;
  if (!wasThere) record_on(file, (fault_entry){.kind = FAULT_OPEN});
  return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int syncsFolder) {
  sqlite3_vfs *below = next[place_of(vfs)];
  fault_disk *disk = disk_of(name, place_of(vfs));
  if (!disk) return below->xDelete(below, name, syncsFolder);
  int code = fault(disk, FAULT_DELETE, file_named(name));
  if (!code) code = below->xDelete(below, name, syncsFolder);
  if (!code) record(disk, (fault_entry){.kind = FAULT_DELETE, .file = file_named(name)});
  drop(disk);
  return code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *answer) {
  sqlite3_vfs *below = next[place_of(vfs)];
  fault_disk *disk = disk_of(name, place_of(vfs));
  if (!disk) return below->xAccess(below, name, flags, answer);
  int code = fault(disk, FAULT_ACCESS, file_named(name));
  drop(disk);
  return code ? code : below->xAccess(below, name, flags, answer);
}

static void install_layer(int place, sqlite3_vfs *below, const char *name) {
  sqlite3_vfs *layer = &layers[place];
  next[place] = required(below);
  // All that is not a file goes to the functions of the VFS below, which know it by its pAppData.
  *layer = *below;
  layer->pNext = NULL;
  layer->zName = name;
  layer->szOsFile = (int)sizeof(fault_sqlite_file) + below->szOsFile;
  layer->xOpen = vfs_open;
  layer->xDelete = vfs_delete;
  layer->xAccess = vfs_access;
  if (sqlite3_vfs_register(layer, place == BELOW) != SQLITE_OK) abort();
}

// Before anybody opens a database. The one above takes the name of what it lies on: SQLite finds
// the VFS that was registered last.
__attribute__((constructor)) static void install(void) {
  install_layer(BELOW, sqlite3_vfs_find(NULL), "fault");
  const char *name = required((void *)conversationd_log_vfs());
  install_layer(ABOVE, sqlite3_vfs_find(name), name);
}

// MARK: For tests

fault_disk *fault_disk_create(const char *path, int is_above_log_vfs) {
  fault_disk *disk = required(calloc(1, sizeof *disk));
  disk->path = required(strdup(path));
  disk->place = is_above_log_vfs ? ABOVE : BELOW;
  disk->references = 1;
  pthread_mutex_init(&disk->lock, NULL);
  pthread_mutex_lock(&registry);
  disk->next = disks;
  disks = disk;
  pthread_mutex_unlock(&registry);
  return disk;
}

void fault_disk_release(fault_disk *disk) {
  pthread_mutex_lock(&registry);
  fault_disk **link = &disks;
  while (*link != disk) link = &(*link)->next;
  *link = disk->next;
  pthread_mutex_unlock(&registry);
  drop(disk);
}

void fault_disk_arm(
    fault_disk *disk, unsigned kinds, unsigned files, long nth, int code, int persists) {
  pthread_mutex_lock(&disk->lock);
  disk->kinds = kinds;
  disk->files = files;
  disk->nth = nth;
  disk->code = code;
  disk->persists = persists;
  disk->count = disk->fired = 0;
  pthread_mutex_unlock(&disk->lock);
}

void fault_disk_disarm(fault_disk *disk) {
  pthread_mutex_lock(&disk->lock);
  disk->kinds = 0;
  pthread_mutex_unlock(&disk->lock);
}

long fault_disk_fired(fault_disk *disk) {
  pthread_mutex_lock(&disk->lock);
  long fired = disk->fired;
  pthread_mutex_unlock(&disk->lock);
  return fired;
}

void fault_disk_record(fault_disk *disk) {
  pthread_mutex_lock(&disk->lock);
  disk->records = 1;
  pthread_mutex_unlock(&disk->lock);
}

size_t fault_disk_entry_count(fault_disk *disk) {
  pthread_mutex_lock(&disk->lock);
  size_t count = disk->entry_count;
  pthread_mutex_unlock(&disk->lock);
  return count;
}

fault_entry fault_disk_entry(fault_disk *disk, size_t index) {
  pthread_mutex_lock(&disk->lock);
  if (index >= disk->entry_count) abort();
  fault_entry entry = disk->entries[index];
  pthread_mutex_unlock(&disk->lock);
  return entry;
}

int fault_natural_code(unsigned kind) {
  switch (kind) {
    case FAULT_OPEN: return SQLITE_CANTOPEN;
    case FAULT_READ: return SQLITE_IOERR_READ;
    case FAULT_WRITE: return SQLITE_IOERR_WRITE;
    case FAULT_TRUNCATE: return SQLITE_IOERR_TRUNCATE;
    case FAULT_SYNC: return SQLITE_IOERR_FSYNC;
    case FAULT_DELETE: return SQLITE_IOERR_DELETE;
    case FAULT_ACCESS: return SQLITE_IOERR_ACCESS;
    case FAULT_FILE_SIZE: return SQLITE_IOERR_FSTAT;
    case FAULT_LOCK: return SQLITE_IOERR_LOCK;
    case FAULT_SHM_MAP: return SQLITE_IOERR_SHMMAP;
    case FAULT_SHM_LOCK: return SQLITE_IOERR_SHMLOCK;
    default: return SQLITE_IOERR;
  }
}

int fault_code_full(void) { return SQLITE_FULL; }

void fault_heap_limit(long long bytes) { sqlite3_hard_heap_limit64(bytes); }

long long fault_heap_used(void) { return sqlite3_memory_used(); }
