/* ByteLevel: splits by GPT-2's pattern
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * which is written out by hand here: every code point is a letter, a number, white space or
 * something else, and the pattern's matches are runs of one kind, with at most one blank in front.
 * The alphabet itself is not written (see component.h). */
#include "text/byte_level.h"

#include "text/pre_tokenizer.h"
#include "text/unicode.h"

uint32_t nf_byte_level_character(unsigned char byte) {
    if ((byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE) return byte;
    /* The others follow from U+0100 on, in order. */
    if (byte <= ' ') return 0x100u + byte;
    if (byte <= 0xA0) return 0x121u + (byte - 0x7Fu);
    return 0x143;
}

size_t nf_byte_level_decode(const char *text, size_t length, char *out) {
    size_t count = 0;
    for (size_t i = 0; i < length;) {
        uint32_t c;
        i += nf_utf8_next(text + i, &c);
        uint32_t byte = c;
        if (c >= 0x100 && c <= 0x120)
            byte = c - 0x100;
        else if (c >= 0x121 && c <= 0x142)
            byte = c - 0x121 + 0x7F;
        else if (c == 0x143)
            byte = 0xAD;
        if (byte > 0xFF || nf_byte_level_character((unsigned char)byte) != c) return SIZE_MAX;
        out[count++] = (char)byte;
    }
    return count;
}

bool nf_byte_level_write(nf_text *from, size_t start, size_t end, nf_text *to) {
    nf_rewrite rewrite;
    if (!nf_rewrite_begin(&rewrite, from, start, end, 0, to)) return false;
    for (size_t i = start; i < end; i++) {
        unsigned char byte = (unsigned char)from->bytes[i];
        if (!nf_rewrite_emit(&rewrite, nf_byte_level_character(byte), (byte & 0xC0) == 0x80))
            return false;
    }
    return true;
}

typedef struct byte_level {
    nf_pre_tokenizer base;
    bool add_prefix_space, use_regex;
    bool write; /* the alphabet */
} byte_level;

enum { OTHER, LETTER, NUMBER, SPACE };

static const uint8_t ascii_kind[128] =
    {
        ['\t'] = SPACE, ['\n'] = SPACE, ['\v'] = SPACE, ['\f'] = SPACE, ['\r'] = SPACE,
        [' '] = SPACE,  ['0'] = NUMBER, NUMBER,         NUMBER,         NUMBER,
        NUMBER,         NUMBER,         NUMBER,         NUMBER,         NUMBER,
        NUMBER,         ['A'] = LETTER, LETTER,         LETTER,         LETTER,
        LETTER,         LETTER,         LETTER,         LETTER,         LETTER,
        LETTER,         LETTER,         LETTER,         LETTER,         LETTER,
        LETTER,         LETTER,         LETTER,         LETTER,         LETTER,
        LETTER,         LETTER,         LETTER,         LETTER,         LETTER,
        LETTER,         LETTER,         ['a'] = LETTER, LETTER,         LETTER,
        LETTER,         LETTER,         LETTER,         LETTER,         LETTER,
        LETTER,         LETTER,         LETTER,         LETTER,         LETTER,
        LETTER,         LETTER,         LETTER,         LETTER,         LETTER,
        LETTER,         LETTER,         LETTER,         LETTER,         LETTER,
        LETTER,         LETTER,         LETTER,
};

/* The kind of the code point at `at`, and its size. */
static inline unsigned kind_at(const char *bytes, size_t at, size_t *size) {
    unsigned char byte = (unsigned char)bytes[at];
    if (byte < 0x80) {
        *size = 1;
        return ascii_kind[byte];
    }
    uint32_t c;
    *size = nf_utf8_next(bytes + at, &c);
    uint16_t flags = nf_unicode_flags_of(c);
    return flags & NF_UNICODE_LETTER   ? LETTER
           : flags & NF_UNICODE_NUMBER ? NUMBER
           : flags & NF_UNICODE_SPACE  ? SPACE
                                       : OTHER;
}

/* The size of 's, 't, 're, 've, 'm, 'll or 'd at `at`, where an apostrophe stands; or 0. */
static size_t contraction(const char *bytes, size_t at, size_t end) {
    if (end - at < 2) return 0;
    char a = bytes[at + 1], b = end - at > 2 ? bytes[at + 2] : '\0';
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return 0;
}

/* The end of the match that begins at `at`. */
static size_t match_end(const char *bytes, size_t at, size_t end) {
    if (bytes[at] == '\'') {
        size_t size = contraction(bytes, at, end);
        if (size) return at + size;
    }
    size_t size;
    unsigned kind = kind_at(bytes, at, &size);
    size_t i = at + size;
    if (kind == SPACE) {
        if (i == end) return i;
        unsigned next = kind_at(bytes, i, &size);
        if (next != SPACE) {
            if (bytes[at] != ' ') return i;
            kind = next; /* one blank goes with the run behind it */
            i += size;
        } else {
            /* A run of white space leaves its last one to what follows, if something does. */
            size_t last = i;
            for (i += size; i < end; i += size) {
                if (kind_at(bytes, i, &size) != SPACE) return last;
                last = i;
            }
            return end;
        }
    }
    while (i < end && kind_at(bytes, i, &size) == kind) i += size;
    return i;
}

/* Writes a new stage in which each piece that does not begin with a blank has one put in front, as
 * `NormalizedString::prepend` does it: the blank stands for the first character. */
static bool add_prefix_spaces(nf_work *work) {
    bool needed = false;
    for (size_t i = 0; i < work->pieces.count; i++) {
        const nf_piece *piece = &work->pieces.items[i];
        needed |= piece->token < 0 && work->text->bytes[piece->start] != ' ';
    }
    if (!needed) return true;
    nf_text *from = work->text, *to = nf_work_other_stage(work);
    nf_work_take_pieces(work);
    for (size_t i = 0; i < work->previous.count; i++) {
        nf_piece piece = work->previous.items[i];
        size_t start = to->length;
        if (piece.token < 0 && from->bytes[piece.start] != ' ') {
            nf_rewrite rewrite;
            if (!nf_rewrite_begin(&rewrite, from, piece.start, piece.end, 0, to) ||
                !nf_rewrite_emit(&rewrite, ' ', 0))
                return false;
        }
        if (!nf_text_append(to, from, piece.start, piece.end) ||
            !nf_pieces_push(&work->pieces, start, to->length, piece.token))
            return false;
    }
    work->text = to;
    return true;
}

/* A new stage with all pieces in the alphabet. */
static bool write_alphabet(nf_work *work) {
    nf_text *from = work->text, *to = nf_work_other_stage(work);
    nf_work_take_pieces(work);
    for (size_t i = 0; i < work->previous.count; i++) {
        nf_piece piece = work->previous.items[i];
        size_t start = to->length;
        bool written = piece.token >= 0 ? nf_text_append(to, from, piece.start, piece.end)
                                        : nf_byte_level_write(from, piece.start, piece.end, to);
        if (!written || !nf_pieces_push(&work->pieces, start, to->length, piece.token))
            return false;
    }
    work->text = to;
    return true;
}

static bool split_by_kind(nf_work *work) {
    nf_work_take_pieces(work);
    const char *bytes = work->text->bytes;
    for (size_t i = 0; i < work->previous.count; i++) {
        nf_piece piece = work->previous.items[i];
        if (piece.token >= 0) {
            if (!nf_pieces_push(&work->pieces, piece.start, piece.end, piece.token)) return false;
            continue;
        }
        for (size_t at = piece.start, end; at < piece.end; at = end) {
            end = match_end(bytes, at, piece.end);
            if (!nf_pieces_push(&work->pieces, at, end, -1)) return false;
        }
    }
    return true;
}

static bool byte_level_split(const nf_pre_tokenizer *self, nf_work *work) {
    const byte_level *b = (const byte_level *)self;
    if (b->add_prefix_space && !add_prefix_spaces(work)) return false;
    if (b->use_regex && !split_by_kind(work)) return false;
    return !b->write || write_alphabet(work);
}

void nf_pre_tokenizer_byte_level_write_alphabet(nf_pre_tokenizer *p) {
    ((byte_level *)p)->write = true;
}

nerfit_status nf_pre_tokenizer_byte_level_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "pre-tokenizer ByteLevel";
    NF_TRY(nf_component_new(out, sizeof(byte_level), load));
    byte_level *b = *out;
    bool trim_offsets; /* for the post-processor of this name; `tokenizers` wants it here too */
    NF_TRY(nf_field_bool(&b->add_prefix_space, json, "add_prefix_space", NF_REQUIRED, what, load));
    NF_TRY(nf_field_bool(&trim_offsets, json, "trim_offsets", NF_REQUIRED, what, load));
    NF_TRY(nf_field_bool(&b->use_regex, json, "use_regex", true, what, load));
    b->base.split = byte_level_split;
    b->base.byte_level = true;
    return NERFIT_OK;
}
