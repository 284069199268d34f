// A wall clock that is wrong by as many seconds as a file says, for a program that loads this first
// (LD_PRELOAD). Clocks that only count stay as they are.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static const volatile int64_t *seconds_off;

__attribute__((constructor)) static void start(void) {
  real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int file = open(getenv("CLOCK_FILE"), O_RDONLY | O_CLOEXEC);
  void *page = mmap(NULL, sizeof *seconds_off, PROT_READ, MAP_SHARED, file, 0);
  // Rather no program than one with another clock than the test means.
  if (!real_clock_gettime || page == MAP_FAILED) abort();
  seconds_off = page;
}

int clock_gettime(clockid_t clock, struct timespec *result) {
  // Others may ask before `start`.
  if (!real_clock_gettime)
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int status = real_clock_gettime(clock, result);
  if (status == 0 && seconds_off && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    result->tv_sec += *seconds_off;
  return status;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  result->tv_sec = now.tv_sec;
  result->tv_usec = now.tv_nsec / 1000;
  return 0;
}
