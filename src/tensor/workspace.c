/* Blocks are chained, newest first. Values are 64-byte aligned, and each array is followed by
 * SLACK bytes so that vector code may read past its end. Under AddressSanitizer a poisoned line
 * follows, and what was given back is poisoned, so that a block which writes or reads with another
 * shape than it took is found at that place. */
#include "tensor/workspace.h"

#include <stdlib.h>

#include "base/assert.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(be, memory, size)                                                                   \
    ((be)->is_host ? __asan_poison_memory_region(memory, size) : (void)0)
#define UNPOISON(be, memory, size)                                                                 \
    ((be)->is_host ? __asan_unpoison_memory_region(memory, size) : (void)0)
enum { RED_LINE = 64 };
#else
#define POISON(be, memory, size) ((void)0)
#define UNPOISON(be, memory, size) ((void)0)
enum { RED_LINE = 0 };
#endif

typedef struct block {
    struct block *older;
    char *memory;
    size_t size, used;
} block;

struct nf_workspace {
    nf_backend *be;
    block *newest;
    size_t live;   /* bytes of all blocks */
    size_t peak;   /* the most that was live in a step: the size of the block to come */
    size_t failed; /* bytes that could not be had; 0: none */
};

enum { FIRST_BLOCK = 1 << 20, SLACK = 64 };

nerfit_status nf_workspace_new(nf_workspace **out, nf_backend *be, nerfit_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return nf_no_memory(err, sizeof **out);
    (*out)->be = be;
    return NERFIT_OK;
}

static void drop_newest(nf_workspace *ws) {
    block *gone = ws->newest;
    ws->newest = gone->older;
    ws->live -= gone->size;
    UNPOISON(ws->be, gone->memory, gone->size);
    ws->be->memory_free(ws->be, gone->memory);
    free(gone);
}

void nf_workspace_free(nf_workspace *ws) {
    if (!ws) return;
    while (ws->newest) drop_newest(ws);
    free(ws);
}

static bool add_block(nf_workspace *ws, size_t size) {
    block *b = malloc(sizeof *b);
    if (!b) return false;
    *b = (block){.older = ws->newest, .memory = ws->be->memory_new(ws->be, size), .size = size};
    if (!b->memory) {
        free(b);
        return false;
    }
    POISON(ws->be, b->memory, size);
    ws->newest = b;
    ws->live += size;
    if (ws->live > ws->peak) ws->peak = ws->live;
    return true;
}

/* What the newest block has given out from `used` on is free again. */
static void give_back_to(nf_workspace *ws, size_t used) {
    nf_assert_within(used, ws->newest->used);
    POISON(ws->be, ws->newest->memory + used, ws->newest->used - used);
    ws->newest->used = used;
}

void nf_workspace_reset(nf_workspace *ws) {
    ws->failed = 0;
    if (!ws->newest) return;
    if (ws->live < ws->peak || ws->newest->older) {
        while (ws->newest) drop_newest(ws);
        add_block(ws, ws->peak); /* a failure shows at the next allocation */
    }
    if (ws->newest) give_back_to(ws, 0);
}

/* The first that could not be had is what the error says. */
static void *take_nothing(nf_workspace *ws, size_t size) {
    if (!ws->failed) ws->failed = size;
    return NULL;
}

static void *take(nf_workspace *ws, size_t size) {
    size_t rounded;
    if (__builtin_add_overflow(size, (size_t)SLACK + RED_LINE + 63, &rounded))
        return take_nothing(ws, size);
    rounded &= ~(size_t)63;
    block *b = ws->newest;
    if (!b || b->size - b->used < rounded) {
        size_t want = b ? b->size : FIRST_BLOCK;
        if (!add_block(ws, want > rounded ? want : rounded)) return take_nothing(ws, rounded);
        b = ws->newest;
    }
    void *memory = b->memory + b->used;
    b->used += rounded;
    UNPOISON(ws->be, memory, rounded - RED_LINE);
    return memory;
}

nf_values *nf_workspace_reals(nf_workspace *ws, size_t n) {
    size_t bytes;
    if (__builtin_mul_overflow(n, ws->be->real_size, &bytes)) return take_nothing(ws, SIZE_MAX);
    return take(ws, bytes);
}

const int32_t *nf_workspace_ints(nf_workspace *ws, const int32_t *values, size_t n) {
    int32_t *copy = take(ws, n * sizeof *copy);
    if (copy) ws->be->ints_in(ws->be, copy, values, n);
    return copy;
}

bool nf_workspace_failed(const nf_workspace *ws) {
    return ws->failed != 0;
}

nerfit_status nf_workspace_check(const nf_workspace *ws, nerfit_error *err) {
    return ws->failed ? nf_no_memory(err, ws->failed) : NERFIT_OK;
}

void nf_workspace_blame(nf_workspace *ws, const nf_workspace *of) {
    if (of->failed && !ws->failed) ws->failed = of->failed;
}

nf_workspace_mark nf_workspace_here(const nf_workspace *ws) {
    return (nf_workspace_mark){ws->newest, ws->newest ? ws->newest->used : 0};
}

/* Whether the mark is of this workspace and what it marks has not been given back. */
static bool is_live(const nf_workspace *ws, nf_workspace_mark mark) {
    const block *b = ws->newest;
    while (b && b != mark.block) b = b->older;
    return !mark.block || (b && mark.used <= b->used);
}

void nf_workspace_return(nf_workspace *ws, nf_workspace_mark mark) {
    nf_assert(is_live(ws, mark));
    while (ws->newest && ws->newest != mark.block && (mark.block || ws->newest->older))
        drop_newest(ws);
    if (ws->newest) give_back_to(ws, mark.block ? mark.used : 0);
}
