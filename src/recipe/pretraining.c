#include "recipe/pretraining.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "recipe/drawn_columns.h"
#include "recipe/fingerprint.h"
#include "recipe/label_sets.h"

/* How a type is described in a step. */
enum { BY_MEAN, BY_NAME, BY_DESCRIPTION, BY_BOTH, FORMS };
enum { STREAM_CORPUS = 0x505245434F, STREAM_TEXTS, STREAM_FORMS };

/* A type's texts among all that are embedded: its names, its descriptions, and "name: description"
 * last. */
typedef struct type_texts {
    size_t first, n_names, n_descriptions;
    float *mean; /* [size] of both kinds alike; those of a set one behind another */
} type_texts;

/* One annotated file with its label set, as it is trained on. */
typedef struct set {
    const nf_annotated_set *of;
    nf_examples examples;
    size_t first;      /* of its examples in `all` */
    size_t first_type; /* in `types` */
    nf_type_columns columns;
    nf_task *task;
} set;

struct nf_pretraining {
    nf_arena arena;
    nf_annotated_sets read;
    set *sets; /* [n_sets] of those */
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
    }
    nf_drawn_columns_free(&p->columns);
    nf_embeddings_free(&p->embeddings);
    nf_annotated_sets_free(&p->read);
    nf_arena_free(&p->arena);
    free(p);
}

/* ---------------------------------------------------------------- reading */

static nerfit_status read_all(nf_pretraining *p, const nf_train_options *o, const nf_log *log,
                              nerfit_error *err) {
    const nf_sets_named named = {"pretrain_annotations", &o->pretrain_annotations,
                                 "pretrain_ent2emb", &o->pretrain_ent2emb};
    NF_TRY(nf_annotated_sets_read(&p->read, o, &named, log, err));
    size_t n = p->read.count;
    p->sets = nf_arena_calloc(&p->arena, n + 1, sizeof *p->sets);
    if (!p->sets) return nf_no_memory(err, n * sizeof *p->sets);
    for (; p->n_sets < n; p->n_sets++) p->sets[p->n_sets].of = &p->read.items[p->n_sets];
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
    return nf_annotated_sets_fingerprint(&p->read, fingerprint, err);
}

/* ---------------------------------------------------------------- descriptions */

/* The texts of a type, at the end of the list. */
static nerfit_status describe_type(nf_pretraining *p, const nf_descriptions *d, const char *label,
                                   type_texts *type, const char **texts, nerfit_error *err) {
    nf_type_texts all;
    NF_TRY(nf_type_texts_of(&all, &p->arena, d, label, err));
    memcpy(texts, all.texts, nf_type_texts_count(&all) * sizeof *texts);
    type->n_names = all.n_names;
    type->n_descriptions = all.n_descriptions;
    return NERFIT_OK;
}

static size_t texts_of_type(const type_texts *type) {
    return type->n_names + type->n_descriptions + 1;
}

/* The sets' types with their texts; *most: an upper limit of these. */
static nerfit_status list_types(nf_pretraining *p, size_t *most, nerfit_error *err) {
    *most = 0;
    for (size_t i = 0; i < p->n_sets; i++) {
        const nf_descriptions *d = &p->sets[i].of->descriptions;
        p->sets[i].first_type = p->n_types;
        p->n_types += p->sets[i].of->labels.n_types;
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
        for (; k < s->first_type + s->of->labels.n_types; k++) {
            p->types[k].first = at;
            NF_TRY(describe_type(p, &s->of->descriptions, s->of->labels.types[k - s->first_type],
                                 &p->types[k], texts + at, err));
            n_unnamed += p->types[k].n_descriptions == 0;
            at += texts_of_type(&p->types[k]);
        }
        if (n_unnamed)
            nf_log_info(log, "%s: %zu of %zu labels have no description; their names serve",
                        s->of->path, n_unnamed, s->of->labels.n_types);
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
        NF_TRY(nf_examples_make(&s->examples, &s->of->corpus, &s->of->labels, model->tokenizer,
                                max_length, nf_examples_words(&s->of->corpus), log, err));
        s->first = count;
        count += s->examples.count;
        nf_log_info(log, "%s: %zu texts, %zu entities of %zu types", s->of->path,
                    s->of->corpus.n_documents, s->of->corpus.n_spans, s->of->labels.n_types);
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
    bool drawn = s->of->labels.n_types > NF_MOST_COLUMNS;
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
    if (s->of->labels.n_types <= NF_MOST_COLUMNS) return NERFIT_OK;
    NF_TRY(nf_columns_draw(&p->columns, &s->examples, s->of->labels.n_types, seed, step, batch,
                           count, err));
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
        size_t n = s->of->labels.n_types;
        if (n > NF_MOST_COLUMNS) n = NF_MOST_COLUMNS; /* the first ones, until some are drawn */
        if (n > most) most = n;
        NF_TRY(nf_type_columns_make(&s->columns, p->be, p->types[s->first_type].mean, n, p->size,
                                    err));
        NF_TRY(
            nf_task_new(&s->task, model, &s->of->labels, &s->examples, NULL, label_smoothing, err));
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
