#pragma once

#include <microhttpd.h>
// libmicrohttpd's TLS is GnuTLS's: it hands out the sessions, and asks for certificates in their form.
#include <gnutls/abstract.h>

// MHD_start_daemon and MHD_get_connection_info are variadic, and Swift cannot call variadic C functions.

/// What the server sets; every callback of libmicrohttpd gets `context` as its first argument.
struct conversationd_daemon {
  void *context;
  unsigned int eventLoops;
  unsigned int connectionsMax;
  unsigned int idleTimeoutSeconds;
  size_t connectionMemoryBytes;
  MHD_NotifyConnectionCallback connectionChanged;
  void *(*started)(void *context, const char *target, struct MHD_Connection *connection);
  MHD_AccessHandlerCallback received;
  MHD_RequestCompletedCallback completed;
  size_t (*unescape)(void *context, struct MHD_Connection *connection, char *text);
  /// NULL for plain HTTP.
  gnutls_certificate_retrieve_function2 *certificate;
};

/// Starts the event loops, which wait for MHD_add_connection; NULL when that fails.
static inline struct MHD_Daemon *conversationd_start_daemon(
    const struct conversationd_daemon *daemon) {
  struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
  struct MHD_OptionItem tls[] = {
      {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)daemon->certificate},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
      {MHD_OPTION_END, 0, NULL}};
  return MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET
          | (daemon->certificate ? MHD_USE_TLS : 0),
      0, NULL, NULL,
      daemon->received, daemon->context,
      MHD_OPTION_THREAD_POOL_SIZE, daemon->eventLoops,
      MHD_OPTION_CONNECTION_LIMIT, daemon->connectionsMax,
      MHD_OPTION_CONNECTION_TIMEOUT, daemon->idleTimeoutSeconds,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, daemon->connectionMemoryBytes,
      MHD_OPTION_NOTIFY_CONNECTION, daemon->connectionChanged, daemon->context,
      MHD_OPTION_URI_LOG_CALLBACK, daemon->started, daemon->context,
      MHD_OPTION_NOTIFY_COMPLETED, daemon->completed, daemon->context,
      MHD_OPTION_UNESCAPE_CALLBACK, daemon->unescape, daemon->context,
      MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_ARRAY, daemon->certificate ? tls : plain,
      MHD_OPTION_END);
}

/// The socket of a connection, which stays libmicrohttpd's; -1 when it has none.
static inline int conversationd_connection_socket(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

/// What `connectionChanged` has left in the socket's context.
static inline void *conversationd_connection_context(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

/// How many bytes the request line and the header fields of a request have, with the empty line.
static inline size_t conversationd_connection_header_bytes(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  return info ? info->header_size : 0;
}

/// The TLS session of a connection; NULL for plain HTTP.
static inline gnutls_session_t conversationd_connection_session(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  return info ? (gnutls_session_t)info->tls_session : NULL;
}
