#include "labels/tag_set.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"

static const struct {
    char letter;
    nf_tag_prefix prefix;
} prefixes[] = {{'B', NF_TAG_B}, {'I', NF_TAG_I}, {'E', NF_TAG_E}, {'S', NF_TAG_S},
                {'L', NF_TAG_E}, {'U', NF_TAG_S}, {'M', NF_TAG_I}, {'W', NF_TAG_S}};

static nf_tag_prefix tag_prefix_of(char letter) {
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (prefixes[i].letter == letter) return prefixes[i].prefix;
    return NF_TAG_NONE;
}

static bool tag_is_outside(const char *label) {
    return strcmp(label, "O") == 0;
}

static bool tag_has_dash(const char *label) {
    return label[0] && label[1] == '-' && tag_prefix_of(label[0]) != NF_TAG_NONE;
}

/* Whether every label but O is a prefix alone, B or I among them. */
static bool tag_labels_lack_types(const char *const *labels, size_t n) {
    bool begins = false;
    for (size_t i = 0; i < n; i++) {
        const char *label = labels[i];
        if (tag_is_outside(label)) continue;
        if (strlen(label) != 1 || tag_prefix_of(label[0]) == NF_TAG_NONE) return false;
        begins |= label[0] == 'B' || label[0] == 'I';
    }
    return begins;
}

/* Whether there is a label B-x or I-x of the type. */
static bool tag_type_is_prefixed(const char *const *labels, size_t n, const char *type) {
    for (size_t i = 0; i < n; i++)
        if ((labels[i][0] == 'B' || labels[i][0] == 'I') && labels[i][1] == '-' &&
            strcmp(labels[i] + 2, type) == 0)
            return true;
    return false;
}

int32_t nf_tag_set_type(const nf_tag_set *set, const char *type) {
    for (size_t i = 0; i < set->n_types; i++)
        if (strcmp(set->types[i], type) == 0) return (int32_t)i;
    return -1;
}

static int32_t tag_set_add_type(nf_tag_set *set, const char *type) {
    int32_t known = nf_tag_set_type(set, type);
    if (known >= 0) return known;
    set->types[set->n_types] = type;
    return (int32_t)set->n_types++;
}

static const char *tag_name(nf_arena *arena, nf_tag_prefix prefix, const char *type) {
    static const char letters[] = {[NF_TAG_B] = 'B',
                                   [NF_TAG_I] = 'I',
                                   [NF_TAG_E] = 'E',
                                   [NF_TAG_S] = 'S',
                                   [NF_TAG_NONE] = 'I'};
    if (prefix == NF_TAG_O) return "O";
    size_t size = strlen(type) + 3;
    char *name = nf_arena_alloc(arena, size);
    if (!name) return NULL;
    name[0] = letters[prefix];
    name[1] = '-';
    return memcpy(name + 2, type, size - 2), name;
}

nerfit_status nf_tag_set_make(nf_tag_set *set, const char *const *labels, size_t n,
                              nerfit_error *err) {
    *set = (nf_tag_set){.n_labels = n};
    set->tags = nf_arena_calloc(&set->arena, n + 1, sizeof *set->tags);
    set->types = nf_arena_calloc(&set->arena, n + 1, sizeof *set->types);
    set->names = nf_arena_calloc(&set->arena, n + 1, sizeof *set->names);
    if (!set->tags || !set->types || !set->names) return nf_no_memory(err, n * sizeof *set->tags);
    bool untyped = tag_labels_lack_types(labels, n);
    for (size_t i = 0; i < n; i++) {
        const char *label = labels[i], *type = label;
        nf_tag_prefix prefix = NF_TAG_NONE;
        if (tag_is_outside(label)) {
            prefix = NF_TAG_O;
        } else if (untyped) {
            prefix = tag_prefix_of(label[0]);
            type = "_";
        } else if (tag_has_dash(label) && tag_type_is_prefixed(labels, n, label + 2)) {
            prefix = tag_prefix_of(label[0]);
            type = label[2] ? label + 2 : "_";
        }
        set->tags[i] = (nf_tag){prefix, prefix == NF_TAG_O ? -1 : tag_set_add_type(set, type)};
        set->names[i][0] = tag_name(&set->arena, prefix == NF_TAG_NONE ? NF_TAG_B : prefix, type);
        set->names[i][1] = tag_name(&set->arena, prefix, type);
        if (!set->names[i][0] || !set->names[i][1]) return nf_no_memory(err, strlen(type));
    }
    return NERFIT_OK;
}

void nf_tag_set_free(nf_tag_set *set) {
    nf_arena_free(&set->arena);
    *set = (nf_tag_set){0};
}

static nf_tag tag_of(const nf_tag_set *set, int32_t label) {
    return label < 0 ? (nf_tag){NF_TAG_O, -1} : set->tags[label];
}

static bool tag_begins(nf_tag before, nf_tag now) {
    if (now.prefix == NF_TAG_O) return false;
    if (now.prefix == NF_TAG_B || now.prefix == NF_TAG_S) return true;
    return before.prefix == NF_TAG_E || before.prefix == NF_TAG_S || before.type != now.type;
}

const char *nf_tag_set_name(const nf_tag_set *set, int32_t label, int32_t before) {
    if (label < 0) return "O";
    return set->names[label][!tag_begins(tag_of(set, before), set->tags[label])];
}

size_t nf_tag_set_spans(const nf_tag_set *set, const int32_t *labels, size_t n, nf_entity *spans) {
    nf_tag before = {NF_TAG_O, -1};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        nf_tag now = tag_of(set, labels[i]);
        if (tag_begins(before, now))
            spans[count++] = (nf_entity){.start = (uint32_t)i, .type = now.type};
        nf_assert(now.type < 0 || count > 0);
        if (now.type >= 0) spans[count - 1].end = (uint32_t)i + 1;
        before = now;
    }
    for (size_t k = 0; NF_ASSERTING && k < count; k++) {
        nf_assert_below(spans[k].start, spans[k].end);
        nf_assert_within(spans[k].end, k + 1 < count ? spans[k + 1].start : n);
    }
    return count;
}
