#include "model/gliner_make.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/utf8.h"

enum { STREAM_HEAD = 0x474C4D41, STREAM_TOKENS = 0x474C544F };
static const char ENT[] = "<<ENT>>", SEP[] = "<<SEP>>";
static const double SD = 0.02; /* of the new tokens around the mean */

/* ---------------------------------------------------------------- gliner_config.json */

/* An encoder's configuration as the package has it inside its own. */
static json_t *encoder_config(const nf_model *model, size_t rows) {
    json_t *config = json_deep_copy(model->config);
    static const char *const of_heads[] = {"id2label", "label2id", "architectures"};
    for (size_t i = 0; config && i < NF_COUNT(of_heads); i++) json_object_del(config, of_heads[i]);
    if (config && json_object_set_new(config, "vocab_size", json_integer((json_int_t)rows)))
        json_decref(config), config = NULL;
    return config;
}

/* Rows of the text's word embeddings: with those of the prompt's tokens. */
static size_t rows_of(const nf_gliner_plan *plan) {
    size_t rows = plan->text->encoder.vocabulary;
    size_t with = nf_tokenizer_vocabulary_size(plan->text->tokenizer) + 2;
    return plan->labels || with < rows ? rows : with;
}

static json_t *make_config(const nf_gliner_plan *plan) {
    size_t rows = rows_of(plan), first = nf_tokenizer_vocabulary_size(plan->text->tokenizer);
    bool bi = plan->labels;
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:b, s:s, s:b, s:i, s:i, s:i, s:s, s:s, s:b, "
                  "s:b, s:s, s:i, "
                  "s:I, s:I, s:o}",
                  "name", "gliner", "model_name", plan->text_name, "span_mode", plan->span_mode,
                  "hidden_size", (int)plan->size, "max_width", (int)plan->max_width, "dropout", 0.1,
                  "fine_tune", 1, "subtoken_pooling", "first", "fuse_layers", 0, "max_types", 25,
                  "max_len", 384, "num_rnn_layers", bi ? 0 : 1, "ent_token", ENT, "sep_token", SEP,
                  "embed_ent_token", 1, "represent_spans", 0, "words_splitter_type", "whitespace",
                  "max_neg_type_ratio", 1, "vocab_size", (json_int_t)rows, "class_token_index",
                  (json_int_t)(bi ? -1 : (json_int_t)first), "encoder_config",
                  encoder_config(plan->text, rows));
    if (!json || !bi) return json;
    int failed =
        json_object_set_new(json, "labels_encoder", json_string(plan->labels_name)) ||
        json_object_set_new(json, "labels_encoder_config",
                            encoder_config(plan->labels, plan->labels->encoder.vocabulary));
    if (failed) json_decref(json), json = NULL;
    return json;
}

/* ---------------------------------------------------------------- the encoders' values */

/* The parameter of another model that is called so there, with or without its architecture's prefix. */
static const nf_parameter *find_in(const nf_model *from, const char *name) {
    char path[512];
    const nf_parameter *p = nf_network_find(&from->net, name);
    if (p) return p;
    snprintf(path, sizeof path, "%s%s", from->architecture->prefix, name);
    return nf_network_find(&from->net, path);
}

/* Rows that the other one has not: their mean, and noise. */
static void add_rows(float *values, const nf_parameter *p, size_t had, uint64_t seed) {
    nf_rng rng = nf_rng_new(seed, STREAM_TOKENS);
    for (size_t k = 0; k < p->cols; k++) {
        double sum = 0.0;
        for (size_t r = 0; r < had; r++) sum += values[r * p->cols + k];
        for (size_t r = had; r < p->rows; r++)
            values[r * p->cols + k] = (float)(sum / (double)had + SD * nf_rng_normal(&rng));
    }
}

static nerfit_status take_values(nf_model *made, nf_parameter *p, const nf_model *from,
                                 const char *name, uint64_t seed, nerfit_error *err) {
    const nf_parameter *source = find_in(from, name);
    if (!source || source->cols != p->cols || source->rows > p->rows)
        return nf_fail(err, NERFIT_INTERNAL, "%s has no \"%s\" [%zu, %zu]", from->folder, name,
                       p->rows, p->cols);
    float *values = malloc(nf_parameter_count(p) * sizeof *values + 1);
    if (!values) return nf_no_memory(err, nf_parameter_count(p) * sizeof *values);
    from->net.be->to_f32(from->net.be, values, source->values, nf_parameter_count(source));
    if (source->rows < p->rows) add_rows(values, p, source->rows, seed);
    nerfit_status status = nf_parameter_fill(&made->net, p, values, err);
    free(values);
    return status;
}

/* ---------------------------------------------------------------- the head's values */

/* What torch divides by in the bound of a parameter's first values. */
static size_t inputs_of(const nf_model *made, const nf_parameter *p) {
    const nf_gliner *g = made->gliner;
    if (strncmp(p->name, "rnn.lstm.", 9) == 0) return g->lstm->hidden;
    for (size_t i = 0; i < made->net.n_linears; i++) {
        const nf_linear *linear = made->net.linears[i];
        if (linear->weight != p && linear->bias != p) continue;
        for (size_t k = 0; k < g->n_parts; k++)
            if (g->parts[k].part == linear->weight) return g->parts[k].cols;
        return linear->in;
    }
    return p->cols;
}

static nerfit_status draw_head(nf_model *made, nf_parameter *p, size_t index, uint64_t seed,
                               nerfit_error *err) {
    double bound = 1.0 / sqrt((double)inputs_of(made, p));
    return nf_parameter_uniform(&made->net, p, bound, seed, STREAM_HEAD + index, err);
}

static nerfit_status fill_all(nf_model *made, const nf_gliner_plan *plan, nerfit_error *err) {
    for (size_t i = 0; i < made->net.n_parameters; i++) {
        nf_parameter *p = made->net.parameters[i];
        const char *bare;
        const nf_model *from = plan->text;
        if ((bare = nf_gliner_encoder_name(p->name, true)) && plan->labels) from = plan->labels;
        if (!bare) bare = nf_gliner_encoder_name(p->name, false);
        NF_TRY(bare ? take_values(made, p, from, bare, plan->seed, err)
                    : draw_head(made, p, i, plan->seed, err));
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- a head that knows descriptions */

/* A parameter's values, to be changed. */
typedef struct opened {
    nf_parameter *p;
    float *values;
} opened;

static nerfit_status open_values(nf_model *made, nf_parameter *p, opened *out, nerfit_error *err) {
    *out = (opened){p, malloc(nf_parameter_count(p) * sizeof(float) + 1)};
    if (!out->values) return nf_no_memory(err, nf_parameter_count(p) * sizeof(float));
    made->net.be->to_f32(made->net.be, out->values, p->values, nf_parameter_count(p));
    return NERFIT_OK;
}

/* The identity, or the transpose of `by` [C, C] times `scale`; bias 0. */
static nerfit_status set_square(nf_model *made, const nf_linear *linear, const float *by,
                                double scale, nerfit_error *err) {
    opened w;
    size_t c = linear->in;
    NF_TRY(open_values(made, linear->weight, &w, err));
    for (size_t i = 0; i < c; i++)
        for (size_t k = 0; k < c; k++)
            w.values[i * c + k] = by ? (float)(by[k * c + i] * scale) : i == k;
    nerfit_status status = nf_parameter_fill(&made->net, w.p, w.values, err);
    free(w.values);
    return status == NERFIT_OK ? nf_parameter_constant(&made->net, linear->bias, 0.0f, err)
                               : status;
}

/* The first hidden units of out_mlp: the scores of a beginning and of an inside, against O, with both signs,
 * and how much an inside is likelier than a beginning. */
enum { BEGIN, NOT_BEGIN, INSIDE, NOT_INSIDE, RATHER_INSIDE, UNITS };

static void set_units(const nf_gliner_described *d, size_t c, float *word, float *bias,
                      float *product, float *label) {
    static const struct {
        double begin, inside, product;
    } units[UNITS] = {{1, 0, 1}, {-1, 0, -1}, {0, 1, 1}, {0, -1, -1}, {-1, 1, 0}};
    const float *o = d->shared, *b = o + c, *in = b + c, *s = d->shared_bias;
    for (size_t u = 0; u < UNITS; u++) {
        double begin = units[u].begin, inside = units[u].inside;
        bias[u] = (float)(begin * (s[1] - s[0]) + inside * (s[2] - s[0]));
        for (size_t k = 0; k < c; k++) {
            word[u * c + k] = (float)(begin * (b[k] - o[k]) + inside * (in[k] - o[k]));
            product[u * c + k] = (float)units[u].product;
            label[u * c + k] = 0.0f;
        }
    }
}

/* start = begin; end and inside = the larger of begin and inside. The drawn units begin without a say. */
static void set_outputs(float *out, size_t width) {
    for (size_t r = 0; r < 3; r++) {
        for (size_t k = 0; k < width; k++) out[r * width + k] = 0.0f;
        out[r * width + BEGIN] = 1.0f;
        out[r * width + NOT_BEGIN] = -1.0f;
        if (r) out[r * width + RATHER_INSIDE] = 1.0f;
    }
}

static nerfit_status describe_units(nf_model *made, const nf_gliner_described *d,
                                    nerfit_error *err) {
    const nf_gliner_token_head *head = made->gliner->token;
    size_t c = made->gliner->config.size;
    nf_parameter *const parameters[] = {head->from_word->weight, head->from_word->bias,
                                        head->from_product->weight, head->from_label->weight,
                                        head->out->weight};
    opened all[NF_COUNT(parameters)] = {{0}};
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < NF_COUNT(parameters) && status == NERFIT_OK; i++)
        status = open_values(made, parameters[i], &all[i], err);
    if (status == NERFIT_OK) {
        set_units(d, c, all[0].values, all[1].values, all[2].values, all[3].values);
        set_outputs(all[4].values, head->out->in);
    }
    for (size_t i = 0; i < NF_COUNT(parameters) && status == NERFIT_OK; i++)
        status = nf_parameter_fill(&made->net, all[i].p, all[i].values, err);
    if (status == NERFIT_OK) status = nf_parameter_constant(&made->net, head->out->bias, 0.0f, err);
    for (size_t i = 0; i < NF_COUNT(parameters); i++) free(all[i].values);
    return status;
}

/* With t = h and l = P^T e, a hidden unit that adds up the products t_k l_k is what the description head
 * compares with O's logit: its scores are the first logits. */
static nerfit_status describe(nf_model *made, const nf_gliner_described *d, nerfit_error *err) {
    const nf_gliner_token_head *head = made->gliner->token;
    NF_TRY(set_square(made, head->word[0], NULL, 1.0, err));
    NF_TRY(set_square(made, head->word[1], NULL, 1.0, err));
    NF_TRY(set_square(made, head->label[1], d->projection, 1.0 / d->norm, err));
    return describe_units(made, d, err);
}

/* ---------------------------------------------------------------- the folder */

/* tokenizer.json with the prompt's tokens, which are never divided. */
static nerfit_status add_tokens(const char *folder, size_t first, nerfit_error *err) {
    nf_arena arena = {0};
    json_t *json = NULL;
    const char *path = nf_path_join(&arena, folder, "tokenizer.json");
    nerfit_status status = path ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK && !nf_file_exists(path))
        status =
            nf_fail_at(err, NERFIT_UNSUPPORTED, folder, 0, 0,
                       "has no tokenizer.json, in which the prompt's tokens would stand; give "
                       "labels_encoder, whose models have no prompt, or convert the tokenizer");
    if (status == NERFIT_OK) status = nf_json_load(&json, path, err);
    json_t *added = json_object_get(json, "added_tokens");
    for (size_t i = 0; i < 2 && status == NERFIT_OK; i++) {
        json_t *token = json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id",
                                  (json_int_t)(first + i), "content", i ? SEP : ENT, "single_word",
                                  0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1);
        if (!token || json_array_append_new(added, token)) status = nf_no_memory(err, 0);
    }
    if (status == NERFIT_OK) status = nf_json_save(json, path, err);
    json_decref(json);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status build(nf_model *made, const nf_gliner_plan *plan, const nf_log *log,
                           nerfit_error *err) {
    nf_gliner *g = made->gliner;
    g->json = make_config(plan);
    if (!g->json) return nf_no_memory(err, 0);
    NF_TRY(nf_gliner_config_read(&g->config, g->json, "gliner_config.json", log, err));
    made->config = json_incref(json_object_get(g->json, "encoder_config"));
    if (plan->labels)
        g->labels_config = json_incref(json_object_get(g->json, "labels_encoder_config"));
    NF_TRY(nf_gliner_build(made, err));
    NF_TRY(fill_all(made, plan, err));
    return plan->described ? describe(made, plan->described, err) : NERFIT_OK;
}

/* gliner_config.json has the encoders' names. */
static nerfit_status check_name(const char *name, nerfit_error *err) {
    if (!name || nf_utf8_valid(name, strlen(name), NULL)) return NERFIT_OK;
    return nf_fail_at(err, NERFIT_ARGUMENT, name, 0, 0,
                      "the path is not valid UTF-8, as gliner_config.json has it");
}

nerfit_status nf_gliner_make(const nf_gliner_plan *plan, const char *folder, const nf_log *log,
                             nerfit_error *err) {
    NF_TRY(check_name(plan->text_name, err));
    NF_TRY(check_name(plan->labels_name, err));
    nf_model *made = calloc(1, sizeof *made);
    if (!made) return nf_no_memory(err, sizeof *made);
    nf_network_init(&made->net, plan->text->net.be);
    made->gliner = calloc(1, sizeof *made->gliner);
    made->folder = folder;
    nerfit_status status =
        made->gliner ? build(made, plan, log, err) : nf_no_memory(err, sizeof *made->gliner);
    if (status == NERFIT_OK) { /* lent for their files */
        made->tokenizer = plan->text->tokenizer;
        if (plan->labels) made->gliner->labels_tokenizer = plan->labels->tokenizer;
        status = nf_gliner_save(made, folder, err);
        made->tokenizer = NULL;
        made->gliner->labels_tokenizer = NULL;
    }
    if (status == NERFIT_OK && !plan->labels)
        status = add_tokens(folder, nf_tokenizer_vocabulary_size(plan->text->tokenizer), err);
    nf_model_free(made);
    return status;
}

/* ---------------------------------------------------------------- a labels' encoder */

static nerfit_status mean_norm(const nf_model *labels, nf_pass *pass, const nf_tokens *tokens,
                               size_t n, double *norm, nerfit_error *err) {
    nf_backend *be = pass->be;
    size_t c = labels->encoder.hidden;
    nf_values *y;
    NF_TRY(nf_gliner_means(&labels->net, &labels->encoder, pass, tokens, n, &y, err));
    *norm = 0.0;
    for (size_t i = 0; i < n; i++)
        *norm += sqrt(be->sum_of_squares(be, nf_at(be, y, i * c), c)) / (double)n;
    return NERFIT_OK;
}

nerfit_status nf_gliner_label_norm(nf_model *labels, const char *const *texts, size_t n,
                                   double *norm, nerfit_error *err) {
    nf_pass pass = {.be = labels->net.be};
    nf_encoding *encodings = calloc(n + 1, sizeof *encodings);
    nf_tokens *tokens = calloc(n + 1, sizeof *tokens);
    nerfit_status status = encodings && tokens ? NERFIT_OK : nf_no_memory(err, n * sizeof *tokens);
    if (status == NERFIT_OK)
        status = nf_gliner_label_tokens(labels->tokenizer, texts, n, encodings, tokens, err);
    if (status == NERFIT_OK) status = nf_model_prepare_use(labels, err);
    if (status == NERFIT_OK) status = nf_workspace_new(&pass.ws, pass.be, err);
    if (status == NERFIT_OK) status = mean_norm(labels, &pass, tokens, n, norm, err);
    nf_workspace_free(pass.ws);
    for (size_t i = 0; i < n && encodings; i++) nf_encoding_free(&encodings[i]);
    free(encodings);
    free(tokens);
    return status;
}
