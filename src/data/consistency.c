#include "data/consistency.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/fnv.h"
#include "base/hash.h"
#include "base/str.h"
#include "data/offsets.h"
#include "data/words.h"

enum { SHOWN = 60 };

/* Calls `each` for every document, in order. */
typedef nerfit_status document_visit(void *user, const nf_document *document, size_t corpus,
                                     nerfit_error *err);
static nerfit_status visit_all(const nf_corpus *const *corpora, size_t count, document_visit *each,
                               void *user, nerfit_error *err) {
    for (size_t c = 0; c < count; c++)
        for (size_t i = 0; i < corpora[c]->n_documents; i++)
            NF_TRY(each(user, &corpora[c]->documents[i], c, err));
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- edges inside words */

/* The word that holds both the code point before `edge` and the one behind it; NULL if none. */
static const nf_word *word_around(const nf_word *words, size_t count, uint32_t edge) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (words[middle].end <= edge)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && words[low].start < edge ? &words[low] : NULL;
}

static nerfit_status check_edges(void *user, const nf_document *d, size_t corpus,
                                 nerfit_error *err) {
    nf_word *words;
    size_t count;
    (void)corpus;
    if (!d->n_spans || d->n_words) return NERFIT_OK;
    NF_TRY(nf_words_of_text(&words, &count, d->text, d->text_size, err));
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < d->n_spans && status == NERFIT_OK; i++) {
        const nf_span *s = &d->spans[i];
        const nf_word *word = word_around(words, count, s->start);
        bool starts = word != NULL;
        if (!word) word = word_around(words, count, s->end);
        if (!word) continue;
        size_t from = nf_utf8_offset(d->text, d->text_size, word->start);
        size_t to = nf_utf8_offset(d->text, d->text_size, word->end);
        nf_finding finding = {.kind = NF_FINDING_INSIDE_WORD,
                              .file = d->file,
                              .line = d->line,
                              .entity = i + 1,
                              .label = s->label};
        status = nf_annotation_report_tell(
            user, finding, err, "entity %zu (\"%s\", %u..%u) %s inside the word \"%.*s\"", i + 1,
            s->label, s->start, s->end, starts ? "begins" : "ends",
            (int)nf_utf8_cut(d->text + from, to - from, SHOWN), d->text + from);
    }
    free(words);
    return status;
}

nerfit_status nf_check_word_edges(const nf_corpus *const *corpora, size_t count,
                                  nf_annotation_report *report, nerfit_error *err) {
    return visit_all(corpora, count, check_edges, report, err);
}

/* ---------------------------------------------------------------- labels of the same words */

enum { MOST_LABELS = 4, MOST_WORDS = 8 };

/* Words that are an entity somewhere. */
typedef struct phrase {
    const char *text;
    size_t size;
    const char *labels[MOST_LABELS]; /* the first few that differ */
    size_t counts[MOST_LABELS];
    const nf_document *first[MOST_LABELS];
    size_t n_labels, unlabelled;
    const nf_document *left_out; /* the first text that leaves it unlabelled */
    UT_hash_handle hh;
} phrase;

typedef struct label_checker {
    nf_arena arena;
    phrase *phrases;
    nf_annotation_report *report;
} label_checker;

static bool says_something(const char *text, size_t size) {
    uint32_t c;
    size_t letters = 0;
    for (size_t at = 0, step; at < size; at += step) {
        if (!(step = nf_utf8_decode(text + at, size - at, &c))) return false;
        utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
        letters += category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
    }
    return letters >= 2;
}

static nerfit_status count_label(label_checker *checker, const char *text, size_t size,
                                 const char *label, const nf_document *d, nerfit_error *err) {
    phrase *p;
    HASH_FIND(hh, checker->phrases, text, size, p);
    if (!p) {
        p = nf_arena_calloc(&checker->arena, 1, sizeof *p);
        if (!p) return nf_no_memory(err, sizeof *p);
        p->text = text;
        p->size = size;
        HASH_ADD_KEYPTR(hh, checker->phrases, p->text, size, p);
        if (!p->hh.tbl) return nf_no_memory(err, size);
    }
    size_t i = nf_list_index(p->labels, p->n_labels, label);
    if (i == MOST_LABELS) return NERFIT_OK;
    if (i == p->n_labels) {
        p->labels[i] = label;
        p->first[i] = d;
        p->n_labels++;
    }
    p->counts[i]++;
    return NERFIT_OK;
}

static nerfit_status count_labels(void *user, const nf_document *d, size_t corpus,
                                  nerfit_error *err) {
    (void)corpus;
    nf_utf8_place place = {.text = d->text, .size = d->text_size};
    for (size_t i = 0; i < d->n_spans; i++) {
        nf_utf8_go_to(&place, d->spans[i].start);
        size_t from = place.byte;
        nf_utf8_go_to(&place, d->spans[i].end);
        NF_TRY(count_label(user, d->text + from, place.byte - from, d->spans[i].label, d, err));
    }
    return NERFIT_OK;
}

static bool overlaps_span(const nf_document *d, uint32_t start, uint32_t end) {
    for (size_t i = 0; i < d->n_spans && d->spans[i].start < end; i++)
        if (d->spans[i].end > start) return true;
    return false;
}

/* Every run of words that is an entity elsewhere and none here, the longest from each word. */
static nerfit_status count_unlabelled(void *user, const nf_document *d, size_t corpus,
                                      nerfit_error *err) {
    label_checker *checker = user;
    nf_word *words;
    size_t count;
    (void)corpus;
    NF_TRY(nf_words_of_text(&words, &count, d->text, d->text_size, err));
    nf_utf8_place place = {.text = d->text, .size = d->text_size};
    for (size_t i = 0; i < count;) {
        size_t last = i + MOST_WORDS < count ? i + MOST_WORDS : count, step = 1;
        nf_utf8_go_to(&place, words[i].start);
        size_t from = place.byte;
        for (size_t k = last; k > i && step == 1; k--) {
            phrase *p;
            nf_utf8_go_to(&place, words[k - 1].end);
            HASH_FIND(hh, checker->phrases, d->text + from, place.byte - from, p);
            if (!p || overlaps_span(d, words[i].start, words[k - 1].end)) continue;
            if (!p->left_out) p->left_out = d;
            p->unlabelled++;
            step = k - i;
        }
        i += step;
    }
    free(words);
    return NERFIT_OK;
}

static nerfit_status tell_labels(label_checker *checker, const phrase *p, nerfit_error *err) {
    nf_str list = {0};
    nf_finding finding = {.kind = NF_FINDING_INCONSISTENT,
                          .file = p->first[1]->file,
                          .line = p->first[1]->line,
                          .label = p->labels[1]};
    for (size_t i = 0; i < p->n_labels; i++)
        nf_str_appendf(&list, "%s\"%s\" %zu time%s", i ? ", " : "", p->labels[i], p->counts[i],
                       p->counts[i] == 1 ? "" : "s");
    nerfit_status status =
        list.failed ? nf_no_memory(err, 0)
                    : nf_annotation_report_tell(checker->report, finding, err,
                                                "\"%.*s\" is labelled in %zu ways: %s; here \"%s\"",
                                                (int)nf_utf8_cut(p->text, p->size, SHOWN), p->text,
                                                p->n_labels, nf_str_text(&list), p->labels[1]);
    nf_str_free(&list);
    return status;
}

static nerfit_status tell_unlabelled(label_checker *checker, const phrase *p, nerfit_error *err) {
    size_t labelled = 0;
    for (size_t i = 0; i < p->n_labels; i++) labelled += p->counts[i];
    nf_finding finding = {.kind = NF_FINDING_UNLABELLED,
                          .file = p->left_out->file,
                          .line = p->left_out->line,
                          .label = p->labels[0]};
    return nf_annotation_report_tell(
        checker->report, finding, err,
        "\"%.*s\" is an entity in %zu place%s (\"%s\"%s), and none in %zu, as "
        "here",
        (int)nf_utf8_cut(p->text, p->size, SHOWN), p->text, labelled, labelled == 1 ? "" : "s",
        p->labels[0], p->n_labels > 1 ? ", ..." : "", p->unlabelled);
}

nerfit_status nf_check_labels(const nf_corpus *const *corpora, size_t count,
                              nf_annotation_report *report, nerfit_error *err) {
    label_checker checker = {.report = report};
    nerfit_status status = visit_all(corpora, count, count_labels, &checker, err);
    if (status == NERFIT_OK) status = visit_all(corpora, count, count_unlabelled, &checker, err);
    for (phrase *p = checker.phrases; p && status == NERFIT_OK; p = p->hh.next) {
        if (!says_something(p->text, p->size)) continue;
        if (p->n_labels > 1) status = tell_labels(&checker, p, err);
        if (p->unlabelled && status == NERFIT_OK) status = tell_unlabelled(&checker, p, err);
    }
    HASH_CLEAR(hh, checker.phrases);
    nf_arena_free(&checker.arena);
    return status;
}

/* ---------------------------------------------------------------- nearly the same texts */

enum { MOST_WITH_TRIPLE = 32 };

typedef struct known_document {
    const nf_document *document;
    size_t corpus;
    uint64_t letters;  /* hash of the text's letters and digits */
    uint64_t *triples; /* [n_triples] hashes, sorted, each once */
    size_t n_triples;
    uint32_t shared, mark; /* with the document that is looked at */
} known_document;

/* A triple of words, or all letters of a text, and the documents that have it. */
typedef struct trace {
    uint64_t key;
    uint32_t documents[MOST_WITH_TRIPLE];
    size_t count;
    UT_hash_handle hh;
} trace;

typedef struct repeat_checker {
    nf_arena arena;
    known_document *known;
    size_t n_known;
    trace *traces;
    nf_annotation_report *report;
} repeat_checker;

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t hash_folded(uint64_t hash, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        hash = nf_hash_step(hash, (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
    }
    return hash;
}

static bool is_wordy(const char *text, size_t size) {
    return size && ((unsigned char)text[0] >= 0x80 || (text[0] | 32) >= 'a' ||
                    (text[0] >= '0' && text[0] <= '9'));
}

static nerfit_status make_traces(repeat_checker *checker, known_document *k, nerfit_error *err) {
    const nf_document *d = k->document;
    nf_word *words;
    size_t count, n = 0;
    NF_TRY(nf_words_of_text(&words, &count, d->text, d->text_size, err));
    uint64_t *hashes = nf_arena_calloc(&checker->arena, count + 1, sizeof *hashes);
    if (!hashes) {
        free(words);
        return nf_no_memory(err, count * sizeof *hashes);
    }
    nf_utf8_place place = {.text = d->text, .size = d->text_size};
    k->letters = NF_HASH_START;
    for (size_t i = 0; i < count; i++) {
        nf_utf8_go_to(&place, words[i].start);
        size_t from = place.byte;
        nf_utf8_go_to(&place, words[i].end);
        if (!is_wordy(d->text + from, place.byte - from)) continue;
        hashes[n++] = hash_folded(NF_HASH_START, d->text + from, place.byte - from);
        k->letters = hash_folded(k->letters, d->text + from, place.byte - from);
    }
    free(words);
    for (size_t i = 0; i + 2 < n; i++)
        hashes[i] = (hashes[i] * 31 + hashes[i + 1]) * 31 + hashes[i + 2];
    n = n > 2 ? n - 2 : 0;
    if (n) qsort(hashes, n, sizeof *hashes, by_value);
    for (size_t i = 0; i < n; i++)
        if (!k->n_triples || hashes[i] != hashes[k->n_triples - 1])
            hashes[k->n_triples++] = hashes[i];
    k->triples = hashes;
    return NERFIT_OK;
}

/* The documents that have a trace; made, with `index` added, if `add`. */
static nerfit_status trace_of(repeat_checker *checker, uint64_t key, uint32_t index, bool add,
                              trace **out, nerfit_error *err) {
    HASH_FIND(hh, checker->traces, &key, sizeof key, *out);
    if (!add) return NERFIT_OK;
    if (!*out) {
        *out = nf_arena_calloc(&checker->arena, 1, sizeof **out);
        if (!*out) return nf_no_memory(err, sizeof **out);
        (*out)->key = key;
        HASH_ADD(hh, checker->traces, key, sizeof key, *out);
        if (!(*out)->hh.tbl) return nf_no_memory(err, sizeof key);
    }
    if ((*out)->count < MOST_WITH_TRIPLE) (*out)->documents[(*out)->count++] = index;
    return NERFIT_OK;
}

static bool same_text(const nf_document *a, const nf_document *b) {
    return a->text_size == b->text_size && memcmp(a->text, b->text, a->text_size) == 0;
}

/* The most alike document of another corpus that came before; NULL if none is alike enough. */
static nerfit_status find_alike(repeat_checker *checker, uint32_t index, known_document **best,
                                nerfit_error *err) {
    known_document *k = &checker->known[index];
    size_t most = 0;
    trace *t;
    *best = NULL;
    NF_TRY(trace_of(checker, k->letters, index, false, &t, err));
    for (size_t i = 0; t && i < t->count; i++) {
        known_document *other = &checker->known[t->documents[i]];
        if (other->corpus != k->corpus && other->letters == k->letters &&
            !same_text(other->document, k->document) && k->n_triples)
            return *best = other, NERFIT_OK;
    }
    for (size_t i = 0; i < k->n_triples; i++) {
        NF_TRY(trace_of(checker, k->triples[i], index, false, &t, err));
        for (size_t j = 0; t && j < t->count; j++) {
            known_document *other = &checker->known[t->documents[j]];
            if (other->corpus == k->corpus) continue;
            if (other->mark != index + 1) other->mark = index + 1, other->shared = 0;
            size_t shared = ++other->shared, all = k->n_triples + other->n_triples - shared;
            if (k->n_triples < 3 || shared * 10 < all * 8 || shared <= most ||
                same_text(other->document, k->document))
                continue;
            *best = other;
            most = shared;
        }
    }
    return NERFIT_OK;
}

static nerfit_status check_repeat(void *user, const nf_document *d, size_t corpus,
                                  nerfit_error *err) {
    repeat_checker *checker = user;
    uint32_t index = (uint32_t)checker->n_known++;
    known_document *k = &checker->known[index], *alike;
    trace *t;
    *k = (known_document){.document = d, .corpus = corpus};
    NF_TRY(make_traces(checker, k, err));
    NF_TRY(find_alike(checker, index, &alike, err));
    if (alike) {
        nf_finding finding = {.kind = NF_FINDING_NEARLY_REPEATED, .file = d->file, .line = d->line};
        NF_TRY(nf_annotation_report_tell(checker->report, finding, err,
                                         "nearly the text of %s:%ld, in another file",
                                         alike->document->file, alike->document->line));
    }
    NF_TRY(trace_of(checker, k->letters, index, true, &t, err));
    for (size_t i = 0; i < k->n_triples; i++)
        NF_TRY(trace_of(checker, k->triples[i], index, true, &t, err));
    return NERFIT_OK;
}

nerfit_status nf_check_near_repeats(const nf_corpus *const *corpora, size_t count,
                                    nf_annotation_report *report, nerfit_error *err) {
    repeat_checker checker = {.report = report};
    size_t all = 0;
    for (size_t i = 0; i < count; i++) all += corpora[i]->n_documents;
    if (count < 2) return NERFIT_OK;
    checker.known = nf_arena_calloc(&checker.arena, all + 1, sizeof *checker.known);
    nerfit_status status = checker.known ? visit_all(corpora, count, check_repeat, &checker, err)
                                         : nf_no_memory(err, all * sizeof *checker.known);
    HASH_CLEAR(hh, checker.traces);
    nf_arena_free(&checker.arena);
    return status;
}

/* ---------------------------------------------------------------- characters */

/* What is odd about a text's characters; NULL: nothing. */
static const char *odd_character(const nf_document *d) {
    uint32_t c, before = 0;
    for (size_t at = 0, step; at < d->text_size; at += step, before = c) {
        if (!(step = nf_utf8_decode(d->text + at, d->text_size - at, &c))) return NULL;
        if (c == 0xFFFD) return "a replacement character (U+FFFD): bytes were lost before";
        if (c == 0xFEFF) return "a byte order mark (U+FEFF) in the text";
        if ((before == 0xC3 || before == 0xC2) && c >= 0x80 && c < 0xC0)
            return "what looks like UTF-8 that was read as Latin-1";
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return "a control character";
        if (c >= 0x80 && c < 0xA0) return "a control character (U+0080 to U+009F)";
        if (c == 0x2028 || c == 0x2029) return "a line or paragraph separator (U+2028, U+2029)";
    }
    return NULL;
}

/* Whether the text has letters that are composed of marks, and whether such are one character. */
static void look_at_forms(const nf_document *d, bool *decomposed, bool *composed) {
    uint32_t c, before = 0;
    for (size_t at = 0, step; at < d->text_size; at += step, before = c) {
        if (!(step = nf_utf8_decode(d->text + at, d->text_size - at, &c))) return;
        utf8proc_int32_t parts[4];
        int class = 0;
        if (c >= 0x300 && c < 0x370 && ((before | 32) >= 'a' && (before | 32) <= 'z'))
            *decomposed = true;
        if (c >= 0xC0 && c < 0x250 &&
            utf8proc_decompose_char((utf8proc_int32_t)c, parts, 4, UTF8PROC_DECOMPOSE, &class) > 1)
            *composed = true;
    }
}

nerfit_status nf_check_characters(const nf_corpus *const *corpora, size_t count,
                                  nf_annotation_report *report, nerfit_error *err) {
    for (size_t c = 0; c < count; c++) {
        const nf_document *first = NULL;
        size_t n_decomposed = 0, n_composed = 0;
        for (size_t i = 0; i < corpora[c]->n_documents; i++) {
            const nf_document *d = &corpora[c]->documents[i];
            const char *odd = odd_character(d);
            bool decomposed = false, composed = false;
            nf_finding finding = {.kind = NF_FINDING_BYTES, .file = d->file, .line = d->line};
            if (odd) NF_TRY(nf_annotation_report_tell(report, finding, err, "has %s", odd));
            look_at_forms(d, &decomposed, &composed);
            if (decomposed && !first) first = d;
            n_decomposed += decomposed;
            n_composed += composed;
        }
        if (!n_decomposed || !n_composed) continue;
        nf_finding finding = {.kind = NF_FINDING_BYTES, .file = first->file, .line = first->line};
        NF_TRY(nf_annotation_report_tell(
            report, finding, err,
            "%zu texts have letters with combining marks (NFD), as here, and %zu "
            "letters that are one character (NFC): the same word is spelled in "
            "two ways",
            n_decomposed, n_composed));
    }
    return NERFIT_OK;
}
