#ifndef CLINUX_CLOCK_H
#define CLINUX_CLOCK_H
// The kernel's clock discipline (adjtimex(2)); glibc's header is not in Swift's module of it.
#include <stdint.h>

struct clinux_clock_state {
    int32_t synchronised;
    int64_t offset_nanoseconds;
    int64_t maximum_error_microseconds;
    int64_t estimated_error_microseconds;
};

/// Reads and changes nothing; 0, or -1 with errno.
int clinux_clock_read(struct clinux_clock_state *state);

#endif
