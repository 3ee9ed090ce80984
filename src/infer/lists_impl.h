/* The inside of nf_lists: lists_read.c makes it of a file, lists.c looks texts up in it. */
#ifndef NF_INFER_LISTS_IMPL_H
#define NF_INFER_LISTS_IMPL_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/hash.h"
#include "text/regex.h"

/* What an item is for. */
typedef struct nf_list_use {
    int32_t label; /* or NF_LISTS_EVERY */
    bool forbids;
    size_t order;             /* in the file */
    struct nf_list_use *next; /* of the same term */
} nf_list_use;

typedef struct nf_list_term {
    uint32_t *points; /* folded; the key */
    size_t count;
    nf_list_use *uses;
    UT_hash_handle hh;
} nf_list_term;

typedef struct nf_list_pattern {
    nf_regex *regex;
    nf_list_use use;
    const char *text; /* for messages */
    long line;
} nf_list_pattern;

struct nf_lists {
    nf_arena arena;
    const char *name;
    const char **labels; /* [n_labels] */
    size_t n_labels, labels_capacity;
    nf_list_term *terms; /* a map */
    size_t longest;      /* points of a term */
    nf_list_pattern *patterns;
    size_t n_patterns, patterns_capacity;
    size_t n_items;
};

#endif
