// The compiler copies each file into the binary (#embed of C23), and compiles this again when one of
// them has changed. SwiftPM's own way (.embedInCode) makes a Swift array literal of a file, for which
// the compiler takes 0.2 CPU seconds a kB.
//
// A new file needs an array and a line in the list, which is in the order of the paths.

#include "embedded.h"

static const unsigned char openapi[] = {
#embed "../API/openapi.json"
};
static const unsigned char migration_1[] = {
#embed "../../migrations/0001_create_conversations.sql"
};
static const unsigned char migration_2[] = {
#embed "../../migrations/0002_find_conversations.sql"
};
static const unsigned char migration_3[] = {
#embed "../../migrations/0003_remember_idempotency_keys.sql"
};
static const unsigned char migration_4[] = {
#embed "../../migrations/0004_create_api_keys.sql"
};
static const unsigned char migration_5[] = {
#embed "../../migrations/0005_remember_newest_deleted.sql"
};
static const unsigned char migration_6[] = {
#embed "../../migrations/0006_store_items.sql"
};
static const unsigned char migration_7[] = {
#embed "../../migrations/0007_keep_last_activity.sql"
};

static const struct conversationd_file files[] = {
    {"Sources/API/openapi.json", openapi, sizeof openapi},
    {"migrations/0001_create_conversations.sql", migration_1, sizeof migration_1},
    {"migrations/0002_find_conversations.sql", migration_2, sizeof migration_2},
    {"migrations/0003_remember_idempotency_keys.sql", migration_3, sizeof migration_3},
    {"migrations/0004_create_api_keys.sql", migration_4, sizeof migration_4},
    {"migrations/0005_remember_newest_deleted.sql", migration_5, sizeof migration_5},
    {"migrations/0006_store_items.sql", migration_6, sizeof migration_6},
    {"migrations/0007_keep_last_activity.sql", migration_7, sizeof migration_7},
};

struct conversationd_file conversationd_embedded_file(size_t index) {
  return index < sizeof files / sizeof *files ? files[index] : (struct conversationd_file){0};
}
