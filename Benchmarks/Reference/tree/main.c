// Makes a folder tree of a given size for the capture benchmark: a session's workspace, half text and half noise.
//
//     reference-tree FOLDER SEED BYTES FILES
//
// The same arguments always make the same bytes. Sizes are spread over four orders of magnitude, about a hundred files a
// folder. Prints the bytes and files made.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t state;

// xorshift64*, https://doi.org/10.18637/jss.v008.i14
static uint64_t next(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717u;
}

static const char *const words[] = {"the ", "agent ", "return ", "value ", "session ", "import ", "for ", "if ", "0x",
    "error ", "None\n", "file ", "= ", "self.", "(1, 2)\n", "true;\n"};

static void fill_text(char *block, size_t size) {
    for (size_t used = 0; used < size;) {
        uint64_t pick = next();
        const char *word = words[pick & 15];
        char number[24];
        if ((pick >> 8 & 7) == 0) {
            snprintf(number, sizeof number, "%llu ", (unsigned long long)(pick >> 40));
            word = number;
        }
        size_t length = strlen(word);
        if (length > size - used) length = size - used;
        memcpy(block + used, word, length);
        used += length;
    }
}

static void fill_noise(char *block, size_t size) {
    for (size_t used = 0; used + 8 <= size; used += 8) {
        uint64_t value = next();
        memcpy(block + used, &value, 8);
    }
}

int main(int count, char **arguments) {
    if (count != 5) return 64;
    state = strtoull(arguments[2], NULL, 10) * 2 + 1;
    uint64_t bytes = strtoull(arguments[3], NULL, 10), files = strtoull(arguments[4], NULL, 10), made = 0;
    if (files == 0 || mkdir(arguments[1], 0755) != 0) {
        perror(arguments[1]);
        return 1;
    }
    // Weights of 1 to 10,000, then scaled so that they add up to the bytes wanted.
    uint64_t *weight = calloc(files, sizeof *weight), total = 0;
    for (uint64_t index = 0; index < files; index++) {
        uint64_t scale[] = {1, 10, 100, 1000};
        weight[index] = scale[next() & 3] * (1 + next() % 10);
        total += weight[index];
    }
    static char block[1 << 16];
    char path[4096];
    for (uint64_t index = 0; index < files; index++) {
        if (index % 100 == 0) {
            snprintf(path, sizeof path, "%s/d%04llu", arguments[1], (unsigned long long)(index / 100));
            mkdir(path, 0755);
        }
        int is_text = (int)(next() & 1);
        snprintf(path, sizeof path, "%s/d%04llu/f%06llu.%s", arguments[1], (unsigned long long)(index / 100),
            (unsigned long long)index, is_text ? "py" : "bin");
        int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (file < 0) {
            perror(path);
            return 1;
        }
        uint64_t size = (uint64_t)((double)weight[index] / (double)total * (double)bytes);
        for (uint64_t left = size; left > 0;) {
            size_t piece = left < sizeof block ? (size_t)left : sizeof block;
            if (is_text) fill_text(block, piece);
            else fill_noise(block, sizeof block);
            if (write(file, block, piece) != (ssize_t)piece) {
                perror(path);
                return 1;
            }
            left -= piece;
        }
        made += size;
        close(file);
    }
    printf("%llu bytes in %llu files\n", (unsigned long long)made, (unsigned long long)files);
    return 0;
}
