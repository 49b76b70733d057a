#include "testkit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void die(const char *tried, const char *subject) {
    fprintf(stderr, "quell-testkit: %s %s: %s\n", tried, subject, strerror(errno));
    exit(1);
}

void say(const char *format, ...) {
    va_list values;
    va_start(values, format);
    char line[512];
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (write(STDOUT_FILENO, line, (size_t)length) < 0) die("write", "standard output");
}

_Noreturn void rest(void) {
    for (;;) pause();
}

pid_t spawn(void) {
    pid_t child = fork();
    if (child < 0) die("fork", "");
    return child;
}

void join_cgroup(const char *folder) {
    char path[4096];
    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) die("open", path);
    if (write(descriptor, "0", 1) != 1) die("join", path);
    close(descriptor);
}

int number(int count, char **arguments, int index, int least) {
    if (index >= count) exit(64);
    char *end = NULL;
    long value = strtol(arguments[index], &end, 10);
    if (*end != '\0' || value < least || value > 1000000) exit(64);
    return (int)value;
}
