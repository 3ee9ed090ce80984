/* What people bring and is not read: each is told by name, with what to do. */
#include <string.h>

#include "data/formats/format.h"

static bool begins(const char *text, size_t size, const char *mark, size_t length) {
    return size >= length && memcmp(text, mark, length) == 0;
}

#define BEGINS_WITH(name, mark)                                                                    \
    static bool name(const char *text, size_t size) {                                              \
        return begins(text, size, mark, sizeof mark - 1);                                          \
    }

BEGINS_WITH(looks_like_parquet, "PAR1")
BEGINS_WITH(looks_like_arrow, "ARROW1")
BEGINS_WITH(looks_like_zip, "PK\x03\x04")
BEGINS_WITH(looks_like_gzip, "\x1F\x8B")
BEGINS_WITH(looks_like_sqlite, "SQLite format 3")
BEGINS_WITH(looks_like_pdf, "%PDF-")

/* An .ann file alone: T1<TAB>LABEL 0 5<TAB>text. */
static bool looks_like_ann(const char *text, size_t size) {
    size_t digits = 1;
    if (size < 8 || text[0] != 'T') return false;
    while (digits < size && text[digits] >= '0' && text[digits] <= '9') digits++;
    if (digits == 1 || digits >= size || text[digits] != '\t') return false;
    const char *line_end = memchr(text, '\n', size);
    size_t length = line_end ? (size_t)(line_end - text) : size;
    const char *second = memchr(text + digits + 1, '\t', length - digits - 1);
    return second && memchr(text + digits, ' ', (size_t)(second - text) - digits);
}

static bool looks_like_html(const char *text, size_t size) {
    return begins(text, size, "<!DOCTYPE html", 14) || begins(text, size, "<!doctype html", 14) ||
           begins(text, size, "<html", 5);
}

/* Comprehend's annotations beside texts in another file. */
static bool looks_like_comprehend(const char *text, size_t size) {
    return begins(text, size, "File,Line,Begin Offset", 22) ||
           begins(text, size, "File, Line, Begin Offset", 24);
}

/* clang-format off */
const nf_format nf_format_parquet = {
    .name = "parquet", .title = "Parquet", .endings = {".parquet"}, .binary = true, .sure = true,
    .recognised = "`PAR1`", .looks_like = looks_like_parquet,
    .advice = "write it as JSON lines: python -c \"import pandas; pandas.read_parquet('FILE').to_json('FILE.jsonl', orient='records', lines=True, force_ascii=False)\"",
};
const nf_format nf_format_arrow = {
    .name = "arrow", .title = "Arrow, as datasets' save_to_disk writes it", .endings = {".arrow"},
    .binary = true, .sure = true, .recognised = "`ARROW1`", .looks_like = looks_like_arrow,
    .advice = "write it as JSON lines: python -c \"import datasets; datasets.load_from_disk('FOLDER').to_json('FILE.jsonl')\"",
};
const nf_format nf_format_zip = {
    .name = "zip", .title = "a ZIP archive", .endings = {".zip"}, .binary = true, .sure = true,
    .recognised = "`PK`", .looks_like = looks_like_zip, .advice = "unpack it: unzip FILE",
};
const nf_format nf_format_gzip = {
    .name = "gzip", .title = "a gzip file", .endings = {".gz"}, .binary = true, .sure = true,
    .recognised = "its first two bytes", .looks_like = looks_like_gzip,
    .advice = "unpack it: gunzip FILE",
};
const nf_format nf_format_sqlite = {
    .name = "sqlite", .title = "an SQLite database", .endings = {".db"}, .binary = true, .sure = true,
    .recognised = "`SQLite format 3`", .looks_like = looks_like_sqlite,
    .advice = "export it from its tool (prodigy db-out NAME > FILE.jsonl)",
};
const nf_format nf_format_pdf = {
    .name = "pdf", .title = "PDF", .endings = {".pdf"}, .binary = true, .sure = true,
    .recognised = "`%PDF-`", .looks_like = looks_like_pdf,
    .advice = "take its text out: pdftotext FILE.pdf FILE.txt",
};
const nf_format nf_format_html = {
    .name = "html", .title = "HTML", .endings = {".html"}, .sure = true,
    .recognised = "`<!DOCTYPE html` or `<html`", .looks_like = looks_like_html,
    .advice = "take its text out first",
};
const nf_format nf_format_ann = {
    .name = "ann", .title = "one file of brat's standoff", .endings = {".ann"}, .sure = true,
    .recognised = "`T1<TAB>LABEL START END<TAB>text`", .looks_like = looks_like_ann,
    .advice = "its text lies in the .txt file beside it: name the folder that holds both",
};
const nf_format nf_format_comprehend = {
    .name = "comprehend", .title = "Amazon Comprehend's annotations", .endings = {".csv"}, .sure = true,
    .recognised = "the header `File, Line, Begin Offset, ...`", .looks_like = looks_like_comprehend,
    .advice = "its texts lie in other files; write {\"text\": ..., \"entities\": [[start, end, label], ...]} of each, one a line",
};
/* clang-format on */
