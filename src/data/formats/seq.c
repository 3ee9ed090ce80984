/* SNIPS and ATIS as the joint models' repositories have them: seq.in holds the words, seq.out the
 * labels of a text a line. They are read into the same sentences as CoNLL rows. */
#include <string.h>

#include "base/file.h"
#include "data/formats/conll.h"

static bool next_item(const char **at, const char *end, const char **item, size_t *size) {
    while (*at < end && (**at == ' ' || **at == '\t')) ++*at;
    *item = *at;
    while (*at < end && **at != ' ' && **at != '\t') ++*at;
    *size = (size_t)(*at - *item);
    return *size > 0;
}

static size_t count_items(const char *at, size_t size) {
    const char *end = at + size, *item;
    size_t count = 0, length;
    while (next_item(&at, end, &item, &length)) count++;
    return count;
}

typedef struct line {
    const char *text;
    size_t size;
    const char *file;
} line;

static nerfit_status read_line(nf_reading *reading, const line *words, const line *labels,
                               long number, nf_conll *out) {
    size_t n_words = count_items(words->text, words->size);
    size_t n_labels = count_items(labels->text, labels->size);
    if (n_words != n_labels)
        return nf_reading_malformed(reading, number, 0,
                                    "has another number of words (%zu) than %s has labels there "
                                    "(%zu)",
                                    n_words, labels->file, n_labels);
    const char *word = words->text, *label = labels->text;
    nf_conll_row row = {.line = number};
    while (!out->refused &&
           next_item(&word, words->text + words->size, &row.word, &row.word_size)) {
        next_item(&label, labels->text + labels->size, &row.label, &row.label_size);
        const char *problem = nf_tag_problem(row.label, row.label_size, reading->options->tagging);
        out->refused = problem != NULL;
        NF_TRY(problem ? nf_reading_malformed(reading, number, 0, "label \"%.*s\" in %s %s",
                                              (int)(row.label_size < 60 ? row.label_size : 60),
                                              row.label, labels->file, problem)
                       : nf_conll_add_row(out, &row, reading->err));
    }
    return nf_conll_end_sentence(out, reading->err);
}

static nerfit_status read_lines(nf_reading *reading, nf_lines w, nf_lines l,
                                const char *labels_name, nf_conll *out) {
    for (;;) {
        line word = {.size = 0}, label = {.file = labels_name};
        bool more = nf_lines_next(&w, &word.text, &word.size);
        bool more_labels = nf_lines_next(&l, &label.text, &label.size);
        if (!more && !more_labels) return NERFIT_OK;
        if (more != more_labels)
            return nf_reading_malformed(reading, w.number, 0, "%s has %s lines", labels_name,
                                        more_labels ? "more" : "fewer");
        NF_TRY(read_line(reading, &word, &label, w.number, out));
    }
}

static bool is_part(const char *name) {
    return strcmp(name, "seq.in") == 0 || strcmp(name, "seq.out") == 0;
}

static nerfit_status read_parts(nf_reading *reading, const nf_parts *parts) {
    const nf_part *words = nf_parts_find(parts, "seq.in"),
                  *labels = nf_parts_find(parts, "seq.out");
    const char *folder = reading->name;
    nf_arena arena = {0};
    if (!words || !labels)
        return nf_reading_malformed(reading, 0, 0, "has no %s", words ? "seq.out" : "seq.in");
    const char *in = nf_path_join(&arena, folder, "seq.in");
    const char *out = nf_path_join(&arena, folder, "seq.out");
    nf_conll sentences = {0};
    nerfit_status status = in && out ? NERFIT_OK : nf_no_memory(reading->err, strlen(folder));
    if (status == NERFIT_OK) {
        reading->name = in;
        status = read_lines(reading, nf_lines_of(nf_str_text(&words->text), words->text.length),
                            nf_lines_of(nf_str_text(&labels->text), labels->text.length), out,
                            &sentences);
        if (status == NERFIT_OK) status = nf_conll_add_to(&sentences, reading);
        reading->name = folder;
    }
    nf_conll_free(&sentences);
    nf_arena_free(&arena);
    return status;
}

/* ---------------------------------------------------------------- writing */

typedef struct pair_writer {
    nf_str *words, *labels;
    bool more; /* than the first of the line */
} pair_writer;

static void write_pair(void *user, const char *word, size_t size, const char *label, bool begins) {
    pair_writer *out = user;
    const char *space = out->more ? " " : "";
    nf_str_append_text(out->words, space);
    nf_str_append(out->words, word, size);
    if (label)
        nf_str_appendf(out->labels, "%s%c-%s", space, begins ? 'B' : 'I', label);
    else
        nf_str_appendf(out->labels, "%sO", space);
    out->more = true;
}

/* A label with white space would be several. */
static nerfit_status write_seq(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    for (size_t i = 0; i < d->n_spans; i++)
        if (strpbrk(d->spans[i].label, " \t"))
            return nf_fail_at(err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                              "label \"%s\" has a space, which seq cannot hold; use jsonl",
                              d->spans[i].label);
    if (!nf_parts_get(parts, "seq.in") || !nf_parts_get(parts, "seq.out"))
        return nf_no_memory(err, 0);
    nf_str *words = &nf_parts_get(parts, "seq.in")->text;
    nf_str *labels = &nf_parts_get(parts, "seq.out")->text;
    pair_writer out = {words, labels, false};
    NF_TRY(nf_conll_rows_write(d, write_pair, &out, err));
    nf_str_append_char(words, '\n');
    nf_str_append_char(labels, '\n');
    return words->failed || labels->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_seq = {
    .name = "seq", .title = "seq.in and seq.out", .endings = {""}, .folder = true,
    .holds = NF_HOLDS_ENTITIES,
    .recognised = "a folder with `seq.in` and `seq.out`",
    .kept = "words (as the text, with single blanks between them) and entities, schemes as in conll",
    .lost = "the white space of the text",
    .part_looks_like = is_part, .read_parts = read_parts,
    .write = write_seq, .head = "", .between = "", .tail = "",
};
/* clang-format on */
