// A disk that fails as a file says, for a program that loads this first (LD_PRELOAD). Calls on a
// file whose path ends with `suffix` fail with `error`.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SYNC = 1, WRITE = 2, READ = 4, OPEN = 8, TRUNCATE = 16 };

// `faults.py` has the same.
struct fault {
  int calls;  // which of the above; 0 for none
  int error;
  int skip;  // how many calls still succeed
  int hits;  // how many have failed
  char suffix[64];
};

static volatile struct fault *fault;

__attribute__((constructor)) static void start(void) {
  int file = open(getenv("FAULTS_FILE"), O_RDWR | O_CLOEXEC);
  void *page = mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  // Rather no program than one with another disk than the test means.
  if (page == MAP_FAILED) abort();
  close(file);
  fault = page;
}

static int ends_with_suffix(const char *path, size_t length) {
  size_t count = strlen((const char *)fault->suffix);
  return length >= count && memcmp(path + length - count, (const char *)fault->suffix, count) == 0;
}

static int fails(void) {
  if (__atomic_fetch_sub(&fault->skip, 1, __ATOMIC_SEQ_CST) > 0) return 0;
  __atomic_fetch_add(&fault->hits, 1, __ATOMIC_SEQ_CST);
  errno = fault->error;
  return 1;
}

static int fails_on(int call, int descriptor) {
  if (!fault || !(fault->calls & call)) return 0;
  char link[32], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path);
  return length > 0 && ends_with_suffix(path, length) && fails();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int descriptor) { return fails_on(SYNC, descriptor) ? -1 : REAL(fsync)(descriptor); }

int fdatasync(int descriptor) {
  return fails_on(SYNC, descriptor) ? -1 : REAL(fdatasync)(descriptor);
}

int ftruncate(int descriptor, off_t size) {
  return fails_on(TRUNCATE, descriptor) ? -1 : REAL(ftruncate)(descriptor, size);
}

int ftruncate64(int descriptor, off64_t size) {
  return fails_on(TRUNCATE, descriptor) ? -1 : REAL(ftruncate64)(descriptor, size);
}

// A disk or a quota that becomes full takes a part of what is written.
static size_t part(size_t count) {
  return fault->error == ENOSPC || fault->error == EDQUOT ? count / 2 : 0;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  if (!fails_on(WRITE, descriptor)) return REAL(write)(descriptor, bytes, count);
  return part(count) ? REAL(write)(descriptor, bytes, part(count)) : -1;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  if (!fails_on(WRITE, descriptor)) return REAL(pwrite)(descriptor, bytes, count, offset);
  return part(count) ? REAL(pwrite)(descriptor, bytes, part(count), offset) : -1;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  if (!fails_on(WRITE, descriptor)) return REAL(pwrite64)(descriptor, bytes, count, offset);
  return part(count) ? REAL(pwrite64)(descriptor, bytes, part(count), offset) : -1;
}

ssize_t read(int descriptor, void *bytes, size_t count) {
  return fails_on(READ, descriptor) ? -1 : REAL(read)(descriptor, bytes, count);
}

ssize_t pread(int descriptor, void *bytes, size_t count, off_t offset) {
  return fails_on(READ, descriptor) ? -1 : REAL(pread)(descriptor, bytes, count, offset);
}

ssize_t pread64(int descriptor, void *bytes, size_t count, off64_t offset) {
  return fails_on(READ, descriptor) ? -1 : REAL(pread64)(descriptor, bytes, count, offset);
}

static int fails_to_open(const char *path) {
  return fault && (fault->calls & OPEN) && ends_with_suffix(path, strlen(path)) && fails();
}

#define MODE                           \
  va_list arguments;                   \
  va_start(arguments, flags);          \
  mode_t mode = va_arg(arguments, int); \
  va_end(arguments)

int open(const char *path, int flags, ...) {
  MODE;
  return fails_to_open(path) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE;
  return fails_to_open(path) ? -1 : REAL(open64)(path, flags, mode);
}
