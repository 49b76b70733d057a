// Victims and adversaries for the tests: one binary, one subcommand each. A subcommand writes one line that begins with
// "ready" to standard output when it is in the state its name says, so that a test waits for an event and never sleeps.
#include "testkit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct command {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *usage;
};

// Puts itself into cgroups and becomes another program: the program's first instruction runs inside them.
static int enter(int count, char **arguments) {
    int index = 0;
    for (; index < count && strcmp(arguments[index], "--") != 0; index++) join_cgroup(arguments[index]);
    if (index + 1 >= count) return 64;
    execv(arguments[index + 1], arguments + index + 1);
    die("exec", arguments[index + 1]);
}

static const struct command commands[] = {
    {"enter", enter, "CGROUP... -- PROGRAM [ARGUMENT...]"},
    {"sleepers", sleepers, "N [--threads T]"},
    {"forkstorm", forkstorm, "N"},
    {"doublefork", doublefork, ""},
    {"setsid", new_session, ""},
    {"retitle", retitle, "MARK"},
    {"movecgroup", move_cgroup, "CGROUP"},
    {"emptyenv", empty_environment, ""},
    {"vfork", stuck_in_vfork, ""},
    {"threadgroup", thread_elsewhere, "V1-CGROUP"},
    {"zombieleader", zombie_leader, ""},
    {"subreaper", subreaper, ""},
    {"adversary", adversary, "+SECONDS CGROUP..."},
    {"ticker", ticker, ""},
    {"hog", hog, "N"},
    {"writer", disk_writer, "PATH"},
    {"holdfile", hold_file, "PATH"},
    {"memfd", hold_memfd, ""},
    {"peer", peer, "PORT [ADDRESS] (0 chooses one; SIGUSR1 writes the count)"},
    {"client", client, "HOST PORT"},
    {"flood", flood, "HOST PORT [message|ring|closed]"},
    {"takesocket", take_socket, "PATH"},
    {"givesocket", give_socket, "PATH HOST PORT"},
    {"packetsocket", packet_socket, "NETWORK-NAMESPACE"},
    {"holdlock", hold_lock, "HOST PORT"},
    {"ownnetwork", own_network, "[--leave] [--weak]"},
    {"serve", serve, "PATH|tcp [NAME]"},
    {"call", call, "PATH | HOST PORT"},
    {"crowd", crowd, "N"},
    {"piped", piped, "CGROUP"},
    {"lockfile", lock_file, "PATH [wait]"},
    {"kernelfault", kernel_fault, ""},
    {"writewhentold", write_when_told, "PATH FIFO"},
    {"trace", trace, "PID"},
    {"servefile", serve_file, "FOLDER [--no-reads] (SIGUSR1 writes the count, SIGUSR2 makes it mute)"},
    {"slowargs", slow_arguments, "SERVER FOLDER N"},
    {"slowmember", slow_member, "FILE PIPE PADDING"},
    {"holdmemory", hold_memory, "PARENT"},
    {"memory", memory, "[--maps N] [--sieve N] [--file PATH] [--twin] [--sleepy]"},
    {"stuck", stuck_reader, "SERVER FOLDER N"},
};

int main(int count, char **arguments) {
    for (size_t index = 0; index < sizeof commands / sizeof *commands; index++) {
        if (count < 2 || strcmp(arguments[1], commands[index].name) != 0) continue;
        return commands[index].run(count - 2, arguments + 2);
    }
    for (size_t index = 0; index < sizeof commands / sizeof *commands; index++) {
        fprintf(stderr, "usage: quell-testkit %s %s\n", commands[index].name, commands[index].usage);
    }
    return 64;
}
