/* Between the parts of regex.h: regex_parse.c makes a tree of a pattern, regex_compile.c a program
 * of the tree, regex.c runs it; regex_class.c holds the classes of code points. */
#ifndef NF_TEXT_REGEX_IMPL_H
#define NF_TEXT_REGEX_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "text/unicode_class.h"

typedef struct nf_regex nf_regex; /* regex.h */

/* ---- classes of code points */

typedef struct nf_regex_range {
    uint32_t first, last;
} nf_regex_range;

enum { NF_REGEX_MAX_SCRIPTS = 16 };

typedef struct nf_regex_class {
    uint64_t ascii[2];   /* the answer for 0 .. 127, negation included; set by finish */
    uint32_t categories; /* one bit each */
    bool negated;
    bool space, no_space, word, no_word;    /* \s \S \w \W are among its parts */
    uint8_t scripts[NF_REGEX_MAX_SCRIPTS];  /* values of nf_class_scripts */
    bool not_scripts[NF_REGEX_MAX_SCRIPTS]; /* that script's complement */
    size_t n_scripts;
    nf_regex_range *ranges; /* in rising order once it is finished */
    size_t n_ranges, capacity;
} nf_regex_class;

bool nf_regex_class_add(nf_regex_class *c, uint32_t first, uint32_t last, nf_arena *arena);
/* Sorts the ranges and fills the answers for ASCII. */
void nf_regex_class_finish(nf_regex_class *c);
bool nf_regex_class_has_slowly(const nf_regex_class *c, uint32_t code_point);

static inline bool nf_regex_class_has(const nf_regex_class *c, uint32_t code_point) {
    if (code_point < 128) return c->ascii[code_point >> 6] >> (code_point & 63) & 1;
    return nf_regex_class_has_slowly(c, code_point);
}

/* The categories that a name within \p{..} means, as bits, or its script; false if it is neither.
 */
bool nf_regex_property(const char *name, size_t length, uint32_t *categories, uint8_t *script);

/* ---- trees */

typedef enum nf_regex_kind {
    NF_NODE_EMPTY,
    NF_NODE_CLASS,    /* one code point of a class; a literal is a class of one */
    NF_NODE_SEQUENCE, /* its children, one after another */
    NF_NODE_CHOICE,   /* one of its children */
    NF_NODE_REPEAT,
    NF_NODE_LOOK,
    NF_NODE_ATOMIC,
    NF_NODE_ASSERT
} nf_regex_kind;

typedef enum nf_regex_greed { NF_GREEDY, NF_LAZY, NF_POSSESSIVE } nf_regex_greed;
typedef enum nf_regex_assert {
    NF_ASSERT_LINE_START,
    NF_ASSERT_LINE_END,
    NF_ASSERT_TEXT_START,
    NF_ASSERT_TEXT_END,
    NF_ASSERT_TEXT_END_LINE,
    NF_ASSERT_WORD_EDGE,
    NF_ASSERT_NO_WORD_EDGE
} nf_regex_assert;

#define NF_UNLIMITED UINT32_MAX

typedef struct nf_regex_node {
    nf_regex_kind kind;
    struct nf_regex_node *child, *next;
    uint32_t min, max; /* of a repeat */
    nf_regex_greed greed;
    bool behind, negative; /* of a look */
    nf_regex_assert assert;
    nf_regex_class *set;
    uint32_t shortest, longest; /* how many code points it takes */
} nf_regex_node;

typedef struct nf_regex_pattern {
    const char *text;
    nf_arena *arena;
    const char *file, *what; /* for messages */
    nerfit_error *err;
} nf_regex_pattern;

nerfit_status nf_regex_parse(nf_regex_node **out, const nf_regex_pattern *pattern);
/* An error about the pattern at a byte of it. */
nerfit_status nf_regex_refuse(const nf_regex_pattern *pattern, size_t at, const char *problem);

/* ---- programs */

typedef enum nf_regex_op {
    NF_OP_CLASS,       /* one code point of `set` */
    NF_OP_LOOP,        /* min .. max code points of `set`, by `greed` */
    NF_OP_SPLIT,       /* go on here, and at `to` if that fails; or at `to` at once: see `first` */
    NF_OP_SPLIT_LATER, /* go on at `to`, and here if that fails */
    NF_OP_JUMP,        /* go on at `to` */
    NF_OP_LOOK,        /* the program behind it, up to ACCEPT, tells; then go on at `to` */
    NF_OP_LOOK_CLASS,  /* the next code point is of `set` */
    NF_OP_ATOMIC,      /* the program behind it, up to ACCEPT, is matched once; then `to` */
    NF_OP_ASSERT,
    NF_OP_ACCEPT
} nf_regex_op;

typedef struct nf_regex_code {
    nf_regex_op op;
    uint32_t to;
    uint32_t min, max; /* of LOOP; of LOOK behind: how many code points back */
    nf_regex_greed greed;
    bool behind, negative;
    nf_regex_assert assert;
    const nf_regex_class *set;
    const uint8_t *first; /* [256]: whether what follows can begin with a byte; NULL: with any */
} nf_regex_code;

struct nf_regex {
    nf_regex_code *code;
    size_t count, capacity;
    const uint8_t *first; /* of the whole pattern */
};

nerfit_status nf_regex_generate(nf_regex *regex, const nf_regex_node *tree,
                                const nf_regex_pattern *pattern);

#endif
