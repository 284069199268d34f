// What libmicrohttpd can do at all: answers a constant of a given size to every GET, on event loops
// that run as those of conversationd do.
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct MHD_Response *constant;

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *target,
                              const char *method, const char *version, const char *content,
                              size_t *content_bytes, void **request) {
  (void)context, (void)target, (void)method, (void)version, (void)content, (void)content_bytes;
  // Called first when the header is there, and once more when the whole request is.
  if (*request == NULL) {
    *request = constant;
    return MHD_YES;
  }
  return MHD_queue_response(connection, MHD_HTTP_OK, constant);
}

int main(int count, char **arguments) {
  if (count == 2 && strcmp(arguments[1], "--version") == 0) {
    puts(MHD_get_version());
    return 0;
  }
  if (count != 4) {
    fprintf(stderr, "usage: bare_http PORT LOOPS BYTES\n");
    return 64;
  }
  unsigned loops = (unsigned)atoi(arguments[2]);
  size_t bytes = (size_t)atoi(arguments[3]);
  char *body = malloc(bytes);
  memset(body, 'x', bytes);
  constant = MHD_create_response_from_buffer(bytes, body, MHD_RESPMEM_PERSISTENT);
  MHD_add_response_header(constant, "Content-Type", "application/json");

  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(arguments[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct MHD_Daemon *daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, NULL,
      MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE, loops,
      MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_CONNECTION_TIMEOUT, 60u,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_END);
  if (daemon == NULL) {
    perror("bare_http");
    return 1;
  }
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
  printf("bare_http listening on http://127.0.0.1:%d\n", info->port);
  fflush(stdout);
  pause();
}
