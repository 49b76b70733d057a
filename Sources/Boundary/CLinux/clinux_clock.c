#define _GNU_SOURCE
#include "clinux_clock.h"
#include <string.h>
#include <sys/timex.h>

int clinux_clock_read(struct clinux_clock_state *state) {
    struct timex t;
    memset(&t, 0, sizeof t);
    int status = adjtimex(&t);
    if (status < 0) return -1;
    state->synchronised = status != TIME_ERROR;
    state->offset_nanoseconds = (int64_t)t.offset * ((t.status & STA_NANO) ? 1 : 1000);
    state->maximum_error_microseconds = t.maxerror;
    state->estimated_error_microseconds = t.esterror;
    return 0;
}
