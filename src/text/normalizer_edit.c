/* Strip, Prepend and Replace: the normalizers that edit a text at a few places. Offsets as
 * `NormalizedString::lrstrip`, `prepend` and `replace` have them (`tokenizers` 0.23). */
#include <string.h>

#include "base/utf8.h"
#include "text/normalizer.h"
#include "text/regex.h"
#include "text/unicode.h"

/* What an inserted text stands for: what the last byte before it does (`end` is behind what it
 * replaces), or nothing at the beginning of the text. */
static void put_range(nf_work *work, const nf_text *from, size_t start, size_t end, nf_text *to,
                      size_t at) {
    uint32_t first, last;
    if (end > start) {
        first = from->starts[end - 1];
        last = from->ends[end - 1];
    } else {
        first = last = nf_text_index(&work->raw, work->origin);
    }
    for (; at < to->length; at++) {
        to->own_starts[at] = first;
        to->own_ends[at] = last;
    }
}

/* ---- Strip */

typedef struct strip {
    nf_normalizer base;
    bool left, right;
} strip;

static bool space_at(const char *bytes, size_t at) {
    uint32_t c;
    nf_utf8_next(bytes + at, &c);
    return nf_unicode_flags_of(c) & NF_UNICODE_SPACE;
}

static bool strip_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                        size_t end, nf_text *to) {
    (void)work;
    const strip *s = (const strip *)self;
    const char *bytes = from->bytes;
    if (s->left)
        while (start < end && space_at(bytes, start))
            start += nf_utf8_size((unsigned char)bytes[start]);
    while (s->right && start < end) {
        size_t last = end - 1;
        while (((unsigned char)bytes[last] & 0xC0) == 0x80) last--;
        if (!space_at(bytes, last)) break;
        end = last;
    }
    return start == end || nf_text_append(to, from, start, end);
}

nerfit_status nf_normalizer_strip_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "normalizer Strip";
    NF_TRY(nf_component_new(out, sizeof(strip), load));
    strip *s = *out;
    s->base.apply = strip_apply;
    NF_TRY(nf_field_bool(&s->left, json, "strip_left", NF_REQUIRED, what, load));
    return nf_field_bool(&s->right, json, "strip_right", NF_REQUIRED, what, load);
}

/* ---- Prepend */

typedef struct prepend {
    nf_normalizer base;
    const char *text;
} prepend;

static bool prepend_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                          size_t end, nf_text *to) {
    const char *text = ((const prepend *)self)->text;
    if (start == end) return true;
    nf_rewrite rewrite;
    if (!nf_rewrite_begin(&rewrite, from, start, end, 0, to)) return false;
    uint32_t c;
    if (!*text) { /* then the first character counts as inserted */
        size_t at = to->length, begin = start;
        start += nf_utf8_next(from->bytes + start, &c);
        if (!nf_rewrite_emit(&rewrite, c, 1)) return false;
        put_range(work, from, begin, begin, to, at);
    }
    for (bool first = true; *text; first = false) {
        text += nf_utf8_next(text, &c);
        if (!nf_rewrite_emit(&rewrite, c, !first)) return false;
    }
    return start == end || nf_text_append(to, from, start, end);
}

nerfit_status nf_normalizer_prepend_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "normalizer Prepend";
    NF_TRY(nf_component_new(out, sizeof(prepend), load));
    prepend *p = *out;
    p->base.apply = prepend_apply;
    NF_TRY(nf_field_text(&p->text, json, "prepend", NULL, what, load));
    return p->text ? NERFIT_OK
                   : nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                                "%s: \"prepend\" must be a string", what);
}

/* ---- Replace */

typedef struct replace replace;
struct replace {
    nf_normalizer base;
    /* The first match in bytes[at, end); false if there is none. */
    bool (*find)(const replace *self, const char *bytes, size_t end, size_t at, size_t *match,
                 size_t *match_end);
    const char *pattern; /* of find_string */
    size_t length;
    nf_regex *regex; /* without find */
    const char *content;
    size_t content_length;
};

static bool find_string(const replace *r, const char *bytes, size_t end, size_t at, size_t *match,
                        size_t *match_end) {
    const char *found = memmem(bytes + at, end - at, r->pattern, r->length);
    if (!found) return false;
    *match = (size_t)(found - bytes);
    *match_end = *match + r->length;
    return true;
}

/* " {2,}" */
static bool find_blanks(const replace *r, const char *bytes, size_t end, size_t at, size_t *match,
                        size_t *match_end) {
    (void)r;
    for (const char *p; at < end && (p = memchr(bytes + at, ' ', end - at)); at = *match_end) {
        *match = (size_t)(p - bytes);
        for (*match_end = *match + 1; *match_end < end && bytes[*match_end] == ' ';) ++*match_end;
        if (*match_end > *match + 1) return true;
    }
    return false;
}

/* \s{2,}|[\n\r\t] */
static bool find_spaces(const replace *r, const char *bytes, size_t end, size_t at, size_t *match,
                        size_t *match_end) {
    (void)r;
    for (size_t i = at, spaces; i < end;) {
        size_t stop = i;
        for (spaces = 0; stop < end && space_at(bytes, stop); spaces++)
            stop += nf_utf8_size((unsigned char)bytes[stop]);
        if (spaces > 1 ||
            (spaces == 1 && (bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t'))) {
            *match = i;
            *match_end = stop;
            return true;
        }
        i = spaces ? stop : i + nf_utf8_size((unsigned char)bytes[i]);
    }
    return false;
}

/* Each replacement may make a text some times as long; many, one after another, have no bound. */
enum { MOST_GROWTH = 1000, MOST_ADDED = 1 << 20 };

/* Puts what stands between `done` and a match, and the content for the match. */
static bool put_match(const replace *r, nf_work *work, nf_text *from, size_t start, size_t done,
                      size_t match, size_t match_end, nf_text *to) {
    if (to->length > MOST_ADDED + MOST_GROWTH * work->raw.length) {
        work->problem = "the tokenizer's replacements make the text a thousand times as long";
        return false;
    }
    if (!nf_text_align(from) || !nf_text_align(to) ||
        (done < match && !nf_text_append(to, from, done, match)) ||
        !nf_text_reserve(to, r->content_length + 1))
        return false;
    memcpy(to->own_bytes + to->length, r->content, r->content_length);
    to->length += r->content_length;
    put_range(work, from, start, match_end, to, to->length - r->content_length);
    return true;
}

static bool replace_by_find(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                            size_t end, nf_text *to) {
    const replace *r = (const replace *)self;
    size_t done = start, match, match_end;
    while (done < end && r->find(r, from->bytes, end, done, &match, &match_end)) {
        if (!put_match(r, work, from, start, done, match, match_end, to)) return false;
        done = match_end;
    }
    return done == end || nf_text_append(to, from, done, end);
}

static bool replace_by_regex(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                             size_t end, nf_text *to) {
    const replace *r = (const replace *)self;
    size_t done = start, match, match_end;
    nf_regex_search search = {.regex = r->regex,
                              .scratch = &work->regex,
                              .text = from->bytes + start,
                              .length = end - start};
    nf_regex_result result = NF_REGEX_END;
    if (start == end) return true; /* an empty text is not searched */
    while ((result = nf_regex_next(&search, &match, &match_end)) == NF_REGEX_FOUND) {
        if (!put_match(r, work, from, start, done, start + match, start + match_end, to))
            return false;
        done = start + match_end;
        search.text = from->bytes + start; /* it may have moved */
    }
    if (result == NF_REGEX_TOO_HARD)
        work->problem = "a pattern of the tokenizer takes too many steps on this text";
    if (result != NF_REGEX_END) return false;
    return done == end || nf_text_append(to, from, done, end);
}

/* Regular expressions that all texts of some models go through, written out by hand. */
static const struct {
    const char *pattern;
    bool (*find)(const replace *self, const char *bytes, size_t end, size_t at, size_t *match,
                 size_t *match_end);
} known_patterns[] = {
    {" {2,}", find_blanks},
    {"\\s{2,}|[\\n\\r\\t]", find_spaces},
};

static nerfit_status load_regex(replace *r, const char *pattern, const char *what, nf_load *load) {
    r->base.apply = replace_by_find;
    for (size_t i = 0; i < NF_COUNT(known_patterns); i++)
        if (strcmp(pattern, known_patterns[i].pattern) == 0) {
            r->find = known_patterns[i].find;
            return NERFIT_OK;
        }
    r->base.apply = replace_by_regex;
    return nf_regex_compile(&r->regex, pattern, load->arena, load->file, what, load->err);
}

nerfit_status nf_normalizer_replace_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "normalizer Replace";
    NF_TRY(nf_component_new(out, sizeof(replace), load));
    replace *r = *out;
    r->base.apply = replace_by_find;
    const json_t *pattern = json_object_get(json, "pattern");
    const char *text, *regex;
    NF_TRY(nf_field_text(&text, pattern, "String", NULL, what, load));
    NF_TRY(nf_field_text(&regex, pattern, "Regex", NULL, what, load));
    NF_TRY(nf_field_text(&r->content, json, "content", NULL, what, load));
    if (!text == !regex || !r->content)
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"pattern\" must be {\"String\": …} or {\"Regex\": …}, and "
                          "\"content\" a string",
                          what);
    r->content_length = strlen(r->content);
    if (regex) return load_regex(r, regex, what, load);
    r->find = find_string;
    r->pattern = text;
    r->length = strlen(text);
    return r->length ? NERFIT_OK
                     : nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                                  "%s: an empty pattern", what);
}
