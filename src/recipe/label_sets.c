#include "recipe/label_sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "data/annotations.h"
#include "data/weights.h"
#include "recipe/fingerprint.h"

/* A file's texts, without those that count nothing. */
static nerfit_status read_texts(nf_annotated_set *s, const nf_train_options *o, const nf_log *log,
                                nerfit_error *err) {
    nf_corpus all = {0};
    nf_arena arena = {0};
    nf_source_weights sources;
    nerfit_status status = nf_train_options_sources(o, &sources, &arena, err);
    if (status == NERFIT_OK) status = nf_train_options_read(o, &all, s->path, log, err);
    if (status == NERFIT_OK && nf_corpus_is_weighted(&all, &sources)) {
        status = nf_corpus_weigh(&s->corpus, &all, &sources, log, err);
        nf_corpus_free(&all);
    } else {
        s->corpus = all;
    }
    nf_arena_free(&arena);
    return status;
}

static nerfit_status read_set(nf_annotated_set *s, const nf_train_options *o,
                              const char *descriptions, const nf_log *log, nerfit_error *err) {
    NF_TRY(read_texts(s, o, log, err));
    if (s->corpus.n_spans == 0)
        return nf_fail_at(err, NERFIT_ARGUMENT, s->path, 0, 0, "has no text with an entity");
    NF_TRY(nf_descriptions_read(&s->descriptions, descriptions, err));
    return nf_label_set_make(&s->labels, s->corpus.labels, s->corpus.n_labels, err);
}

static nerfit_status check_pairs(const nf_sets_named *named, nerfit_error *err) {
    const nf_names *texts = named->texts;
    size_t n_files = 0, n_descriptions = named->descriptions ? named->descriptions->count : 0;
    for (size_t i = 0; i < texts->count; i++) n_files += !nf_manifest_is(texts->items[i]);
    if (n_files && !named->descriptions_name)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "%s: expected folders of label sets or manifests (YAML), which say what the "
                       "labels mean; not annotated files by themselves",
                       named->option);
    if (n_files == n_descriptions) return NERFIT_OK;
    return nf_fail(
        err, NERFIT_ARGUMENT,
        "%s names %zu files%s, %s %zu; expected a file of descriptions for each", named->option,
        n_files,
        n_files < texts->count ? " (beside folders and manifests, which have descriptions)" : "",
        named->descriptions_name, n_descriptions);
}

/* Files with their descriptions in the options' order; folders and manifests bring their own. */
static nerfit_status list_sets(nf_manifest *out, const nf_sets_named *named, const nf_log *log,
                               nerfit_error *err) {
    const nf_names *texts = named->texts;
    size_t next = 0;
    if (texts->count == 0)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "%s is missing: the annotated files, a folder of label sets or a manifest",
                       named->option);
    NF_TRY(check_pairs(named, err));
    for (size_t i = 0; i < texts->count; i++)
        NF_TRY(
            nf_manifest_is(texts->items[i])
                ? nf_manifest_read(out, texts->items[i], log, err)
                : nf_manifest_add(out, texts->items[i], named->descriptions->items[next++], err));
    return NERFIT_OK;
}

nerfit_status nf_annotated_sets_read(nf_annotated_sets *out, const nf_train_options *options,
                                     const nf_sets_named *named, const nf_log *log,
                                     nerfit_error *err) {
    NF_TRY(list_sets(&out->manifest, named, log, err));
    size_t n = out->manifest.count;
    out->items = calloc(n + 1, sizeof *out->items);
    if (!out->items) return nf_no_memory(err, n * sizeof *out->items);
    while (out->count < n) {
        const nf_manifest_entry *entry = &out->manifest.entries[out->count];
        nf_annotated_set *s = &out->items[out->count++]; /* what it has is freed in any case */
        s->path = entry->annotations;
        NF_TRY(read_set(s, options, entry->descriptions, log, err));
    }
    return NERFIT_OK;
}

nerfit_status nf_annotated_sets_fingerprint(const nf_annotated_sets *sets, uint64_t *fingerprint,
                                            nerfit_error *err) {
    for (size_t i = 0; i < sets->count; i++) {
        const nf_train_data described = {.descriptions = &sets->items[i].descriptions};
        NF_TRY(nf_fingerprint_corpus(fingerprint, &sets->items[i].corpus, err));
        NF_TRY(nf_fingerprint_descriptions(fingerprint, &described, NULL, err));
    }
    return NERFIT_OK;
}

void nf_annotated_sets_free(nf_annotated_sets *sets) {
    for (size_t i = 0; i < sets->count; i++) {
        nf_annotated_set *s = &sets->items[i];
        nf_label_set_free(&s->labels);
        nf_descriptions_free(&s->descriptions);
        nf_corpus_free(&s->corpus);
    }
    free(sets->items);
    nf_manifest_free(&sets->manifest);
    *sets = (nf_annotated_sets){0};
}

nerfit_status nf_type_texts_of(nf_type_texts *out, nf_arena *arena, const nf_descriptions *d,
                               const char *label, nerfit_error *err) {
    size_t at = nf_list_index(d->labels, d->count, label), n = 0;
    nf_label_texts further = d->further && at < d->count ? d->further[at] : (nf_label_texts){0};
    const char *text = at < d->count ? d->texts[at] : NULL;
    char *name = nf_label_phrase(arena, label);
    size_t size = name ? strlen(name) + (text ? strlen(text) : 0) + 3 : 0;
    char *both = nf_arena_alloc(arena, size + 1);
    const char **texts =
        nf_arena_alloc(arena, (further.n_names + further.n_descriptions + 3) * sizeof *texts);
    if (!name || !both || !texts) return nf_no_memory(err, strlen(label));
    texts[n++] = name;
    for (size_t i = 0; i < further.n_names; i++) texts[n++] = further.names[i];
    out->n_names = n;
    if (text) texts[n++] = text;
    for (size_t i = 0; i < further.n_descriptions; i++) texts[n++] = further.descriptions[i];
    out->n_descriptions = n - out->n_names;
    snprintf(both, size, text ? "%s: %s" : "%s", name, text);
    texts[n] = both;
    out->texts = texts;
    return NERFIT_OK;
}
