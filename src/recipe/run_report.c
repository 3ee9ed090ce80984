#include "recipe/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "report/report_page.h"
#include "recipe/review.h"

static json_t *count_json(const nf_corpus *corpus) {
    if (!corpus) return json_null();
    return json_pack("{s:I, s:I}", "texts", (json_int_t)corpus->n_documents, "entities",
                     (json_int_t)corpus->n_spans);
}

static json_t *calibration_json(const nf_review *review) {
    const nf_calibration *c = &review->calibration;
    if (!review->calibrated_on) return json_null();
    return json_pack("{s:f, s:f, s:I, s:s, s:f, s:f}", "temperature", c->temperature, "shift",
                     c->shift, "entities", (json_int_t)c->n_entities, "from", review->calibrated_on,
                     "error_before", review->error_before, "error_after", review->error_after);
}

/* What report.html shows, and report.json holds: see report_page.h. */
static nerfit_status make_page(nf_run *r, const nf_review *review, const nf_train_result *result,
                               json_t **page) {
    nf_train_options defaults;
    NF_TRY(nf_train_options_init(&defaults, r->err));
    *page = json_pack("{s:s, s:o, s:o, s:O, s:O?, s:s?, s:{s:o, s:o, s:o}, s:I, s:o}", "model",
                      result->model_folder, "options", nf_train_options_to_json(r->options),
                      "defaults", nf_train_options_to_json(&defaults), "history", r->history,
                      "report", result->report, "report_of", result->report_of, "data", "train",
                      count_json(r->corpora[NF_SPLIT_TRAIN]), "validation",
                      count_json(r->corpora[NF_SPLIT_VALIDATION]), "test",
                      count_json(r->corpora[NF_SPLIT_TEST]), "types", (json_int_t)r->labels.n_types,
                      "fit", calibration_json(review));
    nf_train_options_free(&defaults);
    return *page ? NERFIT_OK : nf_no_memory(r->err, 0);
}

static nerfit_status write_page(nf_run *r, const json_t *page, nf_train_result *result) {
    const char *path = nf_path_join(&r->arena, r->options->output_dir, "report.html");
    nf_str html = {0};
    nf_report_page_html(page, &html);
    nerfit_status status = path && !html.failed && (result->page = strdup(path))
                               ? nf_file_write(path, html.data, html.length, r->err)
                               : nf_no_memory(r->err, 0);
    nf_str_free(&html);
    return status;
}

/* Calibrates the finished model, looks at its mistakes, and writes the report. */
nerfit_status nf_run_review(nf_run *r, nf_train_result *result) {
    nf_model_free(r->model); /* it is loaded anew, as its users will */
    r->model = NULL;
    nf_review review = {
        .options = r->options,
        .folder = result->model_folder,
        .adapter_folder =
            r->has_adapter ? nf_path_join(&r->arena, r->options->output_dir, "adapter") : NULL,
        .be = r->be,
        .precision = nf_run_precision(r, 1),
        .train = r->corpora[NF_SPLIT_TRAIN],
        .validation = r->corpora[NF_SPLIT_VALIDATION],
        .shown =
            r->corpora[NF_SPLIT_TEST] ? r->corpora[NF_SPLIT_TEST] : r->corpora[NF_SPLIT_VALIDATION],
        .embeddings = r->embeddings,
        .sentence_encoder = r->own_descriptions ? r->sentence_folder : NULL,
        .pretrained = &r->pretrained,
        .is_short = r->is_short,
        .encoder = r->model_folder,
        .services = r->data->services,
        .train_with = r->train,
        .log = r->log,
        .observer = r->observer,
        .user = r->user};
    json_t *page = NULL;
    nerfit_status status = nf_review_run(&review, r->err);
    if (status == NERFIT_OK && result->report)
        status = nf_analysis_json(&review.analysis, result->report, r->err);
    if (status == NERFIT_OK) status = make_page(r, &review, result, &page);
    if (status == NERFIT_OK) status = write_page(r, page, result);
    nf_review_free(&review);
    return status == NERFIT_OK ? nf_run_save_record(r, "report.json", page)
                               : (json_decref(page), status);
}
