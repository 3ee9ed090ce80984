/* How labels are spelled in tables of words: told, and respelled as B-PER. */
#include <string.h>

#include "data/formats/columns.h"

static const char prefixes[] = "BIESLUMW", separators[] = "-_:/.";

static bool is_one_of(char c, const char *set) {
    return c && strchr(set, c);
}

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const char *nf_label_style_example(nf_label_style style) {
    static const char *const examples[NF_LABEL_STYLES] = {
        [NF_STYLE_DASH] = "B-PER",   [NF_STYLE_SEPARATOR] = "B_PER", [NF_STYLE_LOWER] = "b-per",
        [NF_STYLE_SUFFIX] = "PER-B", [NF_STYLE_PREFIX_ONLY] = "B",   [NF_STYLE_TYPE_ONLY] = "PER"};
    return examples[style];
}

bool nf_label_has_style(const char *label, size_t size, nf_label_style style) {
    if (size == 0) return false;
    if (size == 1 && (label[0] == 'O' || (label[0] == 'o' && style == NF_STYLE_LOWER))) return true;
    switch (style) {
    case NF_STYLE_DASH:
        return size > 2 && label[1] == '-' && is_one_of(label[0], prefixes);
    case NF_STYLE_SEPARATOR:
        return size > 2 && is_one_of(label[1], separators) && is_one_of(label[0], prefixes);
    case NF_STYLE_LOWER:
        return size > 2 && is_one_of(label[1], separators) && is_one_of(upper(label[0]), prefixes);
    case NF_STYLE_SUFFIX:
        return size > 2 && is_one_of(label[size - 2], separators) &&
               is_one_of(label[size - 1], prefixes);
    case NF_STYLE_PREFIX_ONLY:
        return size == 1 && is_one_of(label[0], prefixes);
    case NF_STYLE_TYPE_ONLY:
        return true;
    case NF_LABEL_STYLES:
        break;
    }
    return false;
}

const char *nf_label_respell(nf_arena *arena, const char *label, size_t size, const char *before,
                             size_t before_size, nf_label_style style, size_t *out_size) {
    static const char outside[] = "O", one_type[] = "entity";
    const char *type = label + 2;
    size_t type_size = size > 2 ? size - 2 : 0;
    char prefix = upper(label[0]);
    *out_size = size;
    if (size == 1 && prefix == 'O' && (label[0] == 'O' || style == NF_STYLE_LOWER)) return outside;
    if (style == NF_STYLE_DASH && !is_one_of(prefix, "MW")) return label;
    if (style == NF_STYLE_SUFFIX) prefix = label[size - 1], type = label;
    if (style == NF_STYLE_PREFIX_ONLY) type = one_type, type_size = sizeof one_type - 1;
    if (style == NF_STYLE_TYPE_ONLY) {
        bool goes_on = before && before_size == size && memcmp(before, label, size) == 0;
        prefix = goes_on ? 'I' : 'B', type = label, type_size = size;
    }
    if (prefix == 'M') prefix = 'I';
    if (prefix == 'W') prefix = 'S';
    char *out = nf_arena_alloc(arena, type_size + 3);
    if (!out) return NULL;
    out[0] = prefix, out[1] = '-';
    memcpy(out + 2, type, type_size);
    out[type_size + 2] = '\0';
    *out_size = type_size + 2;
    return out;
}
