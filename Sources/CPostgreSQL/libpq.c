#include "libpq.h"

#include <dlfcn.h>
#include <stddef.h>

struct entry {
  const char *name;
  size_t offset;
};

#define CONVERSATIOND_LIBPQ_ENTRY(type, name, parameters)                                          \
  {#name, offsetof(struct conversationd_libpq, name)},

static const struct entry entries[] = {CONVERSATIOND_LIBPQ_FUNCTIONS(CONVERSATIOND_LIBPQ_ENTRY)};

bool conversationd_load_libpq(
    const char *library, struct conversationd_libpq *functions, const char **missing) {
  *missing = NULL;
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) return false;
  for (size_t index = 0; index < sizeof entries / sizeof *entries; index++) {
    void *function = dlsym(handle, entries[index].name);
    if (!function) {
      *missing = entries[index].name;
      return false;
    }
    // POSIX lets a pointer to data hold a function's address; ISO C has no cast for it.
    *(void **)((char *)functions + entries[index].offset) = function;
  }
  return true;
}
