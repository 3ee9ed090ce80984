/* Plain text: a text a line, as it stands. */
#include <string.h>

#include "data/formats/format.h"
#include "data/lines.h"

static nerfit_status read_line(nf_reading *reading, const char *text, size_t size, long line) {
    nf_given_document given = {.text = text, .text_size = size, .line = line};
    return nf_reading_add(reading, &given);
}

static nerfit_status read_text(nf_reading *reading, const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    while (nf_lines_next(&lines, &line, &length))
        NF_TRY(read_line(reading, line, length, lines.number));
    return NERFIT_OK;
}

static nerfit_status write_text(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    nf_part *part = nf_parts_get(parts, "");
    if (!part) return nf_no_memory(err, 0);
    if (memchr(d->text, '\n', d->text_size) || memchr(d->text, '\r', d->text_size))
        return nf_fail_at(err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                          "has a line break, which plain text cannot hold; use jsonl");
    nf_str_append(&part->text, d->text, d->text_size);
    nf_str_append_char(&part->text, '\n');
    return part->text.failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_text = {
    .name = "text", .title = "plain text", .endings = {".txt"},
    .holds = NF_HOLDS_SPACES,
    .recognised = "by name alone",
    .kept = "a text a line; an empty line is an empty text",
    .lost = "entities, when it is written",
    .read = read_text, .read_line = read_line,
    .write = write_text, .head = "", .between = "", .tail = "",
};
/* clang-format on */
