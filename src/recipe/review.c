#include "recipe/review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/selection.h"
#include "eval/reliability.h"
#include "model/adapter.h"
#include "model/gliner.h"

/* With fewer entities auto does not calibrate: the fit would be worth less than nothing. */
enum { LEAST_ENTITIES = 30 };
/* With auto, cross-validation is for as many texts, and does with these parts. */
enum { LEAST_TEXTS = 12, AUTO_FOLDS = 3 };

void nf_review_free(nf_review *review) {
    nf_analysis_free(&review->analysis);
}

nerfit_status nf_review_check(const nf_train_options *o, const nf_corpus *train,
                              const nf_corpus *validation, nerfit_error *err) {
    if (o->calibration == NF_CALIBRATION_VALIDATION && !validation)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "calibration: validation takes val_annotations, which are missing");
    if (o->calibration == NF_CALIBRATION_CROSS_VALIDATION && train->n_documents < 2)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "calibration: cross-validation takes at least 2 training texts");
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- a loaded model */

void nf_loaded_close(nf_loaded *l) {
    nf_tagger_free(l->tagger);
    nf_rules_free(&l->rules);
    nf_model_free(l->model);
    *l = (nf_loaded){0};
}

nerfit_status nf_loaded_open(nf_loaded *l, const char *folder, nf_backend *be,
                             nf_precision precision, const nf_log *log, nerfit_error *err) {
    *l = (nf_loaded){0};
    nerfit_status status = nf_model_load(&l->model, folder, be, log, err);
    if (status == NERFIT_OK) l->model->net.precision = precision;
    if (status == NERFIT_OK) status = nf_model_prepare_use(l->model, err);
    if (status == NERFIT_OK) status = nf_tagger_new(&l->tagger, l->model, be, err);
    if (status == NERFIT_OK) status = nf_rules_make(&l->rules, l->model, NF_DECODE_AUTO, err);
    if (status != NERFIT_OK) nf_loaded_close(l);
    return status;
}

static nerfit_status load(nf_loaded *l, const char *folder, const nf_review *review,
                          nerfit_error *err) {
    return nf_loaded_open(l, folder, review->be, review->precision, review->log, err);
}

/* The entities found, with raw scores; those too that the model's own limit leaves out: whoever
 * sets a threshold sees them. */
static nerfit_status collect(nf_analysis *found, nf_loaded *l, const nf_corpus *corpus,
                             nerfit_error *err) {
    /* of models that score every span there is a limit below which nothing is worth a look */
    NF_TRY(nf_rules_set_threshold(&l->rules, NULL, l->rules.own_threshold / 10.0, err));
    return nf_analysis_add_corpus(found, l->tagger, &(nf_tagging_call){.rules = &l->rules}, corpus,
                                  err);
}

/* ---------------------------------------------------------------- cross-validation */

/* One training on all texts but a part's. */
typedef struct fold {
    nf_review *review;
    uint32_t part, n_parts;
    char folder[4096];
    nf_corpus train, held_out;
} fold;

/* The run's log and metrics are not told of a fold's: only its steps go on to the caller. */
static bool observe(void *user, const nf_stage_report *report) {
    const fold *f = user;
    nf_stage_report told = *report;
    told.fold = (int)f->part + 1;
    told.folds = (int)f->n_parts;
    return report->entry || report->path || f->review->observer(f->review->user, &told);
}

static nerfit_status divide(fold *f, const uint32_t *part_of, nerfit_error *err) {
    const nf_corpus *all = f->review->train;
    uint32_t *chosen = malloc(all->n_documents * sizeof *chosen);
    if (!chosen) return nf_no_memory(err, all->n_documents * sizeof *chosen);
    nerfit_status status = NERFIT_OK;
    for (int held_out = 0; held_out < 2 && status == NERFIT_OK; held_out++) {
        size_t count = 0;
        for (uint32_t i = 0; i < all->n_documents; i++)
            if ((part_of[i] == f->part) == held_out) chosen[count++] = i;
        status = nf_corpus_take(held_out ? &f->held_out : &f->train, all, chosen, count, err);
    }
    free(chosen);
    return status;
}

/* The run's own options, without what only the whole run needs. */
static nf_train_options options_of(fold *f) {
    nf_train_options o = *f->review->options; /* its texts are borrowed */
    o.output_dir = f->folder;
    o.model_name = (char *)(uintptr_t)f->review->encoder;
    o.val_annotations = o.test_annotations = o.resume_from_checkpoint = NULL;
    o.unlabelled_annotations =
        NULL; /* so that what is tagged took no part in the training at all */
    o.calibration = NF_CALIBRATION_OFF;
    o.overwrite_output_dir = true;
    for (int s = 0; s < 2; s++) {
        o.eval_strategy[s] = o.save_strategy[s] = NF_CHOICE_NO;
        o.load_best_model_at_end[s] = false;
        o.early_stopping_patience[s] = 0;
    }
    return o;
}

static void mute(void *user, nerfit_log_level level, const char *message) {
    (void)user;
    (void)level;
    (void)message;
}

static nerfit_status train_fold(fold *f, char **model_folder, nerfit_error *err) {
    static const nf_log silent = {mute, NULL}; /* the texts' warnings were given */
    nf_review *review = f->review;
    nf_train_options options = options_of(f);
    nf_train_data data = {.train = &f->train,
                          .embeddings = review->embeddings,
                          .sentence_encoder = review->sentence_encoder,
                          .pretrained = review->pretrained,
                          .services = review->services};
    nf_train_result result;
    if (!review->embeddings) options.ent2emb = NULL;
    NF_TRY(review->train_with(&options, &data, &silent, review->observer ? observe : NULL, f,
                              &result, err));
    *model_folder = result.model_folder;
    result.model_folder = NULL;
    nf_train_result_free(&result);
    return NERFIT_OK;
}

static nerfit_status run_fold(fold *f, const uint32_t *part_of, nf_analysis *found,
                              nerfit_error *err) {
    nf_review *review = f->review;
    char *model_folder = NULL;
    nf_loaded l = {0};
    nf_log_info(review->log, "calibration: training %u of %u", f->part + 1, f->n_parts);
    nerfit_status status = divide(f, part_of, err);
    if (status == NERFIT_OK && f->train.n_spans && f->held_out.n_documents) {
        status = train_fold(f, &model_folder, err);
        if (status == NERFIT_OK) status = load(&l, model_folder, review, err);
        if (status == NERFIT_OK) status = collect(found, &l, &f->held_out, err);
    }
    nf_loaded_close(&l);
    free(model_folder);
    nf_corpus_free(&f->train);
    nf_corpus_free(&f->held_out);
    return status;
}

static nerfit_status cross_validate(nf_review *review, nf_analysis *found, nerfit_error *err) {
    enum { MOST = 100 };
    const nf_corpus *all = review->train;
    bool is_auto = review->options->calibration == NF_CALIBRATION_AUTO;
    size_t n = is_auto ? AUTO_FOLDS : (size_t)review->options->calibration_folds;
    if (n > all->n_documents) n = all->n_documents;
    nf_amount sizes[MOST];
    for (size_t i = 0; i < n; i++)
        sizes[i] = i + 1 < n ? (nf_amount){NF_AMOUNT_COUNT, (double)(all->n_documents / n)}
                             : (nf_amount){NF_AMOUNT_REST, 0};
    uint32_t *part_of = malloc(all->n_documents * sizeof *part_of);
    if (!part_of) return nf_no_memory(err, all->n_documents * sizeof *part_of);
    fold f = {.review = review, .n_parts = (uint32_t)n};
    snprintf(f.folder, sizeof f.folder, "%s/.calibration.tmp", review->options->output_dir);
    nerfit_status status =
        nf_split(all, sizes, n, (uint64_t)review->options->seed[0], part_of, err);
    for (; f.part < n && status == NERFIT_OK; f.part++) status = run_fold(&f, part_of, found, err);
    if (status == NERFIT_CANCELLED)
        nf_fail(err, status,
                "stopped in training %u of %u for the calibration of scores; the model in %s is "
                "finished, and a resumed run calibrates it",
                f.part, f.n_parts, review->folder);
    free(part_of);
    if (status == NERFIT_OK) return nf_directory_remove(f.folder, err);
    nf_directory_remove(f.folder,
                        NULL); /* of a training that was broken off: nothing goes on from it */
    return status;
}

/* ---------------------------------------------------------------- calibration */

static double error_of(nf_scored *items, size_t count) {
    nf_reliability r;
    nf_reliability_measure(&r, items, count);
    return r.error;
}

static void fit(nf_review *review, nf_analysis *found, const char *on) {
    size_t n = found->n_scored;
    bool few = n < LEAST_ENTITIES;
    if (n == 0 || (few && review->options->calibration == NF_CALIBRATION_AUTO)) {
        nf_log_info(review->log, "scores are not calibrated: %zu entities found in the %s texts", n,
                    on);
        return;
    }
    if (few)
        nf_log_warning(review->log,
                       "scores are calibrated with %zu entities only; %d or more make "
                       "a fit worth having",
                       n, LEAST_ENTITIES);
    review->calibration = nf_calibration_fit(found->scored, n);
    review->calibrated_on = on;
    review->error_before = error_of(found->scored, n);
    for (size_t i = 0; i < n; i++)
        found->scored[i].score = nf_calibration_apply(&review->calibration, found->scored[i].score);
    review->error_after = error_of(found->scored, n);
    nf_log_info(review->log,
                "scores are calibrated on %zu entities (%s): temperature %.3f, shift "
                "%.3f; expected calibration error there %.3f, before %.3f",
                n, on, review->calibration.temperature, review->calibration.shift,
                review->error_after, review->error_before);
}

static nerfit_status save(const nf_review *review, const char *from, nerfit_error *err) {
    if (review->adapter_folder)
        NF_TRY(nf_calibration_save(&review->calibration, from, review->adapter_folder, err));
    return nf_calibration_save(&review->calibration, from, review->folder, err);
}

/* Fits to raw scores and writes what was found. */
static nerfit_status calibrate(nf_review *review, nf_analysis *found, const char *on,
                               nerfit_error *err) {
    fit(review, found, on);
    return review->calibrated_on ? save(review, on, err) : NERFIT_OK;
}

/* By models that are trained here, so that the final one need not be in memory. */
static nerfit_status calibrate_crossed(nf_review *review, nerfit_error *err) {
    nf_analysis found = {0};
    nerfit_status status = cross_validate(review, &found, err);
    if (status == NERFIT_OK) status = calibrate(review, &found, "cross-validation", err);
    nf_analysis_free(&found);
    return status;
}

/* With fewer entities of a label a threshold of its own would be chance. */
enum { LEAST_OF_LABEL = 10 };

static size_t count_golds(const nf_corpus *corpus, const char *label) {
    size_t count = 0;
    for (size_t d = 0; d < corpus->n_documents; d++)
        for (size_t s = 0; s < corpus->documents[d].n_spans; s++)
            count += strcmp(corpus->documents[d].spans[s].label, label) == 0;
    return count;
}

/* Models whose limit was set for other labels (GLiNER's 0.5) get one for each label, where F1 on the
 * validation texts is best. */
static nerfit_status find_limits(nf_review *review, const nf_analysis *found, nf_loaded *l,
                                 nerfit_error *err) {
    size_t n = l->rules.tags.n_types;
    const char *const *types = l->rules.tags.types;
    if (l->rules.own_threshold == 0.0) return NERFIT_OK;
    double *limits = malloc(n * sizeof *limits + 1);
    nf_scored *own = malloc(found->n_scored * sizeof *own + 1);
    nerfit_status status = limits && own ? NERFIT_OK : nf_no_memory(err, n * sizeof *limits);
    for (size_t t = 0; t < n && status == NERFIT_OK; t++) {
        size_t count = 0, golds = count_golds(review->validation, types[t]);
        for (size_t i = 0; i < found->n_scored; i++)
            if (strcmp(found->scored[i].label, types[t]) == 0) own[count++] = found->scored[i];
        limits[t] = golds < LEAST_OF_LABEL || count == 0 ? l->rules.own_threshold
                                                         : nf_best_threshold(own, count, golds);
        nf_log_info(review->log, "threshold of \"%s\": %.3f (%zu validation entities%s)", types[t],
                    limits[t], golds, golds < LEAST_OF_LABEL ? ", too few for one of its own" : "");
    }
    if (status == NERFIT_OK)
        status = nf_gliner_save_thresholds(review->folder, types, limits, n, err);
    nf_rules_reset_thresholds(&l->rules);
    for (size_t t = 0; t < n && status == NERFIT_OK; t++)
        status = nf_rules_set_threshold(&l->rules, types[t], limits[t], err);
    free(limits);
    free(own);
    return status;
}

static nerfit_status calibrate_on_validation(nf_review *review, nf_loaded *l, nerfit_error *err) {
    nf_analysis found = {0};
    nerfit_status status = collect(&found, l, review->validation, err);
    if (status == NERFIT_OK) status = calibrate(review, &found, "validation", err);
    nf_rules_reset_thresholds(&l->rules);
    if (status == NERFIT_OK) status = find_limits(review, &found, l, err);
    nf_analysis_free(&found);
    return status;
}

nerfit_status nf_review_run(nf_review *review, nerfit_error *err) {
    int64_t how = review->options->calibration;
    bool crossed = how == NF_CALIBRATION_CROSS_VALIDATION ||
                   (how == NF_CALIBRATION_AUTO && !review->validation && review->is_short &&
                    review->train->n_documents >= LEAST_TEXTS);
    bool validated = !crossed && how != NF_CALIBRATION_OFF && review->validation;
    nf_loaded l;
    review->calibration = NF_CALIBRATION_NONE;
    NF_TRY(save(review, "", err)); /* a run that is resumed may have an earlier one there */
    if (crossed && how == NF_CALIBRATION_AUTO)
        nf_log_info(review->log,
                    "without validation texts, scores are calibrated by cross-validation: "
                    "%d trainings more (calibration: none leaves it out)",
                    AUTO_FOLDS);
    if (crossed) NF_TRY(calibrate_crossed(review, err));
    if (!validated && !review->shown) return NERFIT_OK;
    NF_TRY(load(&l, review->folder, review, err));
    nerfit_status status = validated ? calibrate_on_validation(review, &l, err) : NERFIT_OK;
    l.rules.calibration = review->calibration;
    if (status == NERFIT_OK && review->shown)
        status = nf_analysis_add_corpus(&review->analysis, l.tagger,
                                        &(nf_tagging_call){.rules = &l.rules}, review->shown, err);
    nf_loaded_close(&l);
    return status;
}
