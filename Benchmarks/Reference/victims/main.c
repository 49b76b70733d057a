// What the benchmarks act on, and what loads the machine meanwhile. Each writes "ready" when it is under way.
//
//     reference-victims sleepers N CGROUP...     N processes inside the cgroup folders
//     reference-victims sender PORT CGROUP...    sends 1400 bytes to 127.0.0.1 every half millisecond, from inside them
//     reference-victims hogs N                   N processes that only burn time
//     reference-victims memory N CGROUP...       writes N MiB of memory, inside the cgroup folders
//     reference-victims room N CGROUP...         maps 8 GiB and writes N MiB of it
//     reference-victims writer PATH              one MiB after another with fsync, in a file of 256 MiB
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void die(const char *tried) {
    perror(tried);
    exit(1);
}

static void ready(void) {
    if (write(STDOUT_FILENO, "ready\n", 6) != 6) die("write");
}

static void join(const char *folder) {
    char path[4096];
    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "0", 1) != 1) die(path);
    close(file);
}

static void start(int wanted, void (*body)(void)) {
    for (int index = 0; index < wanted; index++) {
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child == 0) body();
    }
}

static _Noreturn void rest(void) {
    for (;;) pause();
}

static void burn(void) {
    for (volatile uint64_t turn = 0;; turn++) {}
}

static _Noreturn void send_for_ever(int port) {
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
    ready();
    static char bytes[1400];
    while (send(fd, bytes, sizeof bytes, 0) > 0) usleep(500);
    rest();
}

static _Noreturn void write_for_ever(const char *path) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) die(path);
    static char block[1 << 20];
    for (size_t index = 0; index < sizeof block; index++) block[index] = (char)(index * 2654435761u >> 13);
    for (uint64_t turn = 0;; turn++) {
        if (pwrite(file, block, sizeof block, (off_t)(turn % 256 * sizeof block)) < 0 || fsync(file) != 0) die(path);
        if (turn == 0) ready();
    }
}

// A quarter each of zeros, text, what looks like pointers, and noise, as the memory of programs has them.
static void touch_memory(int wanted, size_t room) {
    size_t size = (size_t)wanted << 20;
    char *memory = mmap(NULL, size + room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) die("map");
    uint64_t state = 1;
    for (size_t block = 0; block < size; block += 1 << 16) {
        uint64_t *words = (uint64_t *)(memory + block);
        for (size_t index = 0; index < (1 << 16) / sizeof *words; index++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            switch (block >> 16 & 3) {
            case 0: words[index] = 0; break;
            case 1: memcpy(&words[index], &"{\"role\": \"user\", \"content\": \"list the files\"}"[state >> 60 << 1], 8); break;
            case 2: words[index] = 0x7f0000000000 + (state >> 44 << 4); break;
            default: words[index] = state ^ state >> 29;
            }
        }
    }
}

int main(int count, char **arguments) {
    if (count < 3) return 64;
    if (strcmp(arguments[1], "writer") == 0) write_for_ever(arguments[2]);
    int wanted = atoi(arguments[2]);
    for (int index = 3; index < count; index++) join(arguments[index]);
    if (strcmp(arguments[1], "sleepers") == 0) {
        // This process is one of them.
        start(wanted - 1, rest);
    } else if (strcmp(arguments[1], "sender") == 0) {
        send_for_ever(wanted);
    } else if (strcmp(arguments[1], "memory") == 0) {
        touch_memory(wanted, 0);
    } else if (strcmp(arguments[1], "room") == 0) {
        touch_memory(wanted, ((size_t)8 << 30) - ((size_t)wanted << 20));
    } else if (strcmp(arguments[1], "hogs") == 0) {
        start(wanted, burn);
    } else {
        return 64;
    }
    ready();
    rest();
}
