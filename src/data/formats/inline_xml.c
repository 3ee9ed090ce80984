/* Entities as elements in the text, a text a line: "<PER>Ada</PER> lives", or MUC's
 * "<ENAMEX TYPE="PERSON">Ada</ENAMEX>". Elements may be nested. "&lt;" and "&amp;" are characters. */
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "data/formats/format.h"
#include "data/formats/xml.h"
#include "data/lines.h"

static bool is_name(char c) {
    return nf_ascii_is_alphanumeric(c) || c == '_' || c == '-' || c == '.' || c == ':';
}

/* The length of the name of an element that begins at `at` and ends on the line; 0 if none does. */
static size_t element_at(const char *line, size_t size, size_t at) {
    size_t end = at + 1;
    while (end < size && is_name(line[end])) end++;
    size_t length = end - at - 1;
    if (!length || nf_ascii_is_digit(line[at + 1]) || end >= size ||
        (line[end] != '>' && line[end] != ' '))
        return 0;
    for (size_t i = end; i + length + 2 < size; i++)
        if (line[i] == '<' && line[i + 1] == '/' && line[i + 2 + length] == '>' &&
            memcmp(line + i + 2, line + at + 1, length) == 0)
            return length;
    return 0;
}

static bool has_element(const char *line, size_t size) {
    for (size_t at = 0; at < size; at++)
        if (line[at] == '<' && element_at(line, size, at)) return true;
    return false;
}

/* Whether a line has what could be an annotation of bracket text, [label : span]. */
static bool has_brackets(const char *line, size_t size) {
    const char *open = memchr(line, '[', size), *end = line + size;
    const char *colon = open ? memmem(open, (size_t)(end - open), ": ", 2) : NULL;
    return colon && memchr(colon, ']', (size_t)(end - colon));
}

/* One in five lines has an element, more have one than brackets, and no document begins here. */
static bool looks_like(const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length, n = 0, with = 0, bracketed = 0;
    if (size >= 5 && memcmp(text, "<?xml", 5) == 0) return false;
    while (n < 200 && nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length)) continue;
        n++;
        with += has_element(line, length);
        bracketed += has_brackets(line, length);
    }
    return with > bracketed && with * 5 >= n;
}

typedef struct line_reader {
    nf_reading *reading;
    long line;
    nf_arena arena;
    nf_str text;
    uint32_t at; /* code points of the text */
    nf_given_list spans;
} line_reader;

static const char *label_of(const nf_xml_node *node) {
    static const char *const types[] = {"TYPE", "type", "Type", "label", "cat", "class"};
    bool general = strcmp(node->name, "ENAMEX") == 0 || strcmp(node->name, "NUMEX") == 0 ||
                   strcmp(node->name, "TIMEX") == 0 || nf_ascii_same(node->name, "NE") ||
                   nf_ascii_same(node->name, "entity");
    for (size_t i = 0; general && i < sizeof types / sizeof *types; i++)
        if (nf_xml_attribute_of(node, types[i])) return nf_xml_attribute_of(node, types[i]);
    return node->name;
}

/* Attributes but the label's, as fields. */
static nerfit_status set_fields(line_reader *r, const nf_xml_node *node, const char *label,
                                nf_given_span *span) {
    nf_str fields = {0};
    for (size_t i = 0; i < node->n_attributes; i++) {
        const nf_xml_attribute *a = &node->attributes[i];
        if (a->value == label) continue;
        nf_str_append_text(&fields, fields.length ? ", " : "");
        nf_str_append_json(&fields, a->name, strlen(a->name));
        nf_str_append_text(&fields, ": ");
        nf_str_append_json(&fields, a->value, strlen(a->value));
    }
    nf_beside *beside = fields.length ? nf_arena_calloc(&r->arena, 1, sizeof *beside) : NULL;
    if (beside) beside->fields = nf_arena_copy(&r->arena, fields.data, fields.length);
    bool failed = fields.failed || (fields.length && (!beside || !beside->fields));
    nf_str_free(&fields);
    span->beside = beside;
    return failed ? nf_no_memory(r->reading->err, 0) : NERFIT_OK;
}

static nerfit_status walk(line_reader *r, const nf_xml_node *node) {
    for (; node; node = node->next) {
        if (!node->name) {
            nf_str_append(&r->text, node->text, node->size);
            r->at += (uint32_t)nf_utf8_count(node->text, node->size);
            continue;
        }
        const size_t index = r->spans.count;
        const char *label = label_of(node);
        nf_given_span span = {.start = r->at, .label = label, .label_size = strlen(label)};
        NF_TRY(set_fields(r, node, label, &span));
        NF_TRY(nf_given_list_add(&r->spans, &span, r->line, r->reading->err));
        NF_TRY(walk(r, node->first));
        r->spans.items[index].end = r->at;
    }
    return NERFIT_OK;
}

/* Whether an element has others in it. */
static bool has_elements(const nf_xml_node *node) {
    for (const nf_xml_node *child = node->first; child; child = child->next)
        if (child->name) return true;
    return false;
}

/* The element that stands alone on its level, but for blanks, and has others in it: a line's
 * <doc> or <p>, and no entity. NULL if there is none. */
static const nf_xml_node *frame_of(const nf_xml_node *level) {
    const nf_xml_node *found = NULL;
    for (const nf_xml_node *node = level->first; node; node = node->next) {
        if (!node->name && nf_line_blank(node->text, node->size)) continue;
        if (!node->name || found) return NULL;
        found = node;
    }
    return found && has_elements(found) ? found : NULL;
}

/* The innermost frame's content; each frame is told. */
static nerfit_status take_frames(nf_reading *reading, const nf_xml_node **level, long number) {
    for (const nf_xml_node *frame; (frame = frame_of(*level)) != NULL; *level = frame) {
        nf_finding finding = {.kind = NF_FINDING_READING, .line = number};
        NF_TRY(nf_reading_warning(reading, &finding,
                                  "<%s> holds the whole line and other elements: taken as its "
                                  "frame, not as an entity",
                                  frame->name));
    }
    return NERFIT_OK;
}

static nerfit_status read_line(nf_reading *reading, const char *line, size_t size, long number) {
    line_reader r = {.reading = reading, .line = number};
    nf_xml_node *root;
    nerfit_status status = nf_xml_parse(reading, line, size, number, true, &r.arena, &root);
    const nf_xml_node *content = root;
    if (status == NERFIT_OK && root) status = take_frames(reading, &content, number);
    if (status == NERFIT_OK && root) status = walk(&r, content->first);
    if (status == NERFIT_OK && r.text.failed) status = nf_no_memory(reading->err, size);
    nf_given_document given = {.text = nf_str_text(&r.text),
                               .text_size = r.text.length,
                               .spans = r.spans.items,
                               .n_spans = r.spans.count,
                               .line = number};
    if (status == NERFIT_OK && root) status = nf_reading_add(reading, &given);
    nf_str_free(&r.text);
    nf_given_list_free(&r.spans);
    nf_arena_free(&r.arena);
    return status;
}

static nerfit_status read_inline(nf_reading *reading, const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    while (nf_lines_next(&lines, &line, &length))
        if (!nf_line_blank(line, length)) NF_TRY(read_line(reading, line, length, lines.number));
    return NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_inline_xml = {
    .name = "inline-xml", .title = "text with entities as XML elements", .endings = {".txt"},
    .recognised = "an element that begins and ends on its line, in at least one of five lines",
    .kept = "text, elements as entities (also nested), named by the element, or by `TYPE` of "
            "ENAMEX, NUMEX, TIMEX, NE and entity; other attributes as fields of the entity; an "
            "element that holds a whole line and other elements is its frame, with a warning",
    .lost = "nothing; a bare `&` or `<` is an error",
    .looks_like = looks_like, .read = read_inline, .read_line = read_line,
};
/* clang-format on */
