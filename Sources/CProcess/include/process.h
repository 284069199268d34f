#pragma once

#include <signal.h>
#include <stdbool.h>

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

/// Blocks the signals that a server takes by sigwait(3), in the calling thread and those that it
/// starts. A process whose first argument is `serve` has done so before anything else.
///
/// Those that the process was started to ignore are not among them.
///
/// - Returns: The signals, to wait for.
sigset_t process_hold_server_signals(void);

/// Whether a signal is ignored now.
bool process_ignores_signal(int number);

/// Lets SIGHUP, SIGINT and SIGTERM remove a file, and then a folder unless it is NULL, before they end the
/// process; what the process was started to ignore stays ignored. Called by one thread at a time.
void process_begin_removing(const char *file, const char *folder);

/// Lets the signals end the process as they do by default.
void process_end_removing(void);
