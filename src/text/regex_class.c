/* A class is a union of categories, ranges, scripts and \s, \w; ASCII is answered by two words. */
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "text/regex_impl.h"
#include "text/unicode.h"

bool nf_regex_class_add(nf_regex_class *c, uint32_t first, uint32_t last, nf_arena *arena) {
    if (c->n_ranges == c->capacity) {
        size_t capacity = c->capacity ? c->capacity * 2 : 4;
        nf_regex_range *ranges = nf_arena_calloc(arena, capacity, sizeof *ranges);
        if (!ranges) return false;
        if (c->n_ranges) memcpy(ranges, c->ranges, c->n_ranges * sizeof *ranges);
        c->ranges = ranges;
        c->capacity = capacity;
    }
    c->ranges[c->n_ranges++] = (nf_regex_range){first, last};
    return true;
}

static int by_first(const void *a, const void *b) {
    const nf_regex_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

void nf_regex_class_finish(nf_regex_class *c) {
    size_t kept = 0;
    if (c->n_ranges > 1) qsort(c->ranges, c->n_ranges, sizeof *c->ranges, by_first);
    for (size_t i = 0; i < c->n_ranges; i++) {
        nf_regex_range r = c->ranges[i];
        if (kept > 0 && r.first <= c->ranges[kept - 1].last + 1) {
            if (r.last > c->ranges[kept - 1].last) c->ranges[kept - 1].last = r.last;
        } else {
            c->ranges[kept++] = r;
        }
    }
    c->n_ranges = kept;
    c->ascii[0] = c->ascii[1] = 0;
    for (uint32_t k = 0; k < 128; k++)
        if (nf_regex_class_has_slowly(c, k)) c->ascii[k >> 6] |= UINT64_C(1) << (k & 63);
}

static bool in_ranges(const nf_regex_class *c, uint32_t code_point) {
    size_t low = 0, high = c->n_ranges;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->ranges[middle].last < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->n_ranges && c->ranges[low].first <= code_point;
}

static bool in_parts(const nf_regex_class *c, uint32_t code_point) {
    uint8_t flags = nf_class_flags_of(code_point);
    if (c->categories >> (flags & NF_CLASS_CATEGORY) & 1) return true;
    if (c->n_ranges && in_ranges(c, code_point)) return true;
    if (c->space || c->no_space) {
        bool space = nf_unicode_flags_of(code_point) & NF_UNICODE_SPACE;
        if (space ? c->space : c->no_space) return true;
    }
    if (c->word || c->no_word)
        if (flags & NF_CLASS_WORD ? c->word : c->no_word) return true;
    if (c->n_scripts) {
        uint8_t script = nf_class_value(nf_class_scripts, nf_class_scripts_count, code_point);
        for (size_t i = 0; i < c->n_scripts; i++)
            if ((script == c->scripts[i]) != c->not_scripts[i]) return true;
    }
    return false;
}

bool nf_regex_class_has_slowly(const nf_regex_class *c, uint32_t code_point) {
    return in_parts(c, code_point) != c->negated;
}

/* ---- names of properties */

static const char *const categories[NF_CATEGORIES] = {
    "lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "pc", "pd", "ps", "pe",
    "pi", "pf", "po", "sm", "sc", "sk", "so", "zs", "zl", "zp", "cc", "cf", "cs", "co", "cn"};

static const struct {
    const char *name, *category;
} groups[] = {
    {"letter", "l"}, {"mark", "m"},      {"number", "n"}, {"punctuation", "p"},
    {"symbol", "s"}, {"separator", "z"}, {"other", "c"},
};

/* Names are compared without case, blanks, dashes and underscores. */
static size_t plain_name(char *out, size_t room, const char *name, size_t length) {
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] == ' ' || name[i] == '-' || name[i] == '_') continue;
        if (n + 1 == room) return 0;
        out[n++] = nf_ascii_lower(name[i]);
    }
    out[n] = '\0';
    return n;
}

bool nf_regex_property(const char *name, size_t length, uint32_t *bits, uint8_t *script) {
    char plain[64], other[64];
    *bits = 0;
    *script = 0;
    if (!plain_name(plain, sizeof plain, name, length)) return false;
    if (strcmp(plain, "any") == 0) {
        *bits = UINT32_MAX;
        return true;
    }
    const char *wanted = plain;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strcmp(plain, groups[i].name) == 0) wanted = groups[i].category;
    size_t size = strlen(wanted);
    if (size <= 2)
        for (size_t i = 0; i < NF_CATEGORIES; i++)
            if (strncmp(categories[i], wanted, size) == 0) *bits |= UINT32_C(1) << i;
    if (*bits) return true;
    for (size_t i = 0; i < nf_class_script_names_count; i++) {
        const char *known = nf_class_script_names[i];
        plain_name(other, sizeof other, known, strlen(known));
        if (strcmp(plain, other) == 0) *script = (uint8_t)(i + 1);
    }
    return *script != 0;
}
