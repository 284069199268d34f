#pragma once

// What the program was started with. Swift's CommandLine.arguments reads /proc/self/cmdline, which
// does not exist in every chroot.

/// How many arguments there are, the program's name included.
int process_argument_count(void);

/// An argument, 0 for the program's name.
const char *process_argument(int index);

/// How many processors this process may use (sched_getaffinity(2), which Swift does not import).
int process_processor_count(void);

/// Names the calling thread (pthread_setname_np(3), which Swift does not import); at most 15 characters.
void process_name_thread(const char *name);
