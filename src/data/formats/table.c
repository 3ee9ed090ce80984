/* The one list of formats, and what is told from it. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/file.h"
#include "data/formats/format.h"

extern const nf_format nf_format_doccano, nf_format_label_studio, nf_format_prodigy,
    nf_format_huggingface, nf_format_gliner, nf_format_spacy, nf_format_docbin,
    nf_format_pubannotation, nf_format_bioc_json, nf_format_rasa_json, nf_format_cluener,
    nf_format_aws, nf_format_google, nf_format_azure, nf_format_pipeline, nf_format_parquet,
    nf_format_arrow, nf_format_office, nf_format_zip, nf_format_gzip, nf_format_xz, nf_format_zstd,
    nf_format_bzip2, nf_format_pickle, nf_format_tagged_words, nf_format_sqlite, nf_format_pdf,
    nf_format_html, nf_format_comprehend, nf_format_ann, nf_format_webanno2, nf_format_webanno,
    nf_format_conll2012, nf_format_conllu, nf_format_pubtator, nf_format_bioc_xml, nf_format_xmi,
    nf_format_xml, nf_format_csv, nf_format_rasa, nf_format_inline_xml, nf_format_brat;

/* In the order in which content is asked: what is sure first. */
const nf_format *const nf_formats[] = {
    &nf_format_jsonl,    &nf_format_json,          &nf_format_doccano,   &nf_format_label_studio,
    &nf_format_prodigy,  &nf_format_huggingface,   &nf_format_gliner,    &nf_format_spacy,
    &nf_format_docbin,   &nf_format_pubannotation, &nf_format_bioc_json, &nf_format_rasa_json,
    &nf_format_cluener,  &nf_format_aws,           &nf_format_google,    &nf_format_azure,
    &nf_format_pipeline, &nf_format_parquet,       &nf_format_arrow,     &nf_format_office,
    &nf_format_zip,      &nf_format_gzip,          &nf_format_xz,        &nf_format_zstd,
    &nf_format_bzip2,    &nf_format_pickle,        &nf_format_sqlite,    &nf_format_pdf,
    &nf_format_html,     &nf_format_comprehend,    &nf_format_ann,       &nf_format_tagged_words,
    &nf_format_webanno2, &nf_format_webanno,       &nf_format_conll2012, &nf_format_conllu,
    &nf_format_pubtator, &nf_format_bioc_xml,      &nf_format_xmi,       &nf_format_xml,
    &nf_format_csv,      &nf_format_conll,         &nf_format_rasa,      &nf_format_inline_xml,
    &nf_format_brackets, &nf_format_brat,          &nf_format_seq,       &nf_format_text,
};
const size_t nf_format_count = sizeof nf_formats / sizeof *nf_formats;

/* ---------------------------------------------------------------- names */

bool nf_format_find(const char *name, const nf_format **format) {
    *format = NULL;
    if (nf_ascii_same(name, "auto")) return true;
    for (size_t i = 0; i < nf_format_count && !*format; i++)
        if (nf_ascii_same(nf_formats[i]->name, name)) *format = nf_formats[i];
    return *format != NULL;
}

const char *nf_format_name(const nf_format *format) {
    return format ? format->name : "auto";
}

static bool has_use(const nf_format *f, nf_format_use use) {
    switch (use) {
    case NF_FORMATS_READ:
        return nf_format_is_read(f);
    case NF_FORMATS_PARSED:
        return nf_format_is_read(f) && !f->folder;
    case NF_FORMATS_WRITTEN:
        return nf_format_is_written(f);
    case NF_FORMATS_PRINTED:
        return nf_format_is_written(f) && !f->folder;
    }
    return false;
}

void nf_format_names(nf_str *out, nf_format_use use, const char *separator) {
    bool more = use == NF_FORMATS_READ || use == NF_FORMATS_PARSED || use == NF_FORMATS_WRITTEN;
    if (more) nf_str_append_text(out, "auto");
    for (size_t i = 0; i < nf_format_count; i++) {
        if (!has_use(nf_formats[i], use)) continue;
        nf_str_appendf(out, "%s%s", more ? separator : "", nf_formats[i]->name);
        more = true;
    }
}

nerfit_status nf_format_choose(const char *name, nf_format_use use, const char *what,
                               const nf_format **format, nerfit_error *err) {
    *format = NULL;
    if (!name) return NERFIT_OK;
    if (nf_format_find(name, format) &&
        (*format ? has_use(*format, use) : use != NF_FORMATS_PRINTED))
        return NERFIT_OK;
    bool writes = use == NF_FORMATS_WRITTEN || use == NF_FORMATS_PRINTED;
    const nf_format *f = *format;
    if (f && f->folder && (writes ? nf_format_is_written(f) : nf_format_is_read(f)))
        return nf_fail(err, NERFIT_ARGUMENT, "%s \"%s\" is a folder of files; expected %s", what,
                       name, writes ? "an output, the folder's path" : "the folder's path");
    if (f && f->advice && !writes)
        return nf_fail(err, NERFIT_UNSUPPORTED, "%s \"%s\" is not read: %s", what, name, f->advice);
    nf_str names = {0};
    nf_format_names(&names, use, ", ");
    const char *why = f && writes && !f->advice ? "is read, but not written: expected" : "is not";
    nerfit_status status = nf_fail(err, NERFIT_ARGUMENT, "%s \"%s\" %s one of %s", what, name, why,
                                   nf_str_text(&names));
    nf_str_free(&names);
    return status;
}

/* ---------------------------------------------------------------- by ending and content */

static bool has_ending(const nf_format *f, const char *path) {
    for (size_t k = 0; k < sizeof f->endings / sizeof *f->endings && f->endings[k]; k++)
        if (f->endings[k][0] && nf_path_has_ending(path, f->endings[k])) return true;
    return false;
}

const nf_format *nf_format_of_ending(const char *path) {
    for (size_t i = 0; i < nf_format_count; i++)
        if (nf_formats[i]->by_ending && has_ending(nf_formats[i], path)) return nf_formats[i];
    return NULL;
}

const nf_format *nf_format_of_output(const char *path) {
    for (size_t i = 0; i < nf_format_count; i++)
        if (nf_formats[i]->by_ending && nf_format_is_written(nf_formats[i]) &&
            has_ending(nf_formats[i], path))
            return nf_formats[i];
    return NULL;
}

const nf_format *nf_format_of_content(const char *text, size_t size) {
    for (size_t i = 0; i < nf_format_count; i++)
        if (nf_formats[i]->looks_like && nf_formats[i]->looks_like(text, size))
            return nf_formats[i];
    return NULL;
}

const nf_format *nf_format_of_value(const json_t *value) {
    const nf_format *own = NULL;
    for (size_t i = 0; i < nf_format_count; i++) {
        if (!nf_formats[i]->value_looks_like || !nf_formats[i]->value_looks_like(value)) continue;
        if (nf_formats[i] != &nf_format_jsonl) return nf_formats[i];
        own = nf_formats[i];
    }
    return own;
}

/* ---------------------------------------------------------------- parts */

const nf_part *nf_parts_find(const nf_parts *parts, const char *name) {
    for (size_t i = parts->count; i-- > 0;)
        if (strcmp(parts->items[i].name, name) == 0) return &parts->items[i];
    return NULL;
}

nf_part *nf_parts_get(nf_parts *parts, const char *name) {
    nf_part *found = (nf_part *)nf_parts_find(parts, name);
    if (found) return found;
    if (parts->count == parts->capacity) {
        size_t capacity = parts->capacity ? 2 * parts->capacity : 4;
        if (!nf_array_resize(&parts->items, capacity, sizeof *parts->items)) return NULL;
        parts->capacity = capacity;
    }
    const char *copy = nf_arena_strdup(&parts->arena, name);
    if (!copy) return NULL;
    parts->items[parts->count] = (nf_part){.name = copy};
    return &parts->items[parts->count++];
}

void nf_parts_free(nf_parts *parts) {
    for (size_t i = 0; i < parts->count; i++) nf_str_free(&parts->items[i].text);
    free(parts->items);
    nf_arena_free(&parts->arena);
    *parts = (nf_parts){0};
}
