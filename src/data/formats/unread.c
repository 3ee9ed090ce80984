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
BEGINS_WITH(looks_like_xz, "\xFD"
                           "7zXZ")
BEGINS_WITH(looks_like_zstd, "\x28\xB5\x2F\xFD")
BEGINS_WITH(looks_like_bzip2, "BZh")
BEGINS_WITH(looks_like_sqlite, "SQLite format 3")
BEGINS_WITH(looks_like_pdf, "%PDF-")

/* A ZIP archive whose first file is that of Word's, Excel's and PowerPoint's. */
static bool looks_like_office(const char *text, size_t size) {
    size_t looked = size < 512 ? size : 512;
    return looks_like_zip(text, size) && (memmem(text, looked, "[Content_Types].xml", 19) ||
                                          memmem(text, looked, "application/vnd.oasis", 21));
}

/* Protocol 2 and later: the opcode PROTO, its number, and STOP at the end. */
static bool looks_like_pickle(const char *text, size_t size) {
    return size > 3 && (unsigned char)text[0] == 0x80 && text[1] >= 2 && text[1] <= 5 &&
           text[size - 1] == '.';
}

/* A word with its label behind a mark: "Ada/B-PER", "Paris|NNP|I-LOC", "in_O". */
static bool is_tagged_word(const char *word, size_t size) {
    size_t mark = size;
    for (size_t i = 1; i + 1 < size; i++)
        if (strchr("/|_", word[i])) mark = i;
    for (; mark > 0 && mark < size; mark--) { /* types may hold the mark */
        size_t label = size - mark - 1;
        const char *tag = word + mark + 1;
        if (!strchr("/|_", word[mark])) continue;
        if (label == 1 && tag[0] == 'O') return true;
        if (label > 2 && memchr("BIESLU", tag[0], 6) && tag[1] == '-') return true;
    }
    return false;
}

/* Lines of such words: nine in ten of the first two hundred. */
static bool looks_like_tagged_words(const char *text, size_t size) {
    enum { LOOKED = 200 };
    size_t words = 0, tagged = 0, at = 0;
    while (at < size && words < LOOKED) {
        size_t end = at;
        while (end < size && !strchr(" \t\r\n", text[end])) end++;
        if (end > at) words++, tagged += is_tagged_word(text + at, end - at);
        at = end + 1;
    }
    return words > 1 && tagged * 10 >= words * 9;
}

/* Sentences "#id=1", "#text=...", rows "1-1<TAB>word<TAB>...". */
static bool looks_like_webanno2(const char *text, size_t size) {
    size_t looked = size < 4000 ? size : 4000;
    const char *mark = memmem(text, looked, "#text=", 6);
    if (!mark || (mark != text && mark[-1] != '\n')) return false;
    const char *row = memchr(mark, '\n', looked - (size_t)(mark - text));
    return row && (size_t)(text + size - row) > 4 && memcmp(row + 1, "1-1\t", 4) == 0;
}

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
const nf_format nf_format_xz = {
    .name = "xz", .title = "an xz file", .endings = {".xz"}, .binary = true, .sure = true,
    .recognised = "its first bytes", .looks_like = looks_like_xz, .advice = "unpack it: unxz FILE",
};
const nf_format nf_format_zstd = {
    .name = "zstd", .title = "a Zstandard file", .endings = {".zst"}, .binary = true, .sure = true,
    .recognised = "its first bytes", .looks_like = looks_like_zstd,
    .advice = "unpack it: unzstd FILE",
};
const nf_format nf_format_bzip2 = {
    .name = "bzip2", .title = "a bzip2 file", .endings = {".bz2"}, .binary = true, .sure = true,
    .recognised = "`BZh`", .looks_like = looks_like_bzip2, .advice = "unpack it: bunzip2 FILE",
};
const nf_format nf_format_office = {
    .name = "office", .title = "an office document (Excel, Word, LibreOffice)",
    .endings = {".xlsx", ".docx", ".ods", ".odt"}, .binary = true, .sure = true,
    .recognised = "a ZIP archive with `[Content_Types].xml` or an OASIS type in front",
    .looks_like = looks_like_office, .advice = "save a table as CSV, a text as plain text (UTF-8)",
};
const nf_format nf_format_pickle = {
    .name = "pickle", .title = "a pickle of Python", .endings = {".pkl"}, .binary = true, .sure = true,
    .recognised = "a pickle's first two bytes and its last", .looks_like = looks_like_pickle,
    .advice = "a pickle can run any code: where you trust it, write its texts from Python as JSON lines",
};
const nf_format nf_format_tagged_words = {
    .name = "tagged-words", .title = "words with their labels behind a mark (word/B-PER, word|POS|O)",
    .endings = {".txt"}, .sure = true,
    .recognised = "nine in ten words that end in a slash, a bar or an underscore, and a label",
    .looks_like = looks_like_tagged_words,
    .advice = "write one word a row: sed 's/$/ /' FILE | tr ' ' '\\n' | sed -E "
              "'s/[\\/|_]{1}([OBIESLU]|[BIESLU]-.*)$/\\t\\1/; s/[|]/\\t/g' > FILE.conll",
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
const nf_format nf_format_webanno2 = {
    .name = "webanno2", .title = "WebAnno TSV 2", .endings = {".tsv"}, .sure = true,
    .recognised = "`#text=` before a row that begins with `1-1`", .looks_like = looks_like_webanno2,
    .advice = "export it from WebAnno or INCEpTION as WebAnno TSV 3, or as UIMA CAS XMI",
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
