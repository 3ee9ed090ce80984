#include "data/describing.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/utf8.h"

/* ---------------------------------------------------------------- the question */

const char nf_describing_system[] = "You are a helpful assistant.";

static const char QUESTION[] =
    "You are an expert in labelling data for named entity recognition. Describe what the label "
    "\"%s\" "
    "stands for, judging by the samples below; the words that have the label follow each sample. "
    "Write "
    "in the language that the samples are written in. Answer with the description alone, in one to "
    "three plain sentences, without a heading.\n\nSamples:\n";

typedef struct sample {
    const nf_document *document;
    uint32_t order;
} sample;

static bool has_label(const nf_document *d, const char *label) {
    for (size_t i = 0; i < d->n_spans; i++)
        if (strcmp(d->spans[i].label, label) == 0) return true;
    return false;
}

static int by_text(const void *a, const void *b) {
    const sample *x = a, *y = b;
    int order = strcmp(x->document->text, y->document->text);
    return order ? order : x->order < y->order ? -1 : x->order > y->order;
}

static int by_order(const void *a, const void *b) {
    const sample *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The distinct texts that have the label, in the corpora's order. */
static size_t collect(sample *samples, const nf_corpus *const *corpora, size_t count,
                      const char *label) {
    size_t n = 0, kept = 0;
    for (size_t c = 0; c < count; c++)
        for (size_t i = 0; corpora[c] && i < corpora[c]->n_documents; i++)
            if (has_label(&corpora[c]->documents[i], label)) {
                samples[n] = (sample){&corpora[c]->documents[i], (uint32_t)n};
                n++;
            }
    qsort(samples, n, sizeof *samples, by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(samples[i].document->text, samples[kept - 1].document->text) != 0)
            samples[kept++] = samples[i];
    qsort(samples, kept, sizeof *samples, by_order);
    return kept;
}

/* Draws from the samples; those taken keep their order. */
static size_t draw(sample *samples, size_t n, const char *label, uint64_t seed) {
    if (n <= NF_DESCRIBING_SAMPLES) return n;
    uint64_t stream = 0xCBF29CE484222325u; /* FNV-1a of the label */
    for (const char *at = label; *at; at++) stream = (stream ^ (unsigned char)*at) * 0x100000001B3u;
    nf_rng rng = nf_rng_new(seed, stream);
    for (size_t i = 0; i < NF_DESCRIBING_SAMPLES; i++) {
        size_t j = i + nf_rng_below(&rng, (uint32_t)(n - i));
        sample taken = samples[j];
        samples[j] = samples[i];
        samples[i] = taken;
    }
    qsort(samples, NF_DESCRIBING_SAMPLES, sizeof *samples, by_order);
    return NF_DESCRIBING_SAMPLES;
}

/* A long text is cut: what a label means shows in less. */
static void append_text(nf_str *out, const char *text, size_t size) {
    enum { MOST = 1000 }; /* code points */
    size_t end = nf_utf8_offset(text, size, MOST);
    for (size_t i = 0; i < end; i++) nf_str_append_char(out, text[i] == '\n' ? ' ' : text[i]);
    if (end < size) nf_str_append_text(out, " ...");
}

static void append_sample(nf_str *out, const nf_document *d, const char *label) {
    nf_str_append_text(out, "* ");
    append_text(out, d->text, d->text_size);
    nf_str_append_text(out, " (");
    bool first = true;
    for (size_t i = 0; i < d->n_spans; i++) {
        if (strcmp(d->spans[i].label, label) != 0) continue;
        size_t start = nf_utf8_offset(d->text, d->text_size, d->spans[i].start);
        size_t end = nf_utf8_offset(d->text, d->text_size, d->spans[i].end);
        nf_str_append_text(out, first ? "\"" : ", \"");
        append_text(out, d->text + start, end - start);
        nf_str_append_char(out, '"');
        first = false;
    }
    nf_str_append_text(out, ")\n");
}

nerfit_status nf_describing_question(nf_str *out, const nf_corpus *const *corpora, size_t count,
                                     const char *label, uint64_t seed, nerfit_error *err) {
    size_t most = 0;
    for (size_t c = 0; c < count; c++) most += corpora[c] ? corpora[c]->n_documents : 0;
    sample *samples = malloc((most + 1) * sizeof *samples);
    if (!samples) return nf_no_memory(err, most * sizeof *samples);
    size_t n = draw(samples, collect(samples, corpora, count, label), label, seed);
    nf_str_appendf(out, QUESTION, label);
    for (size_t i = 0; i < n; i++) append_sample(out, samples[i].document, label);
    free(samples);
    return out->failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

/* ---------------------------------------------------------------- the answers */

size_t nf_descriptions_find(const nf_descriptions *d, const char *label) {
    return nf_list_index(d->labels, d->count, label);
}

nerfit_status nf_descriptions_add(nf_descriptions *d, const char *label, const char *text,
                                  nerfit_error *err) {
    size_t size = (d->count + 1) * sizeof *d->labels; /* the old lists stay in the arena */
    const char **labels = nf_arena_alloc(&d->arena, size),
               **texts = nf_arena_alloc(&d->arena, size);
    char *label_copy = nf_arena_strdup(&d->arena, label);
    char *text_copy = nf_arena_strdup(&d->arena, text);
    if (!labels || !texts || !label_copy || !text_copy) return nf_no_memory(err, size);
    for (size_t i = 0; i < d->count; i++) labels[i] = d->labels[i], texts[i] = d->texts[i];
    labels[d->count] = label_copy;
    texts[d->count++] = text_copy;
    d->labels = labels;
    d->texts = texts;
    return NERFIT_OK;
}

static int append_yaml(void *user, unsigned char *data, size_t size) {
    return nf_str_append(user, (const char *)data, size);
}

static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int made) {
    return made && yaml_emitter_emit(emitter, event);
}

static bool emit_text(yaml_emitter_t *emitter, const char *text) {
    yaml_event_t event;
    /* quoted: no text is taken for a number or a truth value then */
    yaml_scalar_style_t style =
        strchr(text, '\n') ? YAML_LITERAL_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return emit(emitter, &event,
                yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
                                             (int)strlen(text), 1, 1, style));
}

static bool emit_key(yaml_emitter_t *emitter, const char *text) {
    yaml_event_t event;
    return emit(emitter, &event,
                yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
                                             (int)strlen(text), 1, 1, YAML_ANY_SCALAR_STYLE));
}

/* A block mapping of the descriptions from `first` on that `known` has not. */
static bool append_mapping(nf_str *out, const nf_descriptions *d, const nf_descriptions *known) {
    yaml_emitter_t emitter;
    yaml_event_t event;
    if (!yaml_emitter_initialize(&emitter)) return false;
    yaml_emitter_set_output(&emitter, append_yaml, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, 100);
    bool ok =
        emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
        emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
        emit(&emitter, &event,
             yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
    for (size_t i = 0; ok && i < d->count; i++)
        if (nf_descriptions_find(known, d->labels[i]) == known->count)
            ok = emit_key(&emitter, d->labels[i]) && emit_text(&emitter, d->texts[i]);
    ok = ok && emit(&emitter, &event, yaml_mapping_end_event_initialize(&event)) &&
         emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1)) &&
         emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
    yaml_emitter_delete(&emitter);
    return ok && !out->failed;
}

static bool append_json(nf_str *out, const nf_descriptions *d) {
    json_t *json = json_object();
    for (size_t i = 0; json && i < d->count; i++)
        json_object_set_new(json, d->labels[i], json_string(d->texts[i]));
    char *text =
        json && json_object_size(json) == d->count ? nf_json_text(json, JSON_INDENT(2)) : NULL;
    if (text) nf_str_append_text(out, text);
    nf_str_append_char(out, '\n');
    free(text);
    json_decref(json);
    return text && !out->failed;
}

void nf_descriptions_format(nf_str *out, const nf_descriptions *d, bool json) {
    static const nf_descriptions none = {0};
    if (!(json ? append_json(out, d) : append_mapping(out, d, &none))) out->failed = true;
}

/* Whether the text reads back as exactly these descriptions. */
static nerfit_status reads_back(const nf_str *text, const char *path, const nf_descriptions *d,
                                bool *same, nerfit_error *err) {
    nf_descriptions read = {0};
    *same = false;
    if (text->failed) return nf_no_memory(err, text->length);
    nerfit_status status = nf_descriptions_parse(&read, nf_str_text(text), text->length, path, err);
    if (status == NERFIT_NO_MEMORY) return status;
    *same = status == NERFIT_OK && read.count == d->count;
    for (size_t i = 0; *same && i < d->count; i++) {
        size_t k = nf_descriptions_find(&read, d->labels[i]);
        *same = k < read.count && strcmp(read.texts[k], d->texts[i]) == 0;
    }
    nf_descriptions_free(&read);
    return NERFIT_OK;
}

/* The file's own text with what it lacks at its end; *fits: that does. */
static nerfit_status append_to_file(nf_str *out, const nf_descriptions *d, const char *path,
                                    bool *fits, nerfit_error *err) {
    nf_file file;
    nf_descriptions known = {0};
    *fits = false;
    if (!nf_file_exists(path) || nf_path_has_ending(path, ".json")) return NERFIT_OK;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = nf_descriptions_parse(&known, file.data, file.size, path, err);
    if (status == NERFIT_OK) {
        nf_str_append(out, file.data, file.size);
        if (file.size && file.data[file.size - 1] != '\n') nf_str_append_char(out, '\n');
        if (known.count < d->count && !append_mapping(out, d, &known)) out->failed = true;
        status = reads_back(out, path, d, fits, err);
    }
    nf_file_close(&file);
    nf_descriptions_free(&known);
    return status == NERFIT_NO_MEMORY ? status : NERFIT_OK; /* of another form: written anew */
}

nerfit_status nf_descriptions_write(const nf_descriptions *d, const char *path, const char *heading,
                                    nerfit_error *err) {
    nf_str text = {0};
    bool json = nf_path_has_ending(path, ".json"), fits;
    nerfit_status status = append_to_file(&text, d, path, &fits, err);
    if (status == NERFIT_OK && !fits) {
        nf_str_clear(&text);
        if (!json && heading) nf_str_appendf(&text, "# %s\n", heading);
        nf_descriptions_format(&text, d, json);
        status = reads_back(&text, path, d, &fits, err);
    }
    if (status == NERFIT_OK)
        status = fits ? nf_file_write(path, text.data, text.length, err)
                      : nf_fail_at(err, NERFIT_INTERNAL, path, 0, 0,
                                   "the descriptions could not be written as they are");
    nf_str_free(&text);
    return status;
}
