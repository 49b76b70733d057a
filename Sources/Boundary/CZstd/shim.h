// ZSTD_compressContinue and its kin take content from where it lies; they stand in the static library only, which is the
// one that is linked.
#define ZSTD_STATIC_LINKING_ONLY
#define ZSTD_DISABLE_DEPRECATE_WARNINGS
#include <zstd.h>
#include <zstd_errors.h>
