#pragma once

#include <jansson.h>

// json_decref and json_typeof are a static inline function and a macro; the macro needs a name.

/// The kind of a value, which `json_typeof` reads from the struct.
static inline json_type conversationd_json_typeof(const json_t *value) {
  return json_typeof(value);
}
