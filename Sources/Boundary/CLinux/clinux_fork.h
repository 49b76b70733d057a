#ifndef CLINUX_FORK_H
#define CLINUX_FORK_H
#include <stdint.h>

// fork(2) with every signal blocked in the child, so that no handler of the parent's runs there; the child is killed
// when the thread that made it ends. Gives a pidfd, or -errno, to the parent, and -1 with `*pid` 0 to the child.
int quell_fork(int32_t *pid);
// In the child: closes everything but `kept`, which becomes descriptor 3.
void quell_keep_only(int kept);

#endif
