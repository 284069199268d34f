#pragma once

#include <stddef.h>

/// A file of the repository, as it was when the binary was built.
struct conversationd_file {
  /// From the repository's top.
  const char *path;
  const unsigned char *bytes;
  size_t byteCount;
};

/// The n-th file of the list in files.c.
///
/// Returns a file whose path is NULL when the list is shorter.
struct conversationd_file conversationd_embedded_file(size_t index);
