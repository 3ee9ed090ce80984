#include "labels/tagging.h"

#include <string.h>

#include "base/ascii.h"

static const struct {
    const char *name;
    nf_tagging tagging;
    const char *prefixes;
    const char *shown;
} schemes[] = {
    {"auto", NF_TAGGING_AUTO, "BIESLU", "automatic"}, {"iob1", NF_TAGGING_IOB1, "BI", "IOB1"},
    {"iob2", NF_TAGGING_IOB2, "BI", "IOB2"},          {"bioes", NF_TAGGING_BIOES, "BIES", "BIOES"},
    {"bilou", NF_TAGGING_BILOU, "BILU", "BILOU"},     {"bio", NF_TAGGING_IOB2, "BI", "IOB2"},
    {"iobes", NF_TAGGING_BIOES, "BIES", "BIOES"},
};
enum { N_SCHEMES = sizeof schemes / sizeof *schemes };

bool nf_tagging_find(const char *name, nf_tagging *tagging) {
    for (size_t i = 0; i < N_SCHEMES; i++)
        if (nf_ascii_same(schemes[i].name, name)) return *tagging = schemes[i].tagging, true;
    return false;
}

const char *nf_tagging_name(nf_tagging tagging) {
    return schemes[tagging].shown;
}

static bool is_one_tag(const char *label, size_t size) {
    return (size == 1 && label[0] == 'O') ||
           (size > 2 && label[1] == '-' && memchr("BIESLU", label[0], 6));
}

bool nf_type_joins_tags(const char *type, size_t size) {
    size_t parts = 0, from = 0;
    for (size_t at = 0; at <= size; at++) {
        if (at < size && !strchr(" |,;", type[at])) continue;
        if (parts++ && !is_one_tag(type + from, at - from)) return false;
        from = at + 1;
    }
    return parts > 1;
}

const char *nf_tag_problem(const char *label, size_t size, nf_tagging tagging) {
    if (size == 0) return "is empty";
    size_t prefix = size > 2 && label[1] == '-' ? 2 : 0;
    if ((prefix || label[0] == 'O') && nf_type_joins_tags(label + prefix, size - prefix))
        return "holds several labels; expected one a word";
    if (size == 1 && label[0] == 'O') return NULL;
    if (size < 2 || label[1] != '-' || !memchr("BIESLU", label[0], 6))
        return "is neither O nor a prefix (B I E S L U), a dash and a type";
    if (size == 2) return "has no type after its dash";
    if (!strchr(schemes[tagging].prefixes, label[0]))
        return "has a prefix that its scheme does not have";
    return NULL;
}

bool nf_is_tag(const char *label, size_t size) {
    return nf_tag_problem(label, size, NF_TAGGING_AUTO) == NULL;
}

static char prefix_of(const nf_conll_row *row) {
    char c = row ? row->label[0] : 'O';
    return c == 'L' ? 'E' : c == 'U' ? 'S' : c;
}

/* Of two labels that are not O. */
static bool same_type(const nf_conll_row *a, const nf_conll_row *b) {
    return a->label_size == b->label_size &&
           memcmp(a->label + 1, b->label + 1, a->label_size - 1) == 0;
}

bool nf_tag_begins(const nf_conll_row *before, const nf_conll_row *now) {
    char last = prefix_of(before), tag = prefix_of(now);
    if (tag == 'O') return false;
    if (tag == 'B' || tag == 'S' || last == 'O' || last == 'E' || last == 'S') return true;
    return !same_type(before, now);
}

/* The legal pairs: what must follow an entity that is open, and what may not go on. */
bool nf_tag_legal(const nf_conll_row *before, const nf_conll_row *now, nf_tagging tagging) {
    char last = prefix_of(before), tag = prefix_of(now);
    bool same = last != 'O' && tag != 'O' && same_type(before, now);
    switch (tagging) {
    case NF_TAGGING_AUTO:
        return true;
    case NF_TAGGING_IOB1:
        return tag != 'B' || same;
    case NF_TAGGING_IOB2:
        return tag != 'I' || same;
    case NF_TAGGING_BIOES:
    case NF_TAGGING_BILOU:
        if (last == 'B' || last == 'I') return (tag == 'I' || tag == 'E') && same;
        return tag == 'O' || tag == 'B' || tag == 'S';
    }
    return true;
}

nf_tagging nf_tagging_detect(const nf_conll_row *rows, const size_t *ends, size_t n_sentences) {
    size_t ends_singles = 0, lasts_units = 0; /* E- and S-, L- and U- */
    size_t inner_starts = 0;                  /* I- that begins an entity */
    bool lone_b = false;                      /* B- that does not divide two entities of one type */
    for (size_t s = 0, i = 0; s < n_sentences; s++)
        for (size_t start = i; i < ends[s]; i++) {
            const nf_conll_row *now = &rows[i], *before = i > start ? now - 1 : NULL;
            char c = now->label[0];
            ends_singles += c == 'E' || c == 'S';
            lasts_units += c == 'L' || c == 'U';
            inner_starts += c == 'I' && nf_tag_begins(before, now);
            lone_b |= c == 'B' && !nf_tag_legal(before, now, NF_TAGGING_IOB1);
        }
    if (lasts_units > ends_singles) return NF_TAGGING_BILOU;
    if (ends_singles) return NF_TAGGING_BIOES;
    return inner_starts && !lone_b ? NF_TAGGING_IOB1 : NF_TAGGING_IOB2;
}
