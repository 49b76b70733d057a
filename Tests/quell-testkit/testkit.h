#ifndef TESTKIT_H
#define TESTKIT_H

#include <sys/socket.h>
#include <sys/types.h>

// Says what failed on what, and ends with status 1.
_Noreturn void die(const char *tried, const char *subject);
// Writes one line to standard output in one write(2).
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Sleeps until a signal ends the process.
_Noreturn void rest(void);
// fork(2) that dies instead of failing.
pid_t spawn(void);
// Moves the calling process into a cgroup folder.
void join_cgroup(const char *folder);
// Reads a count of at least `least`, or ends with status 64.
int number(int count, char **arguments, int index, int least);

// The address of a host in digits, either family, or the end.
socklen_t name_of(const char *host, int port, struct sockaddr_storage *name);
// The port that a socket is bound to.
int port_of(int fd);
// A TCP connection, or the end.
int connect_to(const char *host, int port);

int sleepers(int count, char **arguments);
int forkstorm(int count, char **arguments);
int doublefork(int count, char **arguments);
int new_session(int count, char **arguments);
int retitle(int count, char **arguments);
int move_cgroup(int count, char **arguments);
int empty_environment(int count, char **arguments);
int stuck_in_vfork(int count, char **arguments);
int thread_elsewhere(int count, char **arguments);
int zombie_leader(int count, char **arguments);
int subreaper(int count, char **arguments);
int adversary(int count, char **arguments);
int ticker(int count, char **arguments);
int hog(int count, char **arguments);
int disk_writer(int count, char **arguments);
int hold_file(int count, char **arguments);
int hold_memfd(int count, char **arguments);
int peer(int count, char **arguments);
int client(int count, char **arguments);
int flood(int count, char **arguments);
int take_socket(int count, char **arguments);
int give_socket(int count, char **arguments);
int packet_socket(int count, char **arguments);
int hold_lock(int count, char **arguments);
int own_network(int count, char **arguments);
int serve(int count, char **arguments);
int call(int count, char **arguments);
int crowd(int count, char **arguments);
int piped(int count, char **arguments);
int lock_file(int count, char **arguments);
int kernel_fault(int count, char **arguments);
int write_when_told(int count, char **arguments);
int trace(int count, char **arguments);
int serve_file(int count, char **arguments);
int slow_arguments(int count, char **arguments);
int slow_member(int count, char **arguments);
int hold_memory(int count, char **arguments);
int memory(int count, char **arguments);
int stuck_reader(int count, char **arguments);

#endif
