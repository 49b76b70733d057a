#ifndef CLINUX_H
#define CLINUX_H
// Only what Swift cannot call itself: variadic calls, system calls without a glibc wrapper, macros.
#include "clinux_files.h"
#include "clinux_clock.h"
#include "clinux_kernel.h"
#include "clinux_net.h"
#include "clinux_netns.h"
#endif
