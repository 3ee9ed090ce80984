/* Metaspace: each blank becomes a visible mark (SentencePiece's U+2581), one more is put in front,
 * and every mark begins a new piece. The mark in front stands for the first character, as
 * `NormalizedString::prepend` has it. */
#include <string.h>

#include "base/utf8.h"
#include "text/pre_tokenizer.h"
#include "text/unicode.h"

typedef enum scheme { ALWAYS, FIRST, NEVER } scheme;

enum { MARK_ROOM = 4 }; /* bytes of the longest mark */

typedef struct metaspace {
    nf_pre_tokenizer base;
    char mark[MARK_ROOM + 1];
    size_t size; /* of the mark */
    scheme scheme;
    bool split;
} metaspace;

/* Writes MARK_ROOM places, whatever the mark's size: a copy of known length is two instructions. */
static void put_mark(const metaspace *m, const nf_text *from, size_t at, nf_text *to) {
    uint32_t start = from->starts[at], end = from->ends[at];
    uint32_t *starts = to->own_starts + to->length, *ends = to->own_ends + to->length;
    memcpy(to->own_bytes + to->length, m->mark, MARK_ROOM);
    for (size_t i = 0; i < MARK_ROOM; i++) starts[i] = start;
    for (size_t i = 0; i < MARK_ROOM; i++) ends[i] = end;
    to->length += m->size;
}

static bool put_piece(const metaspace *m, nf_work *work, const nf_text *from, nf_piece piece,
                      nf_text *to) {
    const char *bytes = from->bytes;
    size_t length = piece.end - piece.start;
    /* Room for the case that all are blanks. */
    if (!nf_text_reserve(to, (length + 1) * m->size + MARK_ROOM)) return false;
    bool marked = bytes[piece.start] == ' ' ||
                  (length >= m->size && memcmp(bytes + piece.start, m->mark, m->size) == 0);
    size_t start = to->length; /* of the piece that is being written */
    if (!marked && (m->scheme == ALWAYS || (m->scheme == FIRST && from->starts[piece.start] == 0)))
        put_mark(m, from, piece.start, to);
    for (size_t i = piece.start; i < piece.end;) {
        size_t end = i;
        while (end < piece.end && bytes[end] != ' ' && bytes[end] != m->mark[0]) end++;
        if (end > i) {
            memcpy(to->own_bytes + to->length, bytes + i, end - i);
            memcpy(to->own_starts + to->length, from->starts + i, (end - i) * sizeof(uint32_t));
            memcpy(to->own_ends + to->length, from->ends + i, (end - i) * sizeof(uint32_t));
            to->length += end - i;
            i = end;
        } else {
            bool blank = bytes[i] == ' ';
            size_t size = nf_utf8_size((unsigned char)bytes[i]);
            bool mark = blank || (size == m->size && memcmp(bytes + i, m->mark, size) == 0);
            if (mark && m->split) {
                if (!nf_pieces_push(&work->pieces, start, to->length, -1)) return false;
                start = to->length;
            }
            if (mark) {
                put_mark(m, from, i, to);
            } else {
                memcpy(to->own_bytes + to->length, bytes + i, size);
                memcpy(to->own_starts + to->length, from->starts + i, size * sizeof(uint32_t));
                memcpy(to->own_ends + to->length, from->ends + i, size * sizeof(uint32_t));
                to->length += size;
            }
            i += size;
        }
    }
    return nf_pieces_push(&work->pieces, start, to->length, -1);
}

static bool metaspace_split(const nf_pre_tokenizer *self, nf_work *work) {
    const metaspace *m = (const metaspace *)self;
    nf_text *from = work->text, *to = nf_work_other_stage(work);
    if (!nf_text_align(from) || !nf_text_align(to)) return false;
    nf_work_take_pieces(work);
    for (size_t i = 0; i < work->previous.count; i++) {
        nf_piece piece = work->previous.items[i];
        size_t start = to->length;
        if (piece.token < 0) {
            if (!put_piece(m, work, from, piece, to)) return false;
        } else if (!nf_text_append(to, from, piece.start, piece.end) ||
                   !nf_pieces_push(&work->pieces, start, to->length, piece.token)) {
            return false;
        }
    }
    work->text = to;
    return true;
}

static nerfit_status load_scheme(metaspace *m, const json_t *json, const char *what,
                                 nf_load *load) {
    static const char *const names[] = {"always", "first", "never"};
    const char *name;
    NF_TRY(nf_field_text(&name, json, "prepend_scheme", "always", what, load));
    size_t i = 0;
    while (i < NF_COUNT(names) && strcmp(names[i], name) != 0) i++;
    if (i == NF_COUNT(names))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"prepend_scheme\" is \"%.40s\"; known are always, first, never",
                          what, name);
    m->scheme = (scheme)i;
    bool prefix;
    NF_TRY(nf_field_bool(&prefix, json, "add_prefix_space", true, what, load));
    if (!prefix && m->scheme != NEVER)
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"add_prefix_space\" is false, but \"prepend_scheme\" is \"%s\"; it "
                          "must be \"never\"",
                          what, name);
    return NERFIT_OK;
}

nerfit_status nf_pre_tokenizer_metaspace_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "pre-tokenizer Metaspace";
    NF_TRY(nf_component_new(out, sizeof(metaspace), load));
    metaspace *m = *out;
    m->base.split = metaspace_split;
    const char *mark;
    NF_TRY(nf_field_text(&mark, json, "replacement", NULL, what, load));
    uint32_t c;
    if (!mark || !*mark || mark[nf_utf8_next(mark, &c)])
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"replacement\" must be one character", what);
    m->size = strlen(mark);
    memcpy(m->mark, mark, m->size);
    NF_TRY(load_scheme(m, json, what, load));
    return nf_field_bool(&m->split, json, "split", true, what, load);
}
