#include "recipe/pretraining.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/str.h"
#include "data/annotations.h"
#include "data/manifest.h"
#include "data/weights.h"
#include "recipe/drawn_columns.h"
#include "recipe/fingerprint.h"

/* How a type is described in a step. */
enum { BY_MEAN, BY_NAME, BY_DESCRIPTION, BY_BOTH, FORMS };
enum { STREAM_CORPUS = 0x505245434F, STREAM_TEXTS, STREAM_FORMS };

/* A type's texts among all that are embedded: its names, its descriptions, and "name: description"
 * last. */
typedef struct type_texts {
    size_t first, n_names, n_descriptions;
    float *mean; /* [size] of both kinds alike; those of a set one behind another */
} type_texts;

/* One annotated file with its label set. */
typedef struct set {
    const char *path;
    nf_corpus corpus;
    nf_descriptions descriptions;
    nf_label_set labels;
    nf_examples examples;
    size_t first;      /* of its examples in `all` */
    size_t first_type; /* in `types` */
    nf_type_columns columns;
    nf_task *task;
} set;

struct nf_pretraining {
    nf_arena arena;
    nf_manifest manifest; /* the sets' files */
    set *sets;
    size_t n_sets, size;
    nf_embeddings embeddings; /* of all texts of all types */
    type_texts *types;        /* [n_types] of all sets */
    size_t n_types;
    nf_examples all; /* only items and count: the sets' one after another */
    nf_backend *be;  /* of the columns */
    float *mixed;    /* [most columns, size] the forms of a step */
    size_t n_mixed;  /* most columns */
    /* of the batch at hand: */
    set *drawn;               /* its set */
    nf_drawn_columns columns; /* if that has too many types */
};

typedef struct pretraining_task {
    nf_task task;
    nf_pretraining *p;
} pretraining_task;

void nf_pretraining_free(nf_pretraining *p) {
    if (!p) return;
    for (size_t i = 0; i < p->n_sets; i++) {
        set *s = &p->sets[i];
        if (s->task) s->task->free(s->task);
        if (p->be) nf_type_columns_free(&s->columns, p->be);
        nf_examples_free(&s->examples);
        nf_label_set_free(&s->labels);
        nf_descriptions_free(&s->descriptions);
        nf_corpus_free(&s->corpus);
    }
    nf_drawn_columns_free(&p->columns);
    nf_embeddings_free(&p->embeddings);
    nf_manifest_free(&p->manifest);
    nf_arena_free(&p->arena);
    free(p);
}

/* ---------------------------------------------------------------- reading */

/* A file's texts, without those that count nothing. */
static nerfit_status read_texts(set *s, const nf_train_options *o, const char *path,
                                const nf_log *log, nerfit_error *err) {
    nf_corpus all = {0};
    nf_arena arena = {0};
    nf_source_weights sources;
    nerfit_status status = nf_train_options_sources(o, &sources, &arena, err);
    if (status == NERFIT_OK) status = nf_train_options_read(o, &all, path, log, err);
    if (status == NERFIT_OK && nf_corpus_is_weighted(&all, &sources)) {
        status = nf_corpus_weigh(&s->corpus, &all, &sources, log, err);
        nf_corpus_free(&all);
    } else {
        s->corpus = all;
    }
    nf_arena_free(&arena);
    return status;
}

static nerfit_status read_set(set *s, const nf_train_options *o, const char *annotations,
                              const char *descriptions, const nf_log *log, nerfit_error *err) {
    s->path = annotations;
    NF_TRY(read_texts(s, o, annotations, log, err));
    if (s->corpus.n_spans == 0)
        return nf_fail_at(err, NERFIT_ARGUMENT, annotations, 0, 0, "has no text with an entity");
    NF_TRY(nf_descriptions_read(&s->descriptions, descriptions, err));
    return nf_label_set_make(&s->labels, s->corpus.labels, s->corpus.n_labels, err);
}

/* Files with their descriptions in the options' order; folders and manifests bring their own. */
static nerfit_status list_sets(nf_manifest *out, const nf_train_options *o, const nf_log *log,
                               nerfit_error *err) {
    const nf_names *texts = &o->pretrain_annotations, *descriptions = &o->pretrain_ent2emb;
    size_t n_files = 0, next = 0;
    if (texts->count == 0)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "pretrain_annotations is missing: the annotated files, a folder of label "
                       "sets or a manifest");
    for (size_t i = 0; i < texts->count; i++) n_files += !nf_manifest_is(texts->items[i]);
    if (n_files != descriptions->count)
        return nf_fail(
            err, NERFIT_ARGUMENT,
            "pretrain_annotations names %zu files%s, pretrain_ent2emb %zu; expected a file "
            "of descriptions for each",
            n_files,
            n_files < texts->count ? " (beside folders and manifests, which have descriptions)"
                                   : "",
            descriptions->count);
    for (size_t i = 0; i < texts->count; i++)
        NF_TRY(nf_manifest_is(texts->items[i])
                   ? nf_manifest_read(out, texts->items[i], log, err)
                   : nf_manifest_add(out, texts->items[i], descriptions->items[next++], err));
    return NERFIT_OK;
}

static nerfit_status read_all(nf_pretraining *p, const nf_train_options *o, const nf_log *log,
                              nerfit_error *err) {
    nf_manifest *manifest = &p->manifest;
    NF_TRY(list_sets(manifest, o, log, err));
    p->sets = nf_arena_calloc(&p->arena, manifest->count, sizeof *p->sets);
    if (!p->sets) return nf_no_memory(err, manifest->count * sizeof *p->sets);
    for (; p->n_sets < manifest->count; p->n_sets++) {
        const nf_manifest_entry *entry = &manifest->entries[p->n_sets];
        nerfit_status status =
            read_set(&p->sets[p->n_sets], o, entry->annotations, entry->descriptions, log, err);
        if (status != NERFIT_OK) {
            p->n_sets++; /* what it has so far is freed too */
            return status;
        }
    }
    return NERFIT_OK;
}

nerfit_status nf_pretraining_read(nf_pretraining **out, const nf_train_options *options,
                                  const nf_log *log, nerfit_error *err) {
    *out = NULL;
    nf_pretraining *p = calloc(1, sizeof *p);
    if (!p) return nf_no_memory(err, sizeof *p);
    nerfit_status status = read_all(p, options, log, err);
    if (status == NERFIT_OK)
        *out = p;
    else
        nf_pretraining_free(p);
    return status;
}

nerfit_status nf_pretraining_fingerprint(const nf_pretraining *p, uint64_t *fingerprint,
                                         nerfit_error *err) {
    *fingerprint = NF_HASH_START;
    for (size_t i = 0; i < p->n_sets; i++) {
        const nf_train_data described = {.descriptions = &p->sets[i].descriptions};
        NF_TRY(nf_fingerprint_corpus(fingerprint, &p->sets[i].corpus, err));
        NF_TRY(nf_fingerprint_descriptions(fingerprint, &described, NULL, err));
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- descriptions */

/* The texts of a type, at the end of the list. */
static nerfit_status describe_type(nf_pretraining *p, const nf_descriptions *d, const char *label,
                                   type_texts *type, const char **texts, nerfit_error *err) {
    size_t at = nf_list_index(d->labels, d->count, label), n = 0;
    nf_label_texts further = d->further && at < d->count ? d->further[at] : (nf_label_texts){0};
    const char *text = at < d->count ? d->texts[at] : NULL;
    char *name = nf_label_phrase(&p->arena, label);
    if (!name) return nf_no_memory(err, strlen(label));
    texts[n++] = name;
    for (size_t i = 0; i < further.n_names; i++) texts[n++] = further.names[i];
    type->n_names = n;
    if (text) texts[n++] = text;
    for (size_t i = 0; i < further.n_descriptions; i++) texts[n++] = further.descriptions[i];
    type->n_descriptions = n - type->n_names;
    size_t size = strlen(name) + (text ? strlen(text) : 0) + 3;
    char *both = nf_arena_alloc(&p->arena, size);
    if (!both) return nf_no_memory(err, size);
    snprintf(both, size, text ? "%s: %s" : "%s", name, text);
    texts[n] = both;
    return NERFIT_OK;
}

static size_t texts_of_type(const type_texts *type) {
    return type->n_names + type->n_descriptions + 1;
}

/* The sets' types with their texts; *most: an upper limit of these. */
static nerfit_status list_types(nf_pretraining *p, size_t *most, nerfit_error *err) {
    *most = 0;
    for (size_t i = 0; i < p->n_sets; i++) {
        const nf_descriptions *d = &p->sets[i].descriptions;
        p->sets[i].first_type = p->n_types;
        p->n_types += p->sets[i].labels.n_types;
        for (size_t k = 0; d->further && k < d->count; k++)
            *most += d->further[k].n_names + d->further[k].n_descriptions;
    }
    *most += 3 * p->n_types;
    p->types = nf_arena_calloc(&p->arena, p->n_types + 1, sizeof *p->types);
    return p->types ? NERFIT_OK : nf_no_memory(err, p->n_types * sizeof *p->types);
}

static nerfit_status means_of_types(nf_pretraining *p, nerfit_error *err) {
    float *means = nf_arena_alloc(&p->arena, p->n_types * p->size * sizeof *means + 1);
    if (!means) return nf_no_memory(err, p->n_types * p->size * sizeof *means);
    for (size_t i = 0; i < p->n_types; i++) {
        type_texts *type = &p->types[i];
        type->mean = means + i * p->size;
        const nf_label_vectors label = {p->embeddings.vectors + type->first * p->size,
                                        type->n_names, type->n_names + type->n_descriptions,
                                        p->size};
        nf_embeddings_mean(type->mean, &label, 0.5f);
    }
    return NERFIT_OK;
}

nerfit_status nf_pretraining_embed(nf_pretraining *p, const char *sentence_encoder, nf_backend *be,
                                   const nf_log *log, size_t *size, nerfit_error *err) {
    size_t most, at = 0, k = 0;
    NF_TRY(list_types(p, &most, err));
    const char **texts = nf_arena_calloc(&p->arena, most + 1, sizeof *texts);
    if (!texts) return nf_no_memory(err, most * sizeof *texts);
    for (size_t i = 0; i < p->n_sets; i++) {
        set *s = &p->sets[i];
        size_t n_unnamed = 0;
        for (; k < s->first_type + s->labels.n_types; k++) {
            p->types[k].first = at;
            NF_TRY(describe_type(p, &s->descriptions, s->labels.types[k - s->first_type],
                                 &p->types[k], texts + at, err));
            n_unnamed += p->types[k].n_descriptions == 0;
            at += texts_of_type(&p->types[k]);
        }
        if (n_unnamed)
            nf_log_info(log, "%s: %zu of %zu labels have no description; their names serve",
                        s->path, n_unnamed, s->labels.n_types);
    }
    const nf_descriptions all = {.labels = texts, .texts = texts, .count = at};
    const nf_embedder by = {.sentence_encoder = sentence_encoder,
                            .be = be,
                            .log = log,
                            .rule = NF_LABEL_TEXT_DESCRIPTION};
    NF_TRY(nf_embeddings_describe(&p->embeddings, &all, "pretrain_ent2emb", &by, err));
    *size = p->size = p->embeddings.size;
    return means_of_types(p, err);
}

/* ---------------------------------------------------------------- examples */

nerfit_status nf_pretraining_encode(nf_pretraining *p, const nf_model *model, size_t max_length,
                                    const nf_log *log, nerfit_error *err) {
    size_t count = 0;
    for (size_t i = 0; i < p->n_sets; i++) {
        set *s = &p->sets[i];
        NF_TRY(nf_examples_make(&s->examples, &s->corpus, &s->labels, model->tokenizer, max_length,
                                nf_examples_words(&s->corpus), log, err));
        s->first = count;
        count += s->examples.count;
        nf_log_info(log, "%s: %zu texts, %zu entities of %zu types", s->path, s->corpus.n_documents,
                    s->corpus.n_spans, s->labels.n_types);
    }
    p->all.items = nf_arena_alloc(&p->arena, count * sizeof *p->all.items + 1);
    if (!p->all.items) return nf_no_memory(err, count * sizeof *p->all.items);
    p->all.count = count;
    for (size_t i = 0; i < p->n_sets; i++)
        memcpy(p->all.items + p->sets[i].first, p->sets[i].examples.items,
               p->sets[i].examples.count * sizeof *p->all.items);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the task */

static const set *draw_set(const nf_pretraining *p, uint64_t seed, uint64_t step) {
    nf_rng rng = nf_rng_new(seed, STREAM_CORPUS + (step << 8));
    double sum = 0.0, at = 0.0;
    for (size_t i = 0; i < p->n_sets; i++) sum += sqrt((double)p->sets[i].examples.count);
    double point = nf_rng_uniform(&rng) * sum;
    for (size_t i = 0; i + 1 < p->n_sets; i++) {
        at += sqrt((double)p->sets[i].examples.count);
        if (point < at) return &p->sets[i];
    }
    return &p->sets[p->n_sets - 1];
}

/* Distinct texts: where few are left, the batch is smaller. */
static size_t draw(const nf_task *task, uint64_t seed, uint64_t step, size_t size,
                   const nf_example **batch) {
    const nf_pretraining *p = ((const pretraining_task *)task)->p;
    const set *s = draw_set(p, seed, step);
    nf_rng rng = nf_rng_new(seed, STREAM_TEXTS + (step << 8));
    size_t wanted = size < s->examples.count ? size : s->examples.count, count = 0;
    while (count < wanted) {
        const nf_example *one =
            &p->all.items[s->first + nf_rng_below(&rng, (uint32_t)s->examples.count)];
        bool there = false;
        for (size_t i = 0; i < count; i++) there |= batch[i] == one;
        if (!there) batch[count++] = one;
    }
    return count;
}

/* A type's vector in a form drawn for this step. */
static const float *draw_form(const nf_pretraining *p, const type_texts *type, nf_rng *rng) {
    size_t form = nf_rng_below(rng, FORMS), at = type->first;
    if (form == BY_MEAN) return type->mean;
    if (form == BY_NAME)
        at += nf_rng_below(rng, (uint32_t)type->n_names);
    else if (form == BY_DESCRIPTION && type->n_descriptions)
        at += type->n_names + nf_rng_below(rng, (uint32_t)type->n_descriptions);
    else
        at += type->n_names + type->n_descriptions;
    return p->embeddings.vectors + at * p->size;
}

/* Describes each type of the set, or each that was drawn of it, in a form drawn for this step. */
static void choose_forms(nf_pretraining *p, const set *s, const nf_pass *pass) {
    nf_rng rng = nf_rng_new(pass->seed, STREAM_FORMS + (pass->step << 8));
    bool drawn = s->labels.n_types > NF_MOST_COLUMNS;
    size_t n = s->columns.n_types, size = p->size;
    for (size_t k = 0; k < n; k++) {
        size_t type = s->first_type + (drawn ? (size_t)p->columns.types[k] : k);
        memcpy(p->mixed + k * size, draw_form(p, &p->types[type], &rng), size * sizeof *p->mixed);
    }
    pass->be->from_f32(pass->be, s->columns.vectors, p->mixed, n * size);
}

/* The set that a batch was drawn from. */
static set *set_of(nf_pretraining *p, const nf_example *text) {
    size_t index = (size_t)(text - p->all.items), i = 0;
    while (i + 1 < p->n_sets && index >= p->sets[i + 1].first) i++;
    return &p->sets[i];
}

/* Columns of another number than the last batch had. */
static nerfit_status fit_columns(nf_pretraining *p, set *s, size_t n, nerfit_error *err) {
    if (n == s->columns.n_types) return NERFIT_OK;
    if (n > p->n_mixed) {
        p->mixed = nf_arena_calloc(&p->arena, n * p->size, sizeof *p->mixed);
        if (!p->mixed) return nf_no_memory(err, n * p->size * sizeof *p->mixed);
        p->n_mixed = n;
    }
    nf_type_columns_free(&s->columns, p->be);
    return nf_type_columns_make(&s->columns, p->be, p->mixed, n, p->size, err);
}

/* Before a step, of the whole batch. */
static nerfit_status dress(void *dresser, uint64_t seed, uint64_t step, const nf_example **batch,
                           size_t count, nerfit_error *err) {
    nf_pretraining *p = dresser;
    if (count == 0) return NERFIT_OK;
    set *s = p->drawn = set_of(p, batch[0]);
    if (s->labels.n_types <= NF_MOST_COLUMNS) return NERFIT_OK;
    NF_TRY(nf_columns_draw(&p->columns, &s->examples, s->labels.n_types, seed, step, batch, count,
                           err));
    return fit_columns(p, s, p->columns.count, err);
}

static double task_measure(const nf_task *task, const nf_example *const *texts, size_t count) {
    const nf_pretraining *p = ((const pretraining_task *)task)->p;
    const nf_task *of_set = count ? p->drawn->task : NULL;
    return of_set ? of_set->measure(of_set, texts, count) : 0.0;
}

static nerfit_status task_run(nf_task *task, nf_pass *pass, const nf_head_batch *batch,
                              double *loss, nerfit_error *err) {
    set *s = ((pretraining_task *)task)->p->drawn;
    choose_forms(((pretraining_task *)task)->p, s, pass);
    nf_description_head_of(task->model->learner)->columns = &s->columns;
    return s->task->run(s->task, pass, batch, loss, err);
}

static void task_free(nf_task *task) {
    free(task);
}

nerfit_status nf_task_pretraining(nf_task **out, nf_pretraining *p, nf_model *model,
                                  double label_smoothing, nerfit_error *err) {
    size_t most = 0;
    *out = NULL;
    p->be = model->net.be;
    for (size_t i = 0; i < p->n_sets; i++) {
        set *s = &p->sets[i];
        size_t n = s->labels.n_types;
        if (n > NF_MOST_COLUMNS) n = NF_MOST_COLUMNS; /* the first ones, until some are drawn */
        if (n > most) most = n;
        NF_TRY(nf_type_columns_make(&s->columns, p->be, p->types[s->first_type].mean, n, p->size,
                                    err));
        NF_TRY(nf_task_new(&s->task, model, &s->labels, &s->examples, NULL, label_smoothing, err));
    }
    p->n_mixed = most;
    p->mixed = nf_arena_alloc(&p->arena, most * p->size * sizeof *p->mixed + 1);
    pretraining_task *task = calloc(1, sizeof *task);
    if (!task || !p->mixed) {
        free(task);
        return nf_no_memory(err, most * p->size * sizeof *p->mixed);
    }
    task->p = p;
    task->task = (nf_task){.name = "pre-training",
                           .model = model,
                           .train = &p->all,
                           .draw = draw,
                           .dress = dress,
                           .dresser = p,
                           .measure = task_measure,
                           .run = task_run,
                           .one_pass = true,
                           .free = task_free};
    *out = &task->task;
    return NERFIT_OK;
}
