#define _GNU_SOURCE

#include "process.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// What a server takes: HUP reads the certificate again, INT and TERM stop it, USR1 and USR2 do nothing.
#define SERVER_SIGNALS(use) use(SIGHUP) use(SIGINT) use(SIGTERM) use(SIGUSR1) use(SIGUSR2)

static int argument_count;
static char **arguments;

// glibc hands constructors what it hands `main`.
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
  argument_count = count;
  arguments = values;
}

// Runs before the constructors of every library: a signal that comes while a server starts waits until
// the server takes it. By the system call itself, since the sanitizers replace sigprocmask(3) with a
// function that does not work yet at this point.
__attribute__((no_sanitize("address", "thread"))) static void hold_server_signals(
    int count, char **values, char **environment) {
  (void)environment;
  if (count < 2 || strcmp(values[1], "serve") != 0) return;
#define BIT(number) | UINT64_C(1) << (number - 1)
  uint64_t held = 0 SERVER_SIGNALS(BIT);
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &held, NULL, sizeof held);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_all)(
    int, char **, char **) = hold_server_signals;

int process_argument_count(void) { return argument_count; }

const char *process_argument(int index) { return arguments[index]; }

int process_processor_count(void) {
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0) return CPU_COUNT(&processors);
  return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

void process_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

sigset_t process_hold_server_signals(void) {
  sigset_t held;
  sigemptyset(&held);
#define ADD(number) if (!process_ignores_signal(number)) sigaddset(&held, number);
  SERVER_SIGNALS(ADD)
  pthread_sigmask(SIG_BLOCK, &held, NULL);
  return held;
}

bool process_ignores_signal(int number) {
  struct sigaction action;
  return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

// What the handler removes; NULL for nothing.
static char *volatile interrupted_file;
static char *volatile interrupted_folder;
static bool is_handled[NSIG];

static void remove_and_exit(int number) {
  if (interrupted_file) unlink(interrupted_file);
  if (interrupted_folder) rmdir(interrupted_folder);
  // As a shell counts it.
  _exit(128 + number);
}

void process_begin_removing(const char *file, const char *folder) {
  process_end_removing();
  interrupted_file = strdup(file);
  interrupted_folder = folder ? strdup(folder) : NULL;
  static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
  for (size_t index = 0; index < sizeof numbers / sizeof *numbers; index++) {
    is_handled[numbers[index]] = !process_ignores_signal(numbers[index]);
    if (is_handled[numbers[index]]) signal(numbers[index], remove_and_exit);
  }
}

void process_end_removing(void) {
  for (int number = 1; number < NSIG; number++) {
    if (is_handled[number]) signal(number, SIG_DFL);
    is_handled[number] = false;
  }
  free(interrupted_file);
  free(interrupted_folder);
  interrupted_file = interrupted_folder = NULL;
}
