#include "version.h"

// A definition for this one file, so that a new commit compiles no other: Package.swift.
#ifndef CONVERSATIOND_COMMIT
#define CONVERSATIOND_COMMIT ""
#endif

const char *conversationd_commit(void) { return CONVERSATIOND_COMMIT; }
