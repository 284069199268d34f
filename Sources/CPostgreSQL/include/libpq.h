#pragma once

#include <stdbool.h>

// The part of libpq that Sources/PostgreSQL uses, declared here instead of by PostgreSQL's header:
// the library is loaded when it is first needed, so neither building nor running on SQLite needs
// any of PostgreSQL. These names and numbers are libpq's binary interface, which has kept them
// since its version 5 (https://www.postgresql.org/docs/current/libpq.html).

typedef struct conversationd_pg_conn PGconn;
typedef struct conversationd_pg_result PGresult;
typedef unsigned int Oid;
typedef void (*PQnoticeReceiver)(void *context, const PGresult *notice);

/// One option of a connection string.
typedef struct {
  char *keyword;
  char *envvar;
  char *compiled;
  /// NULL when the string does not set it.
  char *val;
  char *label;
  char *dispchar;
  int dispsize;
} PQconninfoOption;

enum {
  PQ_CONNECTION_OK = 0,
  PQ_COMMAND_OK = 1,
  PQ_TUPLES_OK = 2,
  PQ_PIPELINE_SYNC = 10,
  PQ_PIPELINE_ABORTED = 11,
};

/// Each function: what it returns, its name, its parameters.
#define CONVERSATIOND_LIBPQ_FUNCTIONS(F)                                                           \
  F(PQconninfoOption *, PQconninfoParse, (const char *text, char **error))                         \
  F(void, PQconninfoFree, (PQconninfoOption * options))                                            \
  F(PGconn *, PQconnectdbParams,                                                                   \
    (const char *const *keywords, const char *const *values, int expandsDatabaseName))             \
  F(void, PQfinish, (PGconn * connection))                                                         \
  F(int, PQstatus, (const PGconn *connection))                                                     \
  F(int, PQsocket, (const PGconn *connection))                                                     \
  F(char *, PQerrorMessage, (const PGconn *connection))                                            \
  F(const char *, PQparameterStatus, (const PGconn *connection, const char *name))                 \
  F(int, PQserverVersion, (const PGconn *connection))                                              \
  F(PQnoticeReceiver, PQsetNoticeReceiver,                                                         \
    (PGconn * connection, PQnoticeReceiver receiver, void *context))                               \
  F(int, PQsetnonblocking, (PGconn * connection, int isNonblocking))                               \
  F(int, PQenterPipelineMode, (PGconn * connection))                                               \
  F(int, PQexitPipelineMode, (PGconn * connection))                                                \
  F(int, PQpipelineSync, (PGconn * connection))                                                    \
  F(int, PQflush, (PGconn * connection))                                                           \
  F(int, PQconsumeInput, (PGconn * connection))                                                    \
  F(int, PQisBusy, (PGconn * connection))                                                          \
  F(PGresult *, PQexec, (PGconn * connection, const char *sql))                                    \
  F(int, PQsendPrepare,                                                                            \
    (PGconn * connection, const char *name, const char *sql, int count, const Oid *types))         \
  F(int, PQsendQueryParams,                                                                        \
    (PGconn * connection, const char *sql, int count, const Oid *types,                            \
     const char *const *values, const int *lengths, const int *formats, int resultFormat))         \
  F(int, PQsendQueryPrepared,                                                                      \
    (PGconn * connection, const char *name, int count, const char *const *values,                  \
     const int *lengths, const int *formats, int resultFormat))                                    \
  F(PGresult *, PQgetResult, (PGconn * connection))                                                \
  F(int, PQresultStatus, (const PGresult *result))                                                 \
  F(char *, PQresultErrorField, (const PGresult *result, int field))                               \
  F(char *, PQcmdStatus, (PGresult * result))                                                      \
  F(int, PQntuples, (const PGresult *result))                                                      \
  F(int, PQgetisnull, (const PGresult *result, int row, int column))                               \
  F(int, PQgetlength, (const PGresult *result, int row, int column))                               \
  F(char *, PQgetvalue, (const PGresult *result, int row, int column))                             \
  F(void, PQclear, (PGresult * result))

#define CONVERSATIOND_LIBPQ_FIELD(type, name, parameters) type(*name) parameters;

/// libpq's functions, by their names.
struct conversationd_libpq {
  CONVERSATIOND_LIBPQ_FUNCTIONS(CONVERSATIOND_LIBPQ_FIELD)
};

/// Loads a library and finds its functions. It is never unloaded.
///
/// Returns false when there is no such library, or when it lacks a function, whose name is then in
/// `*missing`.
bool conversationd_load_libpq(
    const char *library, struct conversationd_libpq *functions, const char **missing);
