/* Self-training: texts that nobody annotated are tagged by a first model, the teacher, which learned from
 * the annotated ones alone; the run's own model then learns from both. The teacher is a run of its own in
 * output_dir/teacher, so that a resumed run finds it.
 *
 * What the teacher is sure of counts by its score, places where it is not are unknown (data/document.h),
 * and all else is no entity: which also brings the texts without one that k-shot samples lack. One round.
 * What it brings: docs/evaluation.md. */
#include "recipe/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/annotations.h"
#include "data/formats/format.h"
#include "data/selection.h"
#include "infer/tag_corpus.h"
#include "recipe/review.h"

/* Of more texts as many are drawn: 500 steps of 8 see each four times. */
enum { MOST_TEXTS = 1000 };
enum { STREAM_UNLABELLED = 0x554E4C4142 };
/* Surer entities are learned from; places of those between are unknown. */
static const double SURE = 0.6, POSSIBLE = 0.1;
static const char SOURCE[] = "self-training";

/* ---------------------------------------------------------------- texts */

/* A line is a text, whatever stands in it, unless the file's ending tells another format. */
static nerfit_status read_texts(nf_run *r, nf_corpus *out, const char *path) {
    nf_annotation_options options = {.log = r->log, .format = nf_format_of_ending(path)};
    nf_file file;
    if (!options.format || options.format == &nf_format_brackets) options.format = &nf_format_text;
    NF_TRY(nf_file_open(&file, path, r->err));
    nerfit_status status = nf_texts_parse(out, file.data, file.size, path, &options, false, r->err);
    nf_file_close(&file);
    return status;
}

/* Whether a text has words, and stands neither among the first n of `same_as` nor before. */
static bool is_new(const nf_document *d, const uint32_t *same_as, size_t at, size_t n) {
    const char *text = d->text;
    size_t size = d->text_size;
    nf_text_trim(&text, &size);
    return size > 0 && same_as[n + at] == n + at;
}

/* Takes as many as MOST_TEXTS of the new ones, drawn, in their order. */
static nerfit_status choose(nf_run *r, const nf_corpus *texts, const uint32_t *same_as) {
    size_t n = r->corpora[NF_SPLIT_TRAIN]->n_documents, n_new = 0, count = 0;
    uint32_t *chosen = malloc(texts->n_documents * sizeof *chosen + 1);
    if (!chosen) return nf_no_memory(r->err, texts->n_documents * sizeof *chosen);
    for (size_t i = 0; i < texts->n_documents; i++)
        if (is_new(&texts->documents[i], same_as, i, n)) chosen[n_new++] = (uint32_t)i;
    nf_rng rng = nf_rng_new((uint64_t)r->options->seed[0], STREAM_UNLABELLED);
    size_t wanted = n_new < MOST_TEXTS ? n_new : MOST_TEXTS;
    for (size_t i = 0; i < n_new; i++)
        if (nf_rng_below(&rng, (uint32_t)(n_new - i)) < wanted - count) chosen[count++] = chosen[i];
    nerfit_status status = nf_corpus_take(&r->unlabelled, texts, chosen, count, r->err);
    free(chosen);
    if (n_new < texts->n_documents)
        nf_log_info(r->log,
                    "unlabelled_annotations: %zu of %zu texts are empty, there twice, or training "
                    "texts",
                    texts->n_documents - n_new, texts->n_documents);
    if (count < n_new)
        nf_log_info(r->log, "unlabelled_annotations: %zu of %zu texts are drawn", count, n_new);
    return status;
}

nerfit_status nf_run_read_unlabelled(nf_run *r) {
    const nf_train_options *o = r->options;
    const char *path = o->unlabelled_annotations;
    nf_corpus texts = {0};
    if (!path) return NERFIT_OK;
    if (o->recipe != NF_RECIPE_NERFIT)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "unlabelled_annotations: only the recipe nerfit learns from texts without "
                       "annotations");
    if (nf_comm_size(r->data->comm) > 1)
        return nf_fail(r->err, NERFIT_ARGUMENT,
                       "unlabelled_annotations: the teacher is a run of one process; ranks cannot "
                       "share it");
    nerfit_status status = read_texts(r, &texts, path);
    const nf_corpus *corpora[] = {r->corpora[NF_SPLIT_TRAIN], &texts};
    size_t total = corpora[0]->n_documents + texts.n_documents;
    uint32_t *same_as = malloc(total * sizeof *same_as + 1);
    if (status == NERFIT_OK && !same_as) status = nf_no_memory(r->err, total * sizeof *same_as);
    if (status == NERFIT_OK) status = nf_texts_same_as(corpora, 2, same_as, r->err);
    if (status == NERFIT_OK) status = choose(r, &texts, same_as);
    if (status == NERFIT_OK && r->unlabelled.n_documents == 0)
        status = nf_fail_at(r->err, NERFIT_ARGUMENT, path, 0, 0,
                            "has no text that is not a training text");
    free(same_as);
    nf_corpus_free(&texts);
    return status;
}

/* ---------------------------------------------------------------- the teacher */

/* Steps go on to the caller, who may stop them; the run's own metrics are not the teacher's. */
static bool observe(void *user, const nf_stage_report *report) {
    const nf_run *r = user;
    return report->entry || report->path || r->observer(r->user, report);
}

/* The run's own options, without what only its model needs. */
static nf_train_options teacher_options(const nf_run *r, char *folder) {
    nf_train_options o = *r->as_given; /* its texts are borrowed */
    o.recipe = NF_RECIPE_NERFIT;
    o.output_dir = folder;
    o.model_name = (char *)(uintptr_t)r->model_folder;
    o.unlabelled_annotations = o.test_annotations = NULL;
    o.calibration = NF_CALIBRATION_OFF;
    o.resume_from_checkpoint = nf_run_resumes(r->as_given) ? "true" : NULL;
    if (!r->embeddings) o.ent2emb = NULL;
    return o;
}

static nerfit_status train_teacher(nf_run *r, char **model_folder) {
    char *folder = nf_path_join(&r->arena, r->options->output_dir, "teacher");
    if (!folder) return nf_no_memory(r->err, 0);
    nf_train_options options = teacher_options(r, folder);
    const nf_train_data data = {.train = r->corpora[NF_SPLIT_TRAIN],
                                .validation = r->corpora[NF_SPLIT_VALIDATION],
                                .embeddings = r->embeddings,
                                .sentence_encoder = r->own_descriptions ? r->sentence_folder : NULL,
                                .pretrained = &r->pretrained,
                                .services = r->data->services};
    nf_train_result result;
    nf_log_info(r->log, "self-training: first the teacher, in %s", folder);
    NF_TRY(nf_directory_make(r->options->output_dir, r->err));
    NF_TRY(r->train(&options, &data, r->log, r->observer ? observe : NULL, r, &result, r->err));
    *model_folder = result.model_folder;
    result.model_folder = NULL;
    nf_train_result_free(&result);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- what it says */

typedef struct taught {
    nf_corpus *corpus;
    const nf_tag_set *tags;
    size_t n_sure, n_open;
} taught;

static nerfit_status add_taught(void *user, const nf_document *document, const nf_tagged *tagged,
                                nerfit_error *err) {
    taught *t = user;
    size_t n = tagged->n_entities, n_spans = 0;
    nf_arena arena = {0};
    nf_given_span *spans = nf_arena_calloc(&arena, n + 1, sizeof *spans);
    nf_beside *besides = nf_arena_calloc(&arena, n + 1, sizeof *besides);
    nf_range *open = nf_arena_calloc(&arena, n + 1, sizeof *open);
    nf_beside beside = {.source = SOURCE, .unknown = open};
    nerfit_status status = spans && besides && open ? NERFIT_OK : nf_no_memory(err, n);
    for (size_t i = 0; i < n && status == NERFIT_OK; i++) {
        const nf_entity *e = &tagged->entities[i];
        const char *label = t->tags->types[e->type];
        if (e->score < SURE) {
            open[beside.n_unknown++] = (nf_range){e->start, e->end};
            continue;
        }
        besides[n_spans] = (nf_beside){.source = SOURCE, .weight = e->score, .weighted = true};
        spans[n_spans] = (nf_given_span){.start = e->start,
                                         .end = e->end,
                                         .label = label,
                                         .label_size = strlen(label),
                                         .beside = &besides[n_spans]};
        n_spans++;
    }
    t->n_sure += n_spans;
    t->n_open += beside.n_unknown;
    const nf_given_document given = {.text = document->text,
                                     .text_size = document->text_size,
                                     .spans = spans,
                                     .n_spans = n_spans,
                                     .beside = &beside,
                                     .file = document->file,
                                     .line = document->line};
    if (status == NERFIT_OK) status = nf_corpus_add(t->corpus, &given, NULL, err);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status tag(nf_run *r, const char *folder, taught *t) {
    nf_loaded l;
    NF_TRY(nf_loaded_open(&l, folder, r->be, nf_run_precision(r, 1), r->log, r->err));
    nerfit_status status = nf_rules_set_threshold(&l.rules, NULL, POSSIBLE, r->err);
    t->tags = &l.rules.tags;
    if (status == NERFIT_OK)
        status = nf_tag_corpus(l.tagger, &(nf_tagging_call){.rules = &l.rules}, &r->unlabelled,
                               add_taught, t, r->err);
    nf_loaded_close(&l);
    return status;
}

nerfit_status nf_run_self_training(nf_run *r) {
    const nf_corpus *given = r->corpora[NF_SPLIT_TRAIN];
    taught t = {.corpus = &r->taught};
    char *folder = NULL;
    if (r->unlabelled.n_documents == 0) return NERFIT_OK;
    NF_TRY(nf_run_check_output(r));
    NF_TRY(train_teacher(r, &folder));
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < given->n_documents && status == NERFIT_OK; i++)
        status = nf_corpus_copy(&r->taught, &given->documents[i], r->err);
    if (status == NERFIT_OK) status = tag(r, folder, &t);
    free(folder);
    NF_TRY(status);
    nf_log_info(
        r->log,
        "self-training: in %zu texts the teacher is sure of %zu entities (%g or more, which "
        "is what they weigh); %zu more places are left open",
        r->unlabelled.n_documents, t.n_sure, SURE, t.n_open);
    if (t.n_sure == 0)
        nf_log_warning(r->log, "self-training: the teacher is sure of nothing; the annotated texts "
                               "alone are learned from");
    else
        r->learned = &r->taught;
    return NERFIT_OK;
}
