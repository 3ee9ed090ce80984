#include "labels/spans.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

/* ---------------------------------------------------------------- default mode */

typedef struct chunk {
    const char *tag; /* one character: only the first byte matters, all known tags being ASCII */
    const char *type;
} chunk;

/* seqeval: tag = chunk[0], type = chunk[1:].split('-', maxsplit=1)[-1] or '_' */
static chunk split_default(const char *label) {
    uint32_t first;
    size_t size = nf_utf8_decode(label, strlen(label), &first);
    const char *rest = label + (size ? size : 1), *dash = strchr(rest, '-');
    if (dash) rest = dash + 1;
    return (chunk){label, *rest ? rest : "_"};
}

static bool is_one_of(chunk c, const char *tags) {
    return strchr(tags, *c.tag) != NULL;
}

static bool ends(chunk before, chunk now) {
    if (is_one_of(before, "ES")) return true;
    if (is_one_of(before, "BI") && is_one_of(now, "BSO")) return true;
    return !is_one_of(before, "O.") && strcmp(before.type, now.type) != 0;
}

static bool begins(chunk before, chunk now) {
    if (is_one_of(now, "BS")) return true;
    if (is_one_of(before, "ESO") && is_one_of(now, "EI")) return true;
    return !is_one_of(now, "O.") && strcmp(before.type, now.type) != 0;
}

static void default_spans(nf_span_scan *scan, const char *const *labels, size_t length,
                          nf_entity *spans, size_t *count) {
    chunk before = split_default("O");
    for (size_t i = 0; i <= length; i++) {
        chunk now = split_default(i < length ? labels[i] : "O");
        size_t at = scan->position + i;
        if (ends(before, now))
            spans[(*count)++] =
                (nf_entity){(uint32_t)scan->start, (uint32_t)at, (int32_t)i - 1, -1};
        if (begins(before, now)) scan->start = at;
        before = now;
    }
}

/* ---------------------------------------------------------------- strict mode */

enum { I = 1, O = 2, B = 4, E = 8, S = 16, U = 32, L = 64, ANY = 127 };
enum { SAME = 1, DIFF = 2, EITHER = 3 };

/* A transition from one label's prefix to the next one's, with the types the same or different. */
typedef struct pattern {
    unsigned before, now, tag;
} pattern;

/* seqeval/scheme.py's automata; a zero row ends a list. */
typedef struct automaton {
    const char *name, *prefixes;
    unsigned allowed;
    pattern start[8], inside[6], end[8];
} automaton;

static const automaton automata[] = {
    [NF_SCHEME_IOB1] = {"IOB1",
                        "I, O, B",
                        I | O | B,
                        {{O, I, EITHER}, {I, I, DIFF}, {B, I, EITHER}, {I, B, SAME}, {B, B, SAME}},
                        {{B, I, SAME}, {I, I, SAME}},
                        {{I, I, DIFF},
                         {I, O, EITHER},
                         {I, B, EITHER},
                         {B, O, EITHER},
                         {B, I, DIFF},
                         {B, B, SAME}}},
    [NF_SCHEME_IOE1] = {"IOE1",
                        "I, O, E",
                        I | O | E,
                        {{O, I, EITHER}, {I, I, DIFF}, {E, I, EITHER}, {E, E, SAME}},
                        {{I, I, SAME}, {I, E, SAME}},
                        {{I, I, DIFF}, {I, O, EITHER}, {I, E, DIFF}, {E, I, SAME}, {E, E, SAME}}},
    [NF_SCHEME_IOB2] = {"IOB2",
                        "I, O, B",
                        I | O | B,
                        {{ANY, B, EITHER}},
                        {{B, I, SAME}, {I, I, SAME}},
                        {{I, O, EITHER},
                         {I, I, DIFF},
                         {I, B, EITHER},
                         {B, O, EITHER},
                         {B, I, DIFF},
                         {B, B, EITHER}}},
    [NF_SCHEME_IOE2] = {"IOE2",
                        "I, O, E",
                        I | O | E,
                        {{O, I, EITHER},
                         {O, E, EITHER},
                         {E, I, EITHER},
                         {E, E, EITHER},
                         {I, I, DIFF},
                         {I, E, DIFF}},
                        {{I, E, SAME}, {I, I, SAME}},
                        {{E, ANY, EITHER}}},
    [NF_SCHEME_BIOES] = {"BIOES",
                         "I, O, B, E, S",
                         I | O | B | E | S,
                         {{ANY, B, EITHER}, {ANY, S, EITHER}},
                         {{B, I, SAME}, {B, E, SAME}, {I, I, SAME}, {I, E, SAME}},
                         {{S, ANY, EITHER}, {E, ANY, EITHER}}},
    [NF_SCHEME_BILOU] = {"BILOU",
                         "B, I, L, O, U",
                         I | O | B | L | U,
                         {{ANY, B, EITHER}, {ANY, U, EITHER}},
                         {{B, I, SAME}, {B, L, SAME}, {I, I, SAME}, {I, L, SAME}},
                         {{U, ANY, EITHER}, {L, ANY, EITHER}}},
};

typedef struct token {
    unsigned prefix;  /* 0 if it is none of seqeval's */
    const char *type; /* without the dashes around it */
    size_t size;
} token;

static unsigned prefix_of(char c) {
    static const char letters[] = "IOBESUL";
    const char *at = strchr(letters, c);
    return at ? 1u << (at - letters) : 0;
}

/* seqeval: tag = token[1:].strip('-') or '_' */
static token split_strict(const char *label) {
    token out = {prefix_of(label[0]), label + 1, 0};
    while (*out.type == '-') out.type++;
    out.size = strlen(out.type);
    while (out.size && out.type[out.size - 1] == '-') out.size--;
    if (!out.size) out.type = "_", out.size = 1;
    return out;
}

static bool matches(const pattern *patterns, token before, token now) {
    bool same = before.size == now.size && memcmp(before.type, now.type, now.size) == 0;
    for (; patterns->before; patterns++)
        if ((patterns->before & before.prefix) && (patterns->now & now.prefix) &&
            (patterns->tag & (same ? SAME : DIFF)))
            return true;
    return false;
}

static nerfit_status strict_spans(const char *const *labels, size_t length, const automaton *a,
                                  nf_entity *spans, size_t *count, nerfit_error *err) {
    for (size_t i = 0; i < length; i++)
        if (!(split_strict(labels[i]).prefix & a->allowed))
            return nf_fail(err, NERFIT_FORMAT, "label \"%s\" is not one of %s, which begin with %s",
                           labels[i], a->name, a->prefixes);
    token before = split_strict("O");
    for (size_t i = 0; i < length;) {
        token first = split_strict(labels[i]);
        if (!matches(a->start, before, first)) {
            before = first;
            i++;
            continue;
        }
        size_t end = i + 1;
        token last = first, next = split_strict(end < length ? labels[end] : "O");
        while (end < length && matches(a->inside, last, next)) {
            last = next;
            end++;
            next = split_strict(end < length ? labels[end] : "O");
        }
        if (matches(a->end, last, next))
            spans[(*count)++] = (nf_entity){(uint32_t)i, (uint32_t)end, (int32_t)i, -1};
        before = last;
        i = end;
    }
    return NERFIT_OK;
}

nf_type_name nf_label_type_name(const char *label, nf_scheme scheme) {
    if (scheme == NF_SCHEME_NONE) {
        chunk c = split_default(label);
        return (nf_type_name){c.type, strlen(c.type)};
    }
    token t = split_strict(label);
    return (nf_type_name){t.type, t.size};
}

nerfit_status nf_spans_scan(nf_span_scan *scan, const char *const *labels, size_t length,
                            nf_scheme scheme, nf_entity *spans, size_t *count, nerfit_error *err) {
    *count = 0;
    for (size_t i = 0; i < length; i++)
        if (!labels[i][0]) return nf_fail(err, NERFIT_FORMAT, "label %zu is empty", i + 1);
    if (scheme != NF_SCHEME_NONE)
        NF_TRY(strict_spans(labels, length, &automata[scheme], spans, count, err));
    else
        default_spans(scan, labels, length, spans, count);
    scan->position += length + 1;
    return NERFIT_OK;
}

nerfit_status nf_spans_from_labels(const char *const *labels, size_t length, nf_scheme scheme,
                                   nf_entity *spans, size_t *count, nerfit_error *err) {
    return nf_spans_scan(&(nf_span_scan){0}, labels, length, scheme, spans, count, err);
}
