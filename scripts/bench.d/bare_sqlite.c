// What SQLite can do at all with this schema: changes conversations in a loop, without HTTP and
// with nobody to answer, by the settings of Sources/SQLiteStore/Writer.swift. The plain form has a
// savepoint for each change and sets pairs by UPSERT; the tuned form is Writer.swift's.
#include <inttypes.h>
#include <log_vfs.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PAIRS_MAX = 16, KEY_MAX = 256, ID_LENGTH = 53, VALUE_LENGTH = 20, ITEM_LENGTH = 1024 };

static sqlite3 *database;
static sqlite3_stmt *begin, *commit, *savepoint, *release;
static sqlite3_stmt *select_number, *select_pairs, *insert_conversation;
static sqlite3_stmt *upsert_pair, *update_pair, *insert_pair;
static sqlite3_stmt *update_activity, *insert_item;
static int is_tuned;

static void check(int code) {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
  fprintf(stderr, "bare_sqlite: %s\n", sqlite3_errmsg(database));
  exit(1);
}

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *statement;
  check(sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL));
  return statement;
}

static void run(sqlite3_stmt *statement) {
  check(sqlite3_step(statement));
  check(sqlite3_reset(statement));
}

static void open_database(const char *path) {
  // As conversationd does.
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  check(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        is_tuned ? conversationd_log_vfs() : NULL));
  check(sqlite3_exec(database,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384;"
                     "PRAGMA wal_autocheckpoint = 4000;",
                     NULL, NULL, NULL));
  begin = prepare("BEGIN IMMEDIATE");
  commit = prepare("COMMIT");
  savepoint = prepare("SAVEPOINT request");
  release = prepare("RELEASE request");
  select_number = prepare("SELECT number FROM conversations WHERE id = :id AND project = :project");
  select_pairs = prepare(
      "SELECT key, value FROM metadata WHERE conversation = :conversation ORDER BY key");
  upsert_pair = prepare(
      "INSERT INTO metadata (project, conversation, key, value)"
      " VALUES (:project, :conversation, :key, :value)"
      " ON CONFLICT (conversation, key) DO UPDATE SET value = excluded.value");
  update_pair = prepare(
      "UPDATE metadata SET value = :value WHERE conversation = :conversation AND key = :key");
  insert_pair = prepare(
      "INSERT INTO metadata (project, conversation, key, value)"
      " VALUES (:project, :conversation, :key, :value)");
  insert_conversation = prepare(
      "INSERT INTO conversations (project, id, created_at) VALUES (:project, :id, :created_at)");
  update_activity = prepare(
      "UPDATE activity SET last_activity = max(last_activity, :microseconds)"
      " WHERE conversation = :conversation");
  insert_item = prepare(
      "INSERT INTO items (conversation, project, id, type, created_at, fields)"
      " VALUES (:conversation, :project, :id, :type, :created_at, :fields)");
}

static int64_t number_of(const char *id) {
  check(sqlite3_bind_text(select_number, 1, id, ID_LENGTH, SQLITE_TRANSIENT));
  sqlite3_bind_int64(select_number, 2, 1);
  int64_t number =
      sqlite3_step(select_number) == SQLITE_ROW ? sqlite3_column_int64(select_number, 0) : 0;
  check(sqlite3_reset(select_number));
  return number;
}

static void store(int64_t number, const char *key, const char *value, int is_known) {
  if (is_tuned && is_known) {
    check(sqlite3_bind_text(update_pair, 1, value, VALUE_LENGTH, SQLITE_TRANSIENT));
    sqlite3_bind_int64(update_pair, 2, number);
    check(sqlite3_bind_text(update_pair, 3, key, (int)strlen(key), SQLITE_TRANSIENT));
    run(update_pair);
    return;
  }
  sqlite3_stmt *statement = is_tuned ? insert_pair : upsert_pair;
  sqlite3_bind_int64(statement, 1, 1);
  sqlite3_bind_int64(statement, 2, number);
  check(sqlite3_bind_text(statement, 3, key, (int)strlen(key), SQLITE_TRANSIENT));
  check(sqlite3_bind_text(statement, 4, value, VALUE_LENGTH, SQLITE_TRANSIENT));
  run(statement);
}

// Gives the first pairs of a conversation the new value, where they have another one.
static void update(const char *id, int pairs, int changed, const char *value) {
  char keys[PAIRS_MAX][KEY_MAX + 1];
  char values[PAIRS_MAX][VALUE_LENGTH + 1];
  int64_t number = number_of(id);
  sqlite3_bind_int64(select_pairs, 1, number);
  int found = 0;
  while (found < PAIRS_MAX && sqlite3_step(select_pairs) == SQLITE_ROW) {
    snprintf(keys[found], sizeof keys[0], "%s", sqlite3_column_text(select_pairs, 0));
    snprintf(values[found], sizeof values[0], "%s", sqlite3_column_text(select_pairs, 1));
    found++;
  }
  check(sqlite3_reset(select_pairs));
  if (found != pairs) {
    fprintf(stderr, "bare_sqlite: %d pairs, not %d: %.*s\n", found, pairs, ID_LENGTH, id);
    exit(1);
  }
  for (int pair = 0; pair < changed; pair++)
    if (strcmp(values[pair], value) != 0) store(number, keys[pair], value, 1);
}

// Adds items of 1 KB to a conversation.
static void append(const char *conversation, int items) {
  static char fields[ITEM_LENGTH + 1];
  if (fields[0] == 0) {
    const char *start = "{\"status\":\"completed\",\"role\":\"user\",\"content\":"
                        "[{\"type\":\"input_text\",\"text\":\"";
    memset(fields, 'x', ITEM_LENGTH);
    memcpy(fields, start, strlen(start));
    memcpy(fields + ITEM_LENGTH - 4, "\"}]}", 5);
  }
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int64_t number = number_of(conversation);
  sqlite3_bind_int64(update_activity, 1, now.tv_sec * 1000000 + now.tv_nsec / 1000);
  sqlite3_bind_int64(update_activity, 2, number);
  run(update_activity);
  for (int item = 0; item < items; item++) {
    char id[ID_LENGTH + 1];
    snprintf(id, sizeof id, "msg_%08" PRIx64 "%010" PRIx64 "%030" PRIx64, (int64_t)now.tv_sec,
             (int64_t)random(), (int64_t)random() << 31 | random());
    sqlite3_bind_int64(insert_item, 1, number);
    sqlite3_bind_int64(insert_item, 2, 1);
    check(sqlite3_bind_text(insert_item, 3, id, -1, SQLITE_TRANSIENT));
    check(sqlite3_bind_text(insert_item, 4, "message", -1, SQLITE_STATIC));
    sqlite3_bind_int64(insert_item, 5, now.tv_sec);
    check(sqlite3_bind_text(insert_item, 6, fields, ITEM_LENGTH, SQLITE_TRANSIENT));
    run(insert_item);
  }
}

// Stores a conversation whose id sorts after all others.
static void create(int pairs, int64_t sent, const char *value) {
  static int64_t seconds;
  if (seconds == 0) seconds = time(NULL);
  char id[ID_LENGTH + 1];
  snprintf(id, sizeof id, "conv_%08" PRIx64 "%010" PRIx64 "%030" PRIx64, seconds, sent,
           (int64_t)random() << 31 | random());
  sqlite3_bind_int64(insert_conversation, 1, 1);
  check(sqlite3_bind_text(insert_conversation, 2, id, ID_LENGTH, SQLITE_TRANSIENT));
  sqlite3_bind_int64(insert_conversation, 3, seconds);
  run(insert_conversation);
  int64_t number = sqlite3_last_insert_rowid(database);
  for (int pair = 1; pair <= pairs; pair++) {
    char key[KEY_MAX];
    snprintf(key, sizeof key, "key%02d", pair);
    store(number, key, value, 0);
  }
}

static char *read_lines(const char *path, size_t *count) {
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  size_t bytes = (size_t)ftell(file);
  rewind(file);
  char *text = malloc(bytes);
  *count = fread(text, 1, bytes, file) / (ID_LENGTH + 1);
  fclose(file);
  return text;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double processor_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
  if (count == 2 && strcmp(arguments[1], "--version") == 0) {
    puts(sqlite3_libversion());
    return 0;
  }
  if (count != 11) {
    fprintf(stderr, "usage: bare_sqlite update|create|append DATABASE IDS PAIRS CHANGED GROUP SECONDS"
                    " SEED ENDING plain|tuned\n");
    return 64;
  }
  int creates = strcmp(arguments[1], "create") == 0;
  int appends = strcmp(arguments[1], "append") == 0;
  is_tuned = strcmp(arguments[10], "tuned") == 0;
  open_database(arguments[2]);
  size_t ids_count;
  const char *ids = read_lines(arguments[3], &ids_count);
  int pairs = atoi(arguments[4]), changed = atoi(arguments[5]), group = atoi(arguments[6]);
  double seconds = atof(arguments[7]);
  srandom((unsigned)atoi(arguments[8]));

  // The write-ahead log of a fresh copy is new: the first groups, which make it longer, do not count.
  double start = now() + 0.2, end = start + seconds, busy = 0;
  int64_t sent = 0, sent_before = 0;
  for (double time = now(); time < end; time = now()) {
    if (sent_before == 0 && time >= start) {
      sent_before = sent;
      start = time;
      busy = processor_seconds();
    }
    run(begin);
    for (int place = 0; place < group; place++) {
      char value[VALUE_LENGTH + 1];
      sent++;
      snprintf(value, sizeof value, "%09" PRId64 "%s", 100000000 + sent * 61803399 % 100000000,
               arguments[9]);
      if (!is_tuned) run(savepoint);
      if (creates)
        create(pairs, sent, value);
      else if (appends)
        append(ids + (size_t)random() % ids_count * (ID_LENGTH + 1), changed);
      else
        update(ids + (size_t)random() % ids_count * (ID_LENGTH + 1), pairs, changed, value);
      if (!is_tuned) run(release);
    }
    run(commit);
  }
  busy = processor_seconds() - busy;
  printf("{\"requests\":%" PRId64 ",\"seconds\":%.6f,\"cpu_us\":%.3f}\n", sent - sent_before,
         now() - start, busy / (double)(sent - sent_before) * 1e6);
  // The log stays as it is, as that of a server stays between two rounds.
}
