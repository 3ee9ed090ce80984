/* nerfit.h: benchmarks, and int8 compared with full precision. */
#include <stdlib.h>
#include <string.h>

#include "api_backend.h"
#include "api_net.h"
#include "api_options.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "model/adapter.h"
#include "tensor/backends.h"
#include "experiment/benchmark.h"

/* The folder of a model by reference; *base: of its base model, see nf_net_folder. */
static nerfit_status find_model(const nerfit_model_options *o, nf_arena *arena, const char **folder,
                                const char **base, nerfit_error *error) {
    nf_net net = {o->transfer, o->transfer_user, {o->log, o->log_user}};
    return nf_net_folder(&net, arena, *folder, NF_HUB_MODEL, folder, base, error);
}

static double percent(double part, double whole) {
    return whole > 0.0 ? 100.0 * part / whole : 0.0;
}

static void write_text(const nf_benchmark *b, const char *precision, int threads, nf_str *out) {
    nf_str_appendf(out, "%s, %d thread%s; the model's largest product alone: %.0f GFLOP/s\n",
                   precision, threads, threads == 1 ? "" : "s", b->peak / 1e9);
    for (size_t i = 0; i < b->n_rows; i++) {
        const nf_benchmark_row *row = &b->rows[i];
        nf_str_appendf(out,
                       "\n%s: %.1f a second, %.0f tokens a second, %.0f GFLOP/s (%.0f %% of it)\n",
                       row->name, row->per_second, row->tokens, row->flops / 1e9,
                       percent(row->flops, b->peak));
        for (int k = 0; k < NF_OPERATIONS; k++)
            if (row->shares[k] >= 0.0005)
                nf_str_appendf(out, "  %5.1f %%  %s\n", 100.0 * row->shares[k],
                               nf_operation_name((nf_operation)k));
        nf_str_appendf(out, "  %5.1f %%  the rest\n", 100.0 * row->rest);
    }
}

static char *write_json(const nf_benchmark *b, const char *precision, int threads) {
    json_t *rows = json_array(),
           *all = json_pack("{s:s, s:i, s:f, s:O}", "precision", precision, "threads", threads,
                            "peak_gflops", b->peak / 1e9, "rows", rows);
    bool failed = !rows || !all;
    for (size_t i = 0; i < b->n_rows && !failed; i++) {
        const nf_benchmark_row *row = &b->rows[i];
        json_t *shares = json_object();
        for (int k = 0; k < NF_OPERATIONS && shares; k++)
            failed |= json_object_set_new(shares, nf_operation_name((nf_operation)k),
                                          json_real(row->shares[k])) != 0;
        json_t *item =
            json_pack("{s:s, s:f, s:f, s:f, s:f, s:o}", "name", row->name, "per_second",
                      row->per_second, "tokens_per_second", row->tokens, "gflops", row->flops / 1e9,
                      "share_of_peak", b->peak > 0.0 ? row->flops / b->peak : 0.0, "time", shares);
        failed |= json_array_append_new(rows, item) != 0;
    }
    char *text = failed ? NULL : nf_json_text(all, JSON_INDENT(2));
    json_decref(all);
    json_decref(rows);
    return text;
}

void nerfit_benchmark_free(nerfit_benchmark *benchmark) {
    free(benchmark->text);
    free(benchmark->json);
    *benchmark = (nerfit_benchmark){0};
}

nerfit_status nerfit_model_benchmark(const char *folder, const nerfit_model_options *given,
                                     double seconds, nerfit_benchmark *out, nerfit_error *error) {
    nf_backend *be = NULL;
    nf_model *model = NULL;
    nf_benchmark measured;
    nerfit_model_options own, *options = &own;
    nf_arena arena = {0};
    const char *base = NULL;
    *out = (nerfit_benchmark){0};
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_model_options", error));
    nf_log log = {own.log, own.log_user};
    nerfit_status status = nf_backend_named(&be, options, error);
    if (status == NERFIT_OK) status = find_model(options, &arena, &folder, &base, error);
    if (status == NERFIT_OK)
        status = nf_model_load_from(&model, &(nf_model_source){.folder = folder, .base = base}, be,
                                    &log, error);
    nf_arena_free(&arena);
    if (status == NERFIT_OK) status = nf_adapter_merge(model, error);
    if (status == NERFIT_OK)
        status = nf_benchmark_run(&measured, model, seconds > 0.0 ? seconds : 3.0, error);
    if (status == NERFIT_OK) {
        nf_str text = {0};
        const char *precision = nf_precision_name(be->precision);
        write_text(&measured, precision, be->threads, &text);
        *out = (nerfit_benchmark){text.data, write_json(&measured, precision, be->threads)};
        if (text.failed || !out->json) status = nf_no_memory(error, 0);
        if (status != NERFIT_OK) nerfit_benchmark_free(out);
    }
    nf_model_free(model);
    if (be) be->free(be);
    return status;
}

/* ---------------------------------------------------------------- int8 */

static nerfit_status f1_in(const char *folder, const char *data, const char *format,
                           const nerfit_model_options *options, const char *precision, double *f1,
                           nerfit_error *error) {
    nerfit_model_options own = *options;
    own.precision = precision;
    nerfit_model *model = NULL;
    nerfit_session *session = NULL;
    nerfit_report report = {0};
    nerfit_status status = nerfit_model_load(&model, folder, &own, error);
    if (status == NERFIT_OK) status = nerfit_session_new(&session, model, error);
    if (status == NERFIT_OK)
        status = nerfit_evaluate(session, data, format, NULL, false, &report, error);
    *f1 = report.f1;
    nerfit_report_free(&report);
    nerfit_session_free(session);
    nerfit_model_free(model);
    return status;
}

/* Compares and writes the record into the folder. */
static nerfit_status quantize(const char *folder, const char *data, const char *format,
                              const nerfit_model_options *options, bool force,
                              nerfit_quantization *out, nerfit_error *error) {
    NF_TRY(f1_in(folder, data, format, options, "auto", &out->f1, error));
    NF_TRY(f1_in(folder, data, format, options, "int8", &out->f1_int8, error));
    double loss = 100.0 * (out->f1 - out->f1_int8);
    if (loss > NERFIT_QUANTIZATION_LOSS && !force)
        return nf_fail(error, NERFIT_UNSUPPORTED,
                       "%s: int8 loses %.2f points of F1 on %s (%.2f to %.2f); at most %.1f are "
                       "accepted unless it is forced",
                       folder, loss, data, 100.0 * out->f1, 100.0 * out->f1_int8,
                       NERFIT_QUANTIZATION_LOSS);
    nf_arena arena = {0};
    const char *path = nf_path_join(&arena, folder, NF_INT8_FILE);
    json_t *record = json_pack("{s:f, s:f, s:b}", "f1", out->f1, "f1_int8", out->f1_int8, "forced",
                               loss > NERFIT_QUANTIZATION_LOSS);
    nerfit_status status =
        path && record ? nf_json_save(record, path, error) : nf_no_memory(error, 0);
    json_decref(record);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nerfit_model_quantize(const char *folder, const char *data, const char *format,
                                    const nerfit_model_options *given, bool force,
                                    nerfit_quantization *out, nerfit_error *error) {
    nerfit_model_options own, *options = &own;
    nf_arena arena = {0};
    const char *base; /* found anew with the folder */
    *out = (nerfit_quantization){0};
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_model_options", error));
    nerfit_status status = find_model(options, &arena, &folder, &base, error);
    if (status == NERFIT_OK) status = quantize(folder, data, format, options, force, out, error);
    nf_arena_free(&arena);
    return status;
}
