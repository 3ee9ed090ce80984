/* From the tree to the program. Repeats of one code point are one instruction; other repeats are
 * written out. Before a branch stands the set of bytes that it can begin with, so that most
 * alternatives are passed over without trying them. */
#include <string.h>

#include "base/utf8.h"
#include "text/regex_impl.h"

enum { MAX_CODE = 20000 };

typedef struct compiler {
    nf_regex *regex;
    const nf_regex_pattern *pattern;
    nerfit_status status;
} compiler;

/* ---- first bytes */

static void class_bytes(const nf_regex_class *set, uint8_t bytes[256]) {
    for (uint32_t c = 0; c < 128; c++) bytes[c] |= nf_regex_class_has(set, c);
    bool exact = !set->negated && !set->categories && !set->space && !set->no_space && !set->word &&
                 !set->no_word && !set->n_scripts;
    if (!exact) { /* no telling which code points are in it: all leading bytes */
        memset(bytes + 0xC2, 1, 0xF5 - 0xC2);
        return;
    }
    for (size_t i = 0; i < set->n_ranges; i++) {
        char low[4], high[4];
        if (set->ranges[i].last < 0x80) continue;
        nf_utf8_encode(set->ranges[i].first < 0x80 ? 0x80 : set->ranges[i].first, low);
        nf_utf8_encode(set->ranges[i].last, high);
        for (int b = (unsigned char)low[0]; b <= (unsigned char)high[0]; b++) bytes[b] = 1;
    }
}

/* Adds the bytes that a match of the node can begin with; true if it can be empty (then what
 * follows it counts, too). */
static bool first_bytes(const nf_regex_node *node, uint8_t bytes[256]) {
    bool empty = false;
    switch (node->kind) {
    case NF_NODE_CLASS:
        class_bytes(node->set, bytes);
        return false;
    case NF_NODE_SEQUENCE:
        for (const nf_regex_node *n = node->child; n; n = n->next)
            if (!first_bytes(n, bytes)) return false;
        return true;
    case NF_NODE_CHOICE:
        for (const nf_regex_node *n = node->child; n; n = n->next) empty |= first_bytes(n, bytes);
        return empty;
    case NF_NODE_REPEAT:
        if (node->max == 0) return true;
        return first_bytes(node->child, bytes) || node->min == 0;
    case NF_NODE_ATOMIC:
        return first_bytes(node->child, bytes);
    default:
        return true;
    }
}

/* NULL if it can be empty, or out of memory. */
static const uint8_t *first_set(compiler *c, const nf_regex_node *node) {
    uint8_t bytes[256] = {0};
    if (first_bytes(node, bytes)) return NULL;
    uint8_t *set = nf_arena_alloc(c->pattern->arena, sizeof bytes);
    if (set)
        memcpy(set, bytes, sizeof bytes);
    else if (c->status == NERFIT_OK)
        c->status = nf_no_memory(c->pattern->err, sizeof bytes);
    return set;
}

/* ---- code */

/* Appends an instruction and returns its place; 0 on failure. */
static uint32_t emit(compiler *c, nf_regex_code code) {
    nf_regex *r = c->regex;
    if (c->status != NERFIT_OK) return 0;
    if (r->count == MAX_CODE) {
        c->status = nf_regex_refuse(c->pattern, 0, "it repeats too much");
        return 0;
    }
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 32;
        nf_regex_code *grown = nf_arena_calloc(c->pattern->arena, capacity, sizeof *grown);
        if (!grown) {
            c->status = nf_no_memory(c->pattern->err, capacity * sizeof *grown);
            return 0;
        }
        if (r->count) memcpy(grown, r->code, r->count * sizeof *grown);
        r->code = grown;
        r->capacity = capacity;
    }
    r->code[r->count] = code;
    return (uint32_t)r->count++;
}

/* Sets the target of an earlier instruction to the next one. */
static void land(compiler *c, uint32_t at) {
    if (c->status == NERFIT_OK) c->regex->code[at].to = (uint32_t)c->regex->count;
}

static void generate(compiler *c, const nf_regex_node *node);

/* A single code point, or NULL. */
static const nf_regex_class *single(const nf_regex_node *node) {
    while ((node->kind == NF_NODE_SEQUENCE || node->kind == NF_NODE_CHOICE) && node->child &&
           !node->child->next)
        node = node->child;
    return node->kind == NF_NODE_CLASS ? node->set : NULL;
}

static void generate_copies(compiler *c, const nf_regex_node *node, bool lazy) {
    const uint8_t *first = first_set(c, node->child);
    nf_regex_code split = {.op = lazy ? NF_OP_SPLIT_LATER : NF_OP_SPLIT, .first = first};
    for (uint32_t i = 0; i < node->min && c->status == NERFIT_OK; i++) generate(c, node->child);
    if (node->max == NF_UNLIMITED) {
        uint32_t loop = emit(c, split);
        generate(c, node->child);
        emit(c, (nf_regex_code){.op = NF_OP_JUMP, .to = loop});
        land(c, loop);
        return;
    }
    /* Each one more only if the one before was there: all lead to the end. */
    uint32_t begin = (uint32_t)c->regex->count, end;
    for (uint32_t i = node->min; i < node->max && c->status == NERFIT_OK; i++) {
        split.to = UINT32_MAX;
        emit(c, split);
        generate(c, node->child);
    }
    end = (uint32_t)c->regex->count;
    for (uint32_t i = begin; i < end && c->status == NERFIT_OK; i++)
        if (c->regex->code[i].to == UINT32_MAX) c->regex->code[i].to = end;
}

static void generate_repeat(compiler *c, const nf_regex_node *node) {
    const nf_regex_class *set = single(node->child);
    if (set) {
        emit(c, (nf_regex_code){.op = NF_OP_LOOP,
                                .set = set,
                                .min = node->min,
                                .max = node->max,
                                .greed = node->greed});
        return;
    }
    uint32_t atomic = 0;
    if (node->greed == NF_POSSESSIVE) atomic = emit(c, (nf_regex_code){.op = NF_OP_ATOMIC});
    generate_copies(c, node, node->greed == NF_LAZY);
    if (node->greed == NF_POSSESSIVE) {
        emit(c, (nf_regex_code){.op = NF_OP_ACCEPT});
        land(c, atomic);
    }
}

static void generate_choice(compiler *c, const nf_regex_node *node) {
    uint32_t begin = (uint32_t)c->regex->count;
    for (const nf_regex_node *n = node->child; n && c->status == NERFIT_OK; n = n->next) {
        if (!n->next) {
            generate(c, n);
            break;
        }
        uint32_t split = emit(c, (nf_regex_code){.op = NF_OP_SPLIT, .first = first_set(c, n)});
        generate(c, n);
        emit(c, (nf_regex_code){.op = NF_OP_JUMP, .to = UINT32_MAX});
        land(c, split);
    }
    for (size_t i = begin; i < c->regex->count && c->status == NERFIT_OK; i++)
        if (c->regex->code[i].op == NF_OP_JUMP && c->regex->code[i].to == UINT32_MAX)
            c->regex->code[i].to = (uint32_t)c->regex->count;
}

static void generate_look(compiler *c, const nf_regex_node *node) {
    const nf_regex_class *set = node->behind ? NULL : single(node->child);
    if (set) {
        emit(c, (nf_regex_code){.op = NF_OP_LOOK_CLASS, .set = set, .negative = node->negative});
        return;
    }
    uint32_t look = emit(c, (nf_regex_code){.op = NF_OP_LOOK,
                                            .behind = node->behind,
                                            .negative = node->negative,
                                            .min = node->child->shortest,
                                            .max = node->child->longest});
    generate(c, node->child);
    emit(c, (nf_regex_code){.op = NF_OP_ACCEPT});
    land(c, look);
}

static void generate(compiler *c, const nf_regex_node *node) {
    uint32_t atomic;
    switch (node->kind) {
    case NF_NODE_EMPTY:
        break;
    case NF_NODE_CLASS:
        emit(c, (nf_regex_code){.op = NF_OP_CLASS, .set = node->set});
        break;
    case NF_NODE_SEQUENCE:
        for (const nf_regex_node *n = node->child; n && c->status == NERFIT_OK; n = n->next)
            generate(c, n);
        break;
    case NF_NODE_CHOICE:
        generate_choice(c, node);
        break;
    case NF_NODE_REPEAT:
        generate_repeat(c, node);
        break;
    case NF_NODE_LOOK:
        generate_look(c, node);
        break;
    case NF_NODE_ATOMIC:
        atomic = emit(c, (nf_regex_code){.op = NF_OP_ATOMIC});
        generate(c, node->child);
        emit(c, (nf_regex_code){.op = NF_OP_ACCEPT});
        land(c, atomic);
        break;
    case NF_NODE_ASSERT:
        emit(c, (nf_regex_code){.op = NF_OP_ASSERT, .assert = node->assert});
        break;
    }
}

nerfit_status nf_regex_generate(nf_regex *regex, const nf_regex_node *tree,
                                const nf_regex_pattern *pattern) {
    compiler c = {.regex = regex, .pattern = pattern};
    regex->first = first_set(&c, tree);
    generate(&c, tree);
    emit(&c, (nf_regex_code){.op = NF_OP_ACCEPT});
    return c.status;
}

nerfit_status nf_regex_compile(nf_regex **out, const char *pattern, nf_arena *arena,
                               const char *file, const char *what, nerfit_error *err) {
    nf_regex_pattern p = {pattern, arena, file, what, err};
    nf_regex_node *tree;
    *out = nf_arena_calloc(arena, 1, sizeof **out);
    if (!*out) return nf_no_memory(err, sizeof **out);
    NF_TRY(nf_regex_parse(&tree, &p));
    return nf_regex_generate(*out, tree, &p);
}
