/* NFC, NFD, NFKC, NFKD, Lowercase and StripAccents. Decomposition and composition follow the order
 * of operations of the Rust crate unicode-normalization-alignments (0.1.12), because it decides not
 * only the text but also which original code points each new one stands for. */
#include <stdlib.h>

#include "text/normalizer.h"
#include "text/unicode.h"

/* A code point on its way through decomposition; `change` as nf_rewrite_emit takes it. */
typedef struct change {
    uint32_t code_point;
    int32_t change;
    uint8_t class;
} change;

typedef struct changes {
    change *items;
    size_t count, capacity;
    change *sorted; /* room for sorting, as large as items */
} changes;

static void changes_free(changes *c) {
    free(c->items);
    free(c->sorted);
}

static bool changes_push(changes *c, change item) {
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? c->capacity * 2 : 256;
        change *items = realloc(c->items, capacity * sizeof *items);
        if (items) c->items = items;
        change *sorted = realloc(c->sorted, capacity * sizeof *sorted);
        if (sorted) c->sorted = sorted;
        if (!items || !sorted) return false;
        c->capacity = capacity;
    }
    c->items[c->count++] = item;
    return true;
}

/* Stable sort by class of the items from `start` on (Unicode's canonical ordering): by counting if
 * there are many, so that a text of nothing but marks costs no more than another. */
static void sort_by_class(changes *c, size_t start) {
    size_t n = c->count - start;
    if (n < 2) return;
    change *items = c->items + start;
    if (n < 32) {
        for (size_t i = 1; i < n; i++) {
            change item = items[i];
            size_t k = i;
            for (; k > 0 && items[k - 1].class > item.class; k--) items[k] = items[k - 1];
            items[k] = item;
        }
        return;
    }
    size_t offsets[257] = {0};
    for (size_t i = 0; i < n; i++) offsets[items[i].class + 1]++;
    for (size_t k = 0; k < 256; k++) offsets[k + 1] += offsets[k];
    for (size_t i = 0; i < n; i++) c->sorted[offsets[items[i].class]++] = items[i];
    for (size_t i = 0; i < n; i++) items[i] = c->sorted[i];
}

static bool decompose(const nf_text *from, size_t start, size_t end, bool compatibility,
                      changes *out) {
    size_t pending = 0; /* what follows the last code point of class 0, that one included */
    for (size_t i = start; i < end;) {
        uint32_t c, parts[NF_UNICODE_MAX_DECOMPOSITION];
        i += nf_utf8_next(from->bytes + i, &c);
        parts[0] = c;
        size_t count = 1;
        if (nf_unicode_flags_of(c) & (NF_UNICODE_HAS_NFD | NF_UNICODE_HAS_NFKD))
            count = nf_unicode_decompose(c, compatibility, parts);
        for (size_t k = 0; k < count; k++) {
            uint8_t class = nf_unicode_combining_class(parts[k]);
            if (class == 0) {
                sort_by_class(out, pending);
                pending = out->count;
            }
            if (!changes_push(out, (change){parts[k], k > 0, class})) return false;
        }
    }
    sort_by_class(out, pending);
    return true;
}

/* Whether any code point of the range has one of the flags, none of which ASCII may have. */
static bool any_of(const nf_text *text, size_t start, size_t end, uint16_t flags) {
    for (size_t i = start; i < end;) {
        if ((unsigned char)text->bytes[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t c;
        i += nf_utf8_next(text->bytes + i, &c);
        if (nf_unicode_flags_of(c) & flags) return true;
    }
    return false;
}

bool nf_normalize_decompose(nf_text *from, size_t start, size_t end, bool compatibility,
                            nf_text *to) {
    uint16_t flags =
        NF_UNICODE_HAS_CLASS |
        (compatibility ? NF_UNICODE_HAS_NFKD | NF_UNICODE_HAS_NFD : NF_UNICODE_HAS_NFD);
    if (!any_of(from, start, end, flags)) return nf_text_append(to, from, start, end);
    changes list = {0};
    nf_rewrite rewrite;
    bool ok = decompose(from, start, end, compatibility, &list) &&
              nf_rewrite_begin(&rewrite, from, start, end, 0, to);
    for (size_t i = 0; ok && i < list.count; i++)
        ok = nf_rewrite_emit(&rewrite, list.items[i].code_point, list.items[i].change);
    changes_free(&list);
    return ok;
}

/* Emits the code point that others compose with, and the marks that found nothing to join. */
static bool flush(nf_rewrite *rewrite, const change *starter, changes *waiting) {
    bool ok = nf_rewrite_emit(rewrite, starter->code_point, starter->change);
    for (size_t i = 0; ok && i < waiting->count; i++)
        ok = nf_rewrite_emit(rewrite, waiting->items[i].code_point, waiting->items[i].change);
    waiting->count = 0;
    return ok;
}

static bool compose(const changes *list, changes *waiting, nf_rewrite *rewrite) {
    change starter = {0};
    bool started = false;
    for (size_t i = 0; i < list->count; i++) {
        change next = list->items[i];
        if (!started) {
            started = next.class == 0;
            if (started)
                starter = next;
            else if (!nf_rewrite_emit(rewrite, next.code_point, next.change))
                return false;
            continue;
        }
        /* A waiting mark of the same or a higher class stands between the two. */
        bool blocked = waiting->count > 0 && waiting->items[waiting->count - 1].class >= next.class;
        uint32_t joined =
            blocked ? 0 : nf_unicode_compose_pair(starter.code_point, next.code_point);
        if (joined) {
            starter.code_point = joined;
            starter.change += next.change - 1;
        } else if (next.class == 0) {
            if (!flush(rewrite, &starter, waiting)) return false;
            starter = next;
        } else if (!changes_push(waiting, next)) {
            return false;
        }
    }
    return !started || flush(rewrite, &starter, waiting);
}

bool nf_normalize_compose(nf_text *from, size_t start, size_t end, bool compatibility,
                          nf_text *to) {
    uint16_t flags = NF_UNICODE_NOT_NFC | (compatibility ? NF_UNICODE_HAS_NFKD : 0);
    if (!any_of(from, start, end, flags)) return nf_text_append(to, from, start, end);
    changes list = {0}, waiting = {0};
    nf_rewrite rewrite;
    bool ok = decompose(from, start, end, compatibility, &list) &&
              nf_rewrite_begin(&rewrite, from, start, end, 0, to) &&
              compose(&list, &waiting, &rewrite);
    changes_free(&list);
    changes_free(&waiting);
    return ok;
}

bool nf_normalize_lowercase(nf_text *from, size_t start, size_t end, nf_text *to) {
    nf_rewrite rewrite;
    if (!nf_rewrite_begin(&rewrite, from, start, end, 0, to)) return false;
    for (size_t i = start; i < end;) {
        uint32_t c, lower[2];
        i += nf_utf8_next(from->bytes + i, &c);
        size_t count = nf_unicode_to_lower(c, lower);
        for (size_t k = 0; k < count; k++)
            if (!nf_rewrite_emit(&rewrite, lower[k], k > 0)) return false;
    }
    return true;
}

bool nf_normalize_drop(nf_text *from, size_t start, size_t end, uint16_t flags, nf_text *to) {
    nf_rewrite rewrite;
    size_t i = start;
    uint32_t kept = 0, c;
    while (i < end) { /* what is dropped at the beginning */
        size_t size = nf_utf8_next(from->bytes + i, &kept);
        if (!(nf_unicode_flags_of(kept) & flags)) break;
        i += size;
    }
    if (i == end) return true;
    if (!nf_rewrite_begin(&rewrite, from, start, end, i - start, to)) return false;
    i += nf_utf8_next(from->bytes + i, &kept);
    long dropped = 0;
    while (i < end) {
        i += nf_utf8_next(from->bytes + i, &c);
        if (nf_unicode_flags_of(c) & flags) {
            dropped++;
            continue;
        }
        if (!nf_rewrite_emit(&rewrite, kept, -dropped)) return false;
        kept = c;
        dropped = 0;
    }
    return nf_rewrite_emit(&rewrite, kept, -dropped);
}

/* ---- the normalizers themselves */

static bool nfc_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                      size_t end, nf_text *to) {
    (void)self, (void)work;
    return nf_normalize_compose(from, start, end, false, to);
}

static bool nfkc_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                       size_t end, nf_text *to) {
    (void)self, (void)work;
    return nf_normalize_compose(from, start, end, true, to);
}

static bool nfd_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                      size_t end, nf_text *to) {
    (void)self, (void)work;
    return nf_normalize_decompose(from, start, end, false, to);
}

static bool nfkd_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                       size_t end, nf_text *to) {
    (void)self, (void)work;
    return nf_normalize_decompose(from, start, end, true, to);
}

static bool lowercase_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                            size_t end, nf_text *to) {
    (void)self, (void)work;
    return nf_normalize_lowercase(from, start, end, to);
}

static bool strip_accents_apply(const nf_normalizer *self, nf_work *work, nf_text *from,
                                size_t start, size_t end, nf_text *to) {
    (void)self, (void)work;
    if (!any_of(from, start, end, NF_UNICODE_COMBINING))
        return nf_text_append(to, from, start, end);
    return nf_normalize_drop(from, start, end, NF_UNICODE_COMBINING, to);
}

#define PLAIN_NORMALIZER(name)                                                                     \
    nerfit_status nf_normalizer_##name##_load(void **out, const json_t *json, nf_load *load) {     \
        (void)json;                                                                                \
        NF_TRY(nf_component_new(out, sizeof(nf_normalizer), load));                                \
        ((nf_normalizer *)*out)->apply = name##_apply;                                             \
        return NERFIT_OK;                                                                          \
    }
PLAIN_NORMALIZER(nfc)
PLAIN_NORMALIZER(nfd)
PLAIN_NORMALIZER(nfkc)
PLAIN_NORMALIZER(nfkd)
PLAIN_NORMALIZER(lowercase)
PLAIN_NORMALIZER(strip_accents)
