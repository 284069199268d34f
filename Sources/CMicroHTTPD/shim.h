#pragma once

#include <microhttpd.h>
// libmicrohttpd's TLS is GnuTLS's: it hands out the sessions, and asks for certificates in their form.
#include <gnutls/abstract.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

// MHD_start_daemon and MHD_get_connection_info are variadic, and Swift cannot call variadic C functions.

/// What the server sets; every callback of libmicrohttpd gets `context` as its first argument.
struct conversationd_daemon {
  void *context;
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

/// Starts a daemon that has no thread and no listening socket: it works in MHD_run_wait. NULL when that
/// fails.
static inline struct MHD_Daemon *conversationd_start_daemon(
    const struct conversationd_daemon *daemon) {
  struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
  struct MHD_OptionItem tls[] = {
      {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)daemon->certificate},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
      {MHD_OPTION_END, 0, NULL}};
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET
          | (daemon->certificate ? MHD_USE_TLS : 0),
      0, NULL, NULL,
      daemon->received, daemon->context,
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

// epoll(7) for the event loop around a daemon. glibc's headers declare epoll and eventfd, but Swift does
// not import them.

/// The epoll set in which a daemon waits; -1 when it has none.
static inline int conversationd_daemon_epoll(struct MHD_Daemon *daemon) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
  return info ? info->epoll_fd : -1;
}

/// Makes a descriptor that ends the wait of a daemon at each conversationd_wake, or an epoll set that ends
/// it when something happens in it. libmicrohttpd overlooks events that have no pointer.
///
/// - Returns: -1 with errno.
static inline int conversationd_add_waker(int epoll, bool is_set) {
  int waker = is_set ? epoll_create1(EPOLL_CLOEXEC) : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
  if (waker >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, waker, &event) != 0) {
    int code = errno;
    close(waker);
    errno = code;
    return -1;
  }
  return waker;
}

static inline void conversationd_wake(int waker) {
  eventfd_write(waker, 1);
}

/// Waits until something happens in an epoll set, without taking it out.
static inline void conversationd_wait(int epoll, int milliseconds) {
  struct pollfd descriptor = {.fd = epoll, .events = POLLIN};
  poll(&descriptor, 1, milliseconds);
}

/// Has an epoll set tell once when the peer of a socket has finished sending.
static inline void conversationd_watch_end(int epoll, int socket, void *context) {
  struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = context};
  epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

static inline void conversationd_forget_end(int epoll, int socket) {
  struct epoll_event event = {0};
  epoll_ctl(epoll, EPOLL_CTL_DEL, socket, &event);
}

/// Takes the contexts of sockets whose peers have finished sending.
///
/// - Returns: How many; there may be more when it is `count`, which is at most 64.
static inline int conversationd_take_ends(int epoll, void **contexts, int count) {
  struct epoll_event events[64];
  int found = epoll_wait(epoll, events, count, 0);
  for (int index = 0; index < found; index++) contexts[index] = events[index].data.ptr;
  return found;
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
