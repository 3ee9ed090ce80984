/* spaCy's DocBin (.spacy): zlib over MessagePack. Every token is a row of numbers, one for each
 * attribute; a string's number is its MurmurHash64A (seed 1), or its place among spaCy's symbols,
 * and all strings stand beside. A token is followed by a blank or by nothing; other white space is
 * a token of its own. (spacy 3.8: spacy/tokens/_serialize.py, strings.pyx) */
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>
#include <zlib.h>

#include "base/hash.h"
#include "data/formats/format.h"
#include "data/formats/spacy_symbols.h"
#include "data/words.h"

enum { ORTH = 65, ENT_IOB = 77, ENT_TYPE = 78 };
enum { IOB_MISSING, IOB_IN, IOB_OUT, IOB_BEGIN };
enum { N_SYMBOLS = sizeof spacy_symbols / sizeof *spacy_symbols };
static const size_t MOST_BYTES = (size_t)1 << 31;

static bool looks_like(const char *text, size_t size) {
    return size > 2 && text[0] == 0x78 &&
           ((unsigned char)text[1] == 0x9C || (unsigned char)text[1] == 0xDA || text[1] == 1);
}

/* MurmurHash64A (Austin Appleby, public domain), of little-endian words. */
static uint64_t murmur(const char *text, size_t size) {
    const uint64_t m = UINT64_C(0xc6a4a7935bd1e995);
    uint64_t hash = 1 ^ (size * m);
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t k;
        memcpy(&k, text + at, 8);
        k *= m;
        k ^= k >> 47;
        k *= m;
        hash = (hash ^ k) * m;
    }
    if (at < size) {
        for (size_t i = size; i > at; i--)
            hash ^= (uint64_t)(unsigned char)text[i - 1] << (8 * (i - 1 - at));
        hash *= m;
    }
    hash ^= hash >> 47;
    hash *= m;
    return hash ^ (hash >> 47);
}

static uint64_t number_of(const char *text, size_t size) {
    if (!size) return 0;
    for (size_t i = 1; i < N_SYMBOLS; i++)
        if (strlen(spacy_symbols[i]) == size && memcmp(spacy_symbols[i], text, size) == 0) return i;
    return murmur(text, size);
}

/* ---------------------------------------------------------------- reading */

typedef struct docbin_string {
    uint64_t number;
    const char *text;
    size_t size;
    UT_hash_handle hh;
} docbin_string;

typedef struct docbin {
    nf_reading *reading;
    nf_arena arena;
    docbin_string *strings;
    const msgpack_object *attrs, *tokens, *spaces, *lengths;
    size_t n_attrs, orth, iob, type; /* columns */
} docbin;

static nerfit_status inflate_all(nf_reading *reading, const char *data, size_t size, nf_str *out) {
    z_stream z = {0};
    char chunk[1 << 14];
    if (inflateInit(&z) != Z_OK) return nf_no_memory(reading->err, size);
    z.next_in = (unsigned char *)(uintptr_t)data;
    int code = Z_OK;
    for (size_t left = size; code == Z_OK && !out->failed && out->length < MOST_BYTES;) {
        if (!z.avail_in && left) {
            z.avail_in = left > (1u << 30) ? 1u << 30 : (unsigned)left;
            left -= z.avail_in;
        }
        z.next_out = (unsigned char *)chunk;
        z.avail_out = sizeof chunk;
        code = inflate(&z, Z_NO_FLUSH);
        nf_str_append(out, chunk, sizeof chunk - z.avail_out);
    }
    inflateEnd(&z);
    if (out->failed || code == Z_MEM_ERROR) return nf_no_memory(reading->err, size);
    if (code == Z_STREAM_END) return NERFIT_OK;
    return nf_reading_malformed(reading, 0, 0, "is no whole DocBin: its zlib stream is broken");
}

static const msgpack_object *member(const msgpack_object *map, const char *key,
                                    msgpack_object_type type) {
    size_t size = strlen(key);
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *kv = &map->via.map.ptr[i];
        if (kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == size &&
            memcmp(kv->key.via.str.ptr, key, size) == 0)
            return kv->val.type == type ? &kv->val : NULL;
    }
    return NULL;
}

static uint64_t word_at(const char *bytes, size_t index) {
    uint64_t value;
    memcpy(&value, bytes + 8 * index, 8);
    return value;
}

static nerfit_status add_string(docbin *b, const char *text, size_t size) {
    docbin_string *s = nf_arena_calloc(&b->arena, 1, sizeof *s);
    if (!s) return nf_no_memory(b->reading->err, sizeof *s);
    *s = (docbin_string){.number = number_of(text, size), .text = text, .size = size};
    docbin_string *known;
    HASH_FIND(hh, b->strings, &s->number, sizeof s->number, known);
    if (known) return NERFIT_OK;
    HASH_ADD(hh, b->strings, number, sizeof s->number, s);
    return s->hh.tbl ? NERFIT_OK : nf_no_memory(b->reading->err, size);
}

/* Its text; false if there is no such string. */
static bool string_of(const docbin *b, uint64_t number, const char **text, size_t *size) {
    docbin_string *s;
    *text = "";
    *size = 0;
    if (!number) return true;
    HASH_FIND(hh, b->strings, &number, sizeof number, s);
    if (s) *text = s->text, *size = s->size;
    if (!s && number < N_SYMBOLS) *text = spacy_symbols[number], *size = strlen(*text);
    return s || number < N_SYMBOLS;
}

/* The parts of the map, and which attribute stands where. */
static nerfit_status open_docbin(docbin *b, const msgpack_object *root) {
    bool good = root->type == MSGPACK_OBJECT_MAP;
    const msgpack_object *strings = good ? member(root, "strings", MSGPACK_OBJECT_ARRAY) : NULL;
    b->attrs = good ? member(root, "attrs", MSGPACK_OBJECT_ARRAY) : NULL;
    b->tokens = good ? member(root, "tokens", MSGPACK_OBJECT_BIN) : NULL;
    b->spaces = good ? member(root, "spaces", MSGPACK_OBJECT_BIN) : NULL;
    b->lengths = good ? member(root, "lengths", MSGPACK_OBJECT_BIN) : NULL;
    if (!strings || !b->attrs || !b->tokens || !b->spaces || !b->lengths)
        return nf_reading_malformed(b->reading, 0, 0,
                                    "is no DocBin: attrs, tokens, spaces, lengths or strings are "
                                    "missing");
    b->n_attrs = b->attrs->via.array.size;
    b->orth = b->iob = b->type = b->n_attrs;
    for (size_t i = 0; i < b->n_attrs; i++) {
        const msgpack_object *attr = &b->attrs->via.array.ptr[i];
        uint64_t id = attr->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? attr->via.u64 : 0;
        if (id == ORTH) b->orth = i;
        if (id == ENT_IOB) b->iob = i;
        if (id == ENT_TYPE) b->type = i;
    }
    if (b->orth == b->n_attrs)
        return nf_reading_malformed(b->reading, 0, 0,
                                    "is a DocBin without the tokens' texts (ORTH)");
    if ((b->iob == b->n_attrs || b->type == b->n_attrs) && !b->reading->texts_only)
        return nf_reading_malformed(b->reading, 0, 0,
                                    "is a DocBin without entities (ENT_IOB and ENT_TYPE); make it "
                                    "with these attributes");
    for (uint32_t i = 0; i < strings->via.array.size; i++) {
        const msgpack_object *s = &strings->via.array.ptr[i];
        if (s->type == MSGPACK_OBJECT_STR) NF_TRY(add_string(b, s->via.str.ptr, s->via.str.size));
    }
    return NERFIT_OK;
}

/* Tokens from `first` on, as one text; *good is false if an error was reported. */
static nerfit_status read_doc(docbin *b, size_t first, size_t count, long number) {
    const char *rows = b->tokens->via.bin.ptr, *spaces = b->spaces->via.bin.ptr;
    bool entities = !b->reading->texts_only;
    nf_str text = {0};
    nf_word *words = malloc((count + 1) * sizeof *words);
    nf_given_span *spans = malloc((count + 1) * sizeof *spans);
    nerfit_status status =
        words && spans ? NERFIT_OK : nf_no_memory(b->reading->err, (count + 1) * sizeof *spans);
    size_t n_spans = 0, n_words = 0;
    uint32_t at = 0;
    bool good = true;
    for (size_t i = first; i < first + count && status == NERFIT_OK && good; i++) {
        const char *word, *label;
        size_t size, label_size;
        uint64_t iob = entities ? word_at(rows, i * b->n_attrs + b->iob) : (uint64_t)IOB_OUT;
        uint64_t type = entities ? word_at(rows, i * b->n_attrs + b->type) : 0;
        good = string_of(b, word_at(rows, i * b->n_attrs + b->orth), &word, &size) &&
               string_of(b, type, &label, &label_size) && nf_utf8_valid(word, size, NULL);
        if (!good) {
            status = nf_reading_malformed(b->reading, number, 0,
                                          "token %zu has a text or label that is not among the "
                                          "DocBin's strings",
                                          i - first + 1);
            break;
        }
        uint32_t end = at + (uint32_t)nf_utf8_count(word, size);
        const char *stripped = word;
        size_t stripped_size = size;
        nf_text_trim(&stripped, &stripped_size);
        if (stripped_size) words[n_words++] = (nf_word){at, end};
        bool goes_on = iob == IOB_IN && n_spans;
        if (goes_on)
            spans[n_spans - 1].end = end;
        else if (iob == IOB_BEGIN || iob == IOB_IN)
            spans[n_spans++] =
                (nf_given_span){.start = at, .end = end, .label = label, .label_size = label_size};
        nf_str_append(&text, word, size);
        at = end;
        if (spaces[i]) nf_str_append_char(&text, ' '), at++;
    }
    if (status == NERFIT_OK && text.failed) status = nf_no_memory(b->reading->err, count);
    nf_given_document given = {.text = nf_str_text(&text),
                               .text_size = text.length,
                               .spans = spans,
                               .n_spans = n_spans,
                               .words = words,
                               .n_words = n_words,
                               .line = number};
    if (status == NERFIT_OK && good) status = nf_reading_add(b->reading, &given);
    nf_str_free(&text);
    free(words);
    free(spans);
    return status;
}

static nerfit_status read_docs(docbin *b) {
    size_t n_docs = b->lengths->via.bin.size / 4, first = 0;
    size_t n_tokens = b->n_attrs ? b->tokens->via.bin.size / 8 / b->n_attrs : 0;
    for (size_t i = 0; i < n_docs; i++) {
        int32_t length;
        memcpy(&length, b->lengths->via.bin.ptr + 4 * i, 4);
        if (length < 0 || (size_t)length > n_tokens - first ||
            first + (size_t)length > b->spaces->via.bin.size)
            return nf_reading_malformed(b->reading, (long)i + 1, 0,
                                        "text %zu has more tokens than the DocBin", i + 1);
        NF_TRY(read_doc(b, first, (size_t)length, (long)i + 1));
        first += (size_t)length;
    }
    return NERFIT_OK;
}

static nerfit_status read_docbin(nf_reading *reading, const char *data, size_t size) {
    nf_str message = {0};
    msgpack_unpacked unpacked;
    docbin b = {.reading = reading};
    size_t before = reading->n_errors;
    nerfit_status status = inflate_all(reading, data, size, &message);
    if (status != NERFIT_OK || reading->n_errors > before) {
        nf_str_free(&message);
        return status;
    }
    msgpack_unpacked_init(&unpacked);
    msgpack_unpack_return code =
        msgpack_unpack_next(&unpacked, nf_str_text(&message), message.length, NULL);
    if (code == MSGPACK_UNPACK_NOMEM_ERROR)
        status = nf_no_memory(reading->err, message.length);
    else if (code != MSGPACK_UNPACK_SUCCESS && code != MSGPACK_UNPACK_EXTRA_BYTES)
        status = nf_reading_malformed(reading, 0, 0, "is no DocBin: its MessagePack is broken");
    else
        status = open_docbin(&b, &unpacked.data);
    if (status == NERFIT_OK && reading->n_errors == before) status = read_docs(&b);
    HASH_CLEAR(hh, b.strings);
    nf_arena_free(&b.arena);
    msgpack_unpacked_destroy(&unpacked);
    nf_str_free(&message);
    return status;
}

/* ---------------------------------------------------------------- writing */

typedef struct docbin_writer {
    nf_arena arena;
    docbin_string *strings;
    nf_str tokens, spaces, lengths;
    nerfit_error *err;
} docbin_writer;

static void append_number(nf_str *out, uint64_t value, size_t size) {
    char bytes[8];
    for (size_t i = 0; i < size; i++) bytes[i] = (char)(value >> (8 * i));
    nf_str_append(out, bytes, size);
}

/* A string's number, and the string kept. */
static nerfit_status use_string(docbin_writer *w, const char *text, size_t size, uint64_t *number) {
    docbin_string *s;
    *number = number_of(text, size);
    HASH_FIND(hh, w->strings, number, sizeof *number, s);
    if (s || !size) return NERFIT_OK;
    s = nf_arena_calloc(&w->arena, 1, sizeof *s);
    if (!s) return nf_no_memory(w->err, sizeof *s);
    *s = (docbin_string){.number = *number, .text = text, .size = size};
    HASH_ADD(hh, w->strings, number, sizeof s->number, s);
    return s->hh.tbl ? NERFIT_OK : nf_no_memory(w->err, size);
}

/* A token between two code points: with the label of the entity that it lies in. */
static nerfit_status add_token(docbin_writer *w, const nf_document *d, nf_utf8_place *place,
                               uint32_t start, uint32_t end, bool space) {
    uint64_t orth, type = 0, iob = IOB_OUT;
    nf_utf8_go_to(place, start);
    size_t from = place->byte;
    nf_utf8_go_to(place, end);
    NF_TRY(use_string(w, d->text + from, place->byte - from, &orth));
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *s = &d->spans[i];
        if (s->start > start || s->end <= start) continue;
        NF_TRY(use_string(w, s->label, strlen(s->label), &type));
        iob = s->start == start ? IOB_BEGIN : IOB_IN;
    }
    append_number(&w->tokens, orth, 8);
    append_number(&w->tokens, iob, 8);
    append_number(&w->tokens, type, 8);
    append_number(&w->spaces, space, 1);
    return NERFIT_OK;
}

/* White space between two code points, but for the blank that belongs to the token before. */
static nerfit_status add_gap(docbin_writer *w, const nf_document *d, nf_utf8_place *place,
                             uint32_t start, uint32_t end, size_t *n_tokens) {
    if (start >= end) return NERFIT_OK;
    ++*n_tokens;
    return add_token(w, d, place, start, end, false);
}

static bool blank_at(const nf_document *d, nf_utf8_place *place, uint32_t index) {
    nf_utf8_go_to(place, index);
    return place->byte < d->text_size && d->text[place->byte] == ' ';
}

static nerfit_status add_document(docbin_writer *w, const nf_document *d) {
    nf_word *words;
    size_t count, n_tokens = 0;
    nf_utf8_place place = {.text = d->text, .size = d->text_size};
    NF_TRY(nf_words_split(&words, &count, d, w->err));
    nerfit_status status = add_gap(w, d, &place, 0, count ? words[0].start : d->length, &n_tokens);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        bool space = blank_at(d, &place, words[i].end);
        uint32_t next = i + 1 < count ? words[i + 1].start : d->length;
        n_tokens++;
        status = add_token(w, d, &place, words[i].start, words[i].end, space);
        if (status == NERFIT_OK)
            status = add_gap(w, d, &place, words[i].end + space, next, &n_tokens);
    }
    free(words);
    append_number(&w->lengths, n_tokens, 4);
    return status;
}

static void pack_text(msgpack_packer *p, const char *text, size_t size) {
    msgpack_pack_str(p, size);
    msgpack_pack_str_body(p, text, size);
}

static void pack_key(msgpack_packer *p, const char *key) {
    pack_text(p, key, strlen(key));
}

static void pack_bytes(msgpack_packer *p, const char *key, const nf_str *bytes) {
    pack_key(p, key);
    msgpack_pack_bin(p, bytes->length);
    msgpack_pack_bin_body(p, nf_str_text(bytes), bytes->length);
}

static int by_text(const docbin_string *a, const docbin_string *b) {
    size_t shorter = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->text, b->text, shorter);
    return order ? order : a->size < b->size ? -1 : a->size > b->size;
}

static int append_packed(void *user, const char *bytes, size_t size) {
    return nf_str_append(user, bytes, size) ? 0 : -1;
}

static void pack(docbin_writer *w, size_t n_documents, nf_str *out) {
    msgpack_packer p;
    msgpack_packer_init(&p, out, append_packed);
    msgpack_pack_map(&p, 9);
    pack_key(&p, "version");
    pack_key(&p, "0.1");
    pack_key(&p, "attrs");
    msgpack_pack_array(&p, 3);
    msgpack_pack_int(&p, ORTH);
    msgpack_pack_int(&p, ENT_IOB);
    msgpack_pack_int(&p, ENT_TYPE);
    pack_bytes(&p, "tokens", &w->tokens);
    pack_bytes(&p, "spaces", &w->spaces);
    pack_bytes(&p, "lengths", &w->lengths);
    HASH_SORT(w->strings, by_text);
    pack_key(&p, "strings");
    msgpack_pack_array(&p, HASH_COUNT(w->strings));
    for (docbin_string *s = w->strings; s; s = s->hh.next) pack_text(&p, s->text, s->size);
    pack_key(&p, "cats");
    msgpack_pack_array(&p, n_documents);
    for (size_t i = 0; i < n_documents; i++) msgpack_pack_map(&p, 0);
    pack_key(&p, "flags");
    msgpack_pack_array(&p, n_documents);
    for (size_t i = 0; i < n_documents; i++) {
        msgpack_pack_map(&p, 1);
        pack_key(&p, "has_unknown_spaces");
        msgpack_pack_false(&p);
    }
    pack_key(&p, "span_groups");
    msgpack_pack_array(&p, n_documents);
    for (size_t i = 0; i < n_documents; i++) {
        msgpack_pack_bin(&p, 1);
        msgpack_pack_bin_body(&p, "\x90", 1);
    }
}

static nerfit_status deflate_all(const nf_str *message, nf_str *out, nerfit_error *err) {
    uLongf size = compressBound(message->length);
    if (!nf_str_reserve(out, size)) return nf_no_memory(err, size);
    if (compress((unsigned char *)out->data, &size, (const unsigned char *)nf_str_text(message),
                 message->length) != Z_OK)
        return nf_no_memory(err, size);
    out->length = size;
    out->data[size] = '\0';
    return NERFIT_OK;
}

static nerfit_status write_all(nf_parts *out, const nf_corpus *corpus, nerfit_error *err) {
    docbin_writer w = {.err = err};
    nf_part *part = nf_parts_get(out, "");
    nf_str message = {0};
    nerfit_status status = part ? NERFIT_OK : nf_no_memory(err, 0);
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++)
        status = add_document(&w, &corpus->documents[i]);
    if (status == NERFIT_OK) pack(&w, corpus->n_documents, &message);
    if (w.tokens.failed || w.spaces.failed || w.lengths.failed || message.failed)
        status = nf_no_memory(err, message.length);
    if (status == NERFIT_OK) status = deflate_all(&message, &part->text, err);
    HASH_CLEAR(hh, w.strings);
    nf_str_free(&w.tokens);
    nf_str_free(&w.spaces);
    nf_str_free(&w.lengths);
    nf_str_free(&message);
    nf_arena_free(&w.arena);
    return status;
}

/* clang-format off */
const nf_format nf_format_docbin = {
    .name = "docbin", .title = "spaCy's DocBin", .endings = {".spacy"}, .by_ending = true,
    .binary = true, .sure = true,
    .holds = NF_HOLDS_SPACES | NF_HOLDS_ENTITIES,
    .recognised = "the first bytes of a zlib stream, or the ending",
    .kept = "text, entities, the words (`Doc.ents`); written with words, white space and entities",
    .lost = "other attributes, span groups, categories, user data",
    .looks_like = looks_like, .read = read_docbin, .write_all = write_all,
};
/* clang-format on */
