#define _GNU_SOURCE

#include "process.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

static int argument_count;
static char **arguments;

// glibc hands constructors what it hands `main`.
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
  argument_count = count;
  arguments = values;
}

int process_argument_count(void) { return argument_count; }

const char *process_argument(int index) { return arguments[index]; }

int process_processor_count(void) {
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0) return CPU_COUNT(&processors);
  return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

void process_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
