#include <archive.h>
#include <archive_entry.h>
// What an archived file carries besides its content; the Glibc module of Swift does not have it.
#include <sys/xattr.h>
