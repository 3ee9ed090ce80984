/* A GLiNER folder: what its network is made of, and where its tensors and tokenizer lie. */
#include "model/gliner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"

static const char TEXT_ENCODER[] = "token_rep_layer.bert_layer.model.";
static const char LABELS_ENCODER[] = "token_rep_layer.labels_encoder.model.";

/* ---------------------------------------------------------------- the network */

/* What building needs. */
typedef struct gliner_builder {
    nf_model *model;
    nf_gliner *gliner;
    nf_network *net;
    nerfit_error *err;
    struct {
        size_t first, end;
    } encoders[2]; /* parameters of the encoders of texts and of labels */
    size_t n_encoders;
} gliner_builder;

static nf_linear *gliner_linear(gliner_builder *b, const char *prefix, const char *name, size_t in,
                                size_t out) {
    char path[256];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    return nf_linear_new(b->net, path, in, out, true);
}

static bool gliner_mlp(gliner_builder *b, nf_gliner_mlp *mlp, const char *name, size_t in,
                       size_t inner, size_t out) {
    mlp->stream = nf_network_dropout_stream(b->net);
    return (mlp->in = gliner_linear(b, name, ".0", in, inner)) &&
           (mlp->out = gliner_linear(b, name, ".3", inner, out));
}

typedef struct gliner_place {
    size_t rows, cols, first_row, first_col;
} gliner_place;

/* A linear layer whose weight is the part of "name.weight" [rows, cols] from first_row, first_col
 * on; `bias`: it has those rows of "name.bias" (all of it, if first_row is 0 and out is rows). */
static nf_linear *gliner_part(gliner_builder *b, const char *name, gliner_place at, size_t out,
                              size_t in, bool bias) {
    nf_gliner *g = b->gliner;
    char path[256];
    snprintf(path, sizeof path, "%s#%zu,%zu", name, at.first_row, at.first_col);
    nf_linear *linear = nf_linear_new(b->net, path, in, out, bias);
    if (!linear) return NULL;
    snprintf(path, sizeof path, "%s.weight", name);
    const char *weight = nf_arena_strdup(&b->net->arena, path);
    snprintf(path, sizeof path, "%s.bias", name);
    const char *bias_name = nf_arena_strdup(&b->net->arena, path);
    if (!weight || !bias_name) return NULL;
    g->parts[g->n_parts++] =
        (nf_gliner_part){linear->weight, weight, at.rows, at.cols, at.first_row, at.first_col};
    if (bias && out == at.rows)
        linear->bias->name = bias_name;
    else if (bias)
        g->parts[g->n_parts++] =
            (nf_gliner_part){linear->bias, bias_name, 1, at.rows, 0, at.first_row};
    return linear;
}

static bool gliner_span_head(gliner_builder *b, nf_span_mode mode) {
    static const char prefix[] = "span_rep_layer.span_rep_layer.";
    char name[128];
    size_t d = b->gliner->config.size;
    /* the span head of a token model is markerV0's */
    bool marker = mode == NF_SPAN_MARKER, mean = mode == NF_SPAN_MARKER_V1;
    size_t inner = (marker ? 2 : 4) * d, out = marker ? d : 4 * d, cols = (mean ? 3 : 2) * d;
    nf_gliner_span_head *head = nf_arena_calloc(&b->net->arena, 1, sizeof *head);
    if (!(b->gliner->span = head)) return false;
    head->stream = nf_network_dropout_stream(b->net);
    snprintf(name, sizeof name, "%sproject_start", prefix);
    if (!gliner_mlp(b, &head->start, name, d, inner, d)) return false;
    snprintf(name, sizeof name, "%sproject_end", prefix);
    if (!gliner_mlp(b, &head->end, name, d, inner, d)) return false;
    snprintf(name, sizeof name, "%sout_project%s", prefix, marker ? "" : ".0");
    head->from_start = gliner_part(b, name, (gliner_place){out, cols, 0, 0}, out, d, true);
    head->from_end = gliner_part(b, name, (gliner_place){out, cols, 0, d}, out, d, false);
    if (mean)
        head->from_mean = gliner_part(b, name, (gliner_place){out, cols, 0, 2 * d}, out, d, false);
    if (!marker) head->out = gliner_linear(b, prefix, "out_project.3", out, d);
    return head->from_start && head->from_end && (!mean || head->from_mean) &&
           (marker || head->out);
}

static bool gliner_token_head(gliner_builder *b) {
    static const char token[] = "scorer.proj_token", label[] = "scorer.proj_label";
    static const char mlp[] = "scorer.out_mlp.0";
    size_t d = b->gliner->config.size;
    nf_gliner_token_head *head = nf_arena_calloc(&b->net->arena, 1, sizeof *head);
    if (!(b->gliner->token = head)) return false;
    head->stream = nf_network_dropout_stream(b->net);
    for (size_t i = 0; i < 2; i++) {
        head->word[i] = gliner_part(b, token, (gliner_place){2 * d, d, i * d, 0}, d, d, true);
        head->label[i] = gliner_part(b, label, (gliner_place){2 * d, d, i * d, 0}, d, d, true);
        if (!head->word[i] || !head->label[i]) return false;
    }
    return (head->from_word =
                gliner_part(b, mlp, (gliner_place){4 * d, 3 * d, 0, 0}, 4 * d, d, true)) &&
           (head->from_label =
                gliner_part(b, mlp, (gliner_place){4 * d, 3 * d, 0, d}, 4 * d, d, false)) &&
           (head->from_product =
                gliner_part(b, mlp, (gliner_place){4 * d, 3 * d, 0, 2 * d}, 4 * d, d, false)) &&
           (head->out = gliner_linear(b, "scorer.", "out_mlp.3", 4 * d, 3));
}

static nf_layers_fuser *gliner_fuser(gliner_builder *b, const char *prefix,
                                     const nf_encoder *encoder) {
    size_t n = encoder->n_layers, c = encoder->hidden;
    nf_layers_fuser *f = nf_arena_calloc(&b->net->arena, 1, sizeof *f);
    bool done = f && (f->squeeze = gliner_linear(b, prefix, "squeeze", c, 1)) &&
                (f->w1 = gliner_linear(b, prefix, "W1", n, n / 2)) &&
                (f->w2 = gliner_linear(b, prefix, "W2", n / 2, n)) &&
                (f->output = gliner_linear(b, prefix, "output_projection", c, c));
    return done ? f : NULL;
}

static nerfit_status gliner_prefix(nf_network *net, const char **name, const char *prefix,
                                   nerfit_error *err) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", prefix, *name);
    *name = nf_arena_strdup(&net->arena, whole);
    return *name ? NERFIT_OK : nf_no_memory(err, strlen(whole));
}

/* Builds an encoder of a configuration in Hugging Face's form; its parameters are then named as
 * they are stored here. The rows of the stored word embeddings count, whatever the configuration
 * says of the vocabulary. */
static nerfit_status gliner_encoder(gliner_builder *b, nf_encoder *encoder,
                                    const nf_architecture **architecture, const json_t *given,
                                    const char *path, const char *prefix) {
    nf_network *net = b->net;
    size_t first = net->n_parameters, first_linear = net->n_linears;
    json_t *config = json_deep_copy(given);
    if (!config) return nf_no_memory(b->err, 0);
    if (!json_object_get(config, "model_type"))
        json_object_set_new(config, "model_type", json_string("deberta-v2"));
    static const char *const tables[] = {"embeddings.word_embeddings.weight",
                                         "embeddings.tok_embeddings.weight"};
    for (size_t i = 0; i < NF_COUNT(tables); i++) {
        char name[256];
        snprintf(name, sizeof name, "%s%s", prefix, tables[i]);
        const nf_stored *words =
            b->model->weights ? nf_safetensors_find(b->model->weights, name) : NULL;
        if (words && words->n_dims == 2)
            json_object_set_new(config, "vocab_size", json_integer(words->dims[0]));
    }
    nerfit_status status = nf_architecture_find(architecture, config, path, b->err);
    if (status == NERFIT_OK) {
        *encoder = (nf_encoder){.model_type = (*architecture)->model_type,
                                .prefix = "",
                                .first_position = (*architecture)->first_position};
        status = (*architecture)->build(encoder, net, config, path, b->err);
    }
    json_decref(config);
    b->encoders[b->n_encoders].first = first;
    b->encoders[b->n_encoders++].end = net->n_parameters;
    for (size_t i = first; i < net->n_parameters && status == NERFIT_OK; i++)
        status = gliner_prefix(net, &net->parameters[i]->name, prefix, b->err);
    for (size_t i = first_linear; i < net->n_linears && status == NERFIT_OK; i++)
        status = gliner_prefix(net, &net->linears[i]->name, prefix, b->err);
    return status;
}

static nerfit_status gliner_labels_encoder(gliner_builder *b, const json_t *config) {
    nf_gliner *g = b->gliner;
    const nf_architecture *architecture;
    NF_TRY(gliner_encoder(b, &g->labels_encoder, &architecture, config, g->config.path,
                          LABELS_ENCODER));
    size_t c = g->labels_encoder.hidden, d = g->config.size;
    if (g->config.fuse_layers &&
        !(g->labels_fuser =
              gliner_fuser(b, "token_rep_layer.labels_encoder.layers_fuser.", &g->labels_encoder)))
        return nf_no_memory(b->err, 0);
    if (c != d &&
        !(g->labels_projection = gliner_linear(b, "token_rep_layer.", "labels_projection", c, d)))
        return nf_no_memory(b->err, 0);
    return NERFIT_OK;
}

static nerfit_status gliner_precomputed(gliner_builder *b) {
    nf_gliner *g = b->gliner;
    const json_t *names = json_object_get(g->json, "id_to_classes");
    size_t n = json_object_size(names);
    g->precomputed_labels = nf_arena_calloc(&b->net->arena, n + 1, sizeof *g->precomputed_labels);
    if (!g->precomputed_labels) return nf_no_memory(b->err, n);
    for (size_t i = 0; i < n; i++) {
        char key[32];
        snprintf(key, sizeof key, "%zu", i + 1);
        g->precomputed_labels[i] = json_string_value(json_object_get(names, key));
        if (!g->precomputed_labels[i])
            return nf_fail_at(b->err, NERFIT_FORMAT, g->config.path, 0, 0,
                              "\"id_to_classes\" has no text for \"%s\", expected one for each of "
                              "its %zu labels",
                              key, n);
    }
    if (n == 0)
        return nf_fail_at(b->err, NERFIT_FORMAT, g->config.path, 0, 0,
                          "\"precomputed_prompts_mode\" is true without labels in "
                          "\"id_to_classes\"");
    g->precomputed =
        nf_network_parameter(b->net, "precomputed_prompts", 2, n, g->config.size, false);
    return g->precomputed ? NERFIT_OK : nf_no_memory(b->err, 0);
}

static nerfit_status gliner_build(gliner_builder *b, const json_t *encoder_config,
                                  const json_t *labels_config) {
    nf_gliner *g = b->gliner;
    const nf_gliner_config *config = &g->config;
    nf_encoder *encoder = &b->model->encoder;
    size_t d = config->size;
    bool done = true;
    NF_TRY(gliner_encoder(b, encoder, &b->model->architecture, encoder_config, config->path,
                          TEXT_ENCODER));
    if (config->fuse_layers)
        done = (g->fuser = gliner_fuser(b, "token_rep_layer.bert_layer.layers_fuser.", encoder));
    if (done && encoder->hidden != d)
        done = (g->projection =
                    gliner_linear(b, "token_rep_layer.", "projection", encoder->hidden, d));
    if (done && config->rnn_layers)
        done = (g->lstm = nf_lstm_new(b->net, "rnn.lstm.", d, d / 2, config->rnn_layers));
    bool words = config->span_mode == NF_SPAN_TOKEN_LEVEL;
    if (done && words) done = gliner_token_head(b);
    if (done && (!words || config->represent_spans)) done = gliner_span_head(b, config->span_mode);
    if (done && !words) done = gliner_mlp(b, &g->prompt, "prompt_rep_layer", d, 4 * d, d);
    if (!done) return nf_no_memory(b->err, 0);
    if (config->precomputed) NF_TRY(gliner_precomputed(b));
    return config->labels_encoder ? gliner_labels_encoder(b, labels_config) : NERFIT_OK;
}

/* What stands on the encoders is the head's. */
static nerfit_status gliner_own(const gliner_builder *b) {
    nf_head *head = b->model->head = nf_gliner_head_new(b->model);
    if (!head) return nf_no_memory(b->err, 0);
    for (size_t i = 0, e = 0; i < b->net->n_parameters; i++) {
        while (e < b->n_encoders && i >= b->encoders[e].end) e++;
        if (e < b->n_encoders && i >= b->encoders[e].first) continue;
        nf_head_own(head, b->net->parameters[i]);
        b->net->parameters[i]->group = NF_GROUP_HEAD;
    }
    return NERFIT_OK;
}

const char *nf_gliner_encoder_name(const char *name, bool labels) {
    const char *prefix = labels ? LABELS_ENCODER : TEXT_ENCODER;
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 ? name + length : NULL;
}

nerfit_status nf_gliner_build(nf_model *model, nerfit_error *err) {
    nf_gliner *g = model->gliner;
    gliner_builder builder = {.model = model, .gliner = g, .net = &model->net, .err = err};
    NF_TRY(gliner_build(&builder, model->config, g->labels_config));
    return gliner_own(&builder);
}

/* ---------------------------------------------------------------- what is not trained */

nerfit_status nf_gliner_freeze(nf_model *model, const char *component, nerfit_error *err) {
    nf_gliner *g = model->gliner;
    bool text = strcmp(component, "text_encoder") == 0;
    if (!text && strcmp(component, "labels_encoder") != 0)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "freeze_components: \"%s\" is none of text_encoder, labels_encoder",
                       component);
    if (!text && !g->config.labels_encoder)
        return nf_fail_at(err, NERFIT_ARGUMENT, g->config.path, 0, 0,
                          "has no \"labels_encoder\" that freeze_components could name: labels are "
                          "read by the text's encoder");
    g->frozen[!text] = true;
    return NERFIT_OK;
}

void nf_gliner_keep_frozen(nf_model *model) {
    for (size_t k = 0; k < NF_COUNT(model->gliner->frozen); k++)
        for (size_t i = 0; i < model->net.n_parameters && model->gliner->frozen[k]; i++) {
            nf_parameter *p = model->net.parameters[i];
            if (nf_gliner_encoder_name(p->name, k)) p->trained = false;
        }
}

bool nf_gliner_knows_labels(const nf_model *model) {
    const nf_gliner *g = model->gliner;
    return g->config.labels_encoder && g->frozen[1] && !g->labels_fuser;
}

/* ---------------------------------------------------------------- the weights */

const char *nf_gliner_wrapper(const nf_safetensors *weights) {
    static const char *const wrappers[] = {"", "_orig_mod.", "model.", "model._orig_mod."};
    for (size_t i = 0; i < NF_COUNT(wrappers); i++)
        for (size_t k = 0; k < nf_safetensors_count(weights); k++) {
            const char *name = nf_safetensors_at(weights, k)->name;
            size_t length = strlen(wrappers[i]);
            if (strncmp(name, wrappers[i], length) == 0 &&
                strncmp(name + length, "token_rep_layer.", 16) == 0)
                return wrappers[i];
        }
    return "";
}

typedef struct gliner_weights {
    const nf_safetensors *file;
    const char *wrapper; /* before all names in the file: torch.compile's, or one more module */
    const char *where;
    bool *used; /* [tensors] */
} gliner_weights;

/* The tensor of that name, or the one that is stored for it (the package notes tensors that share
 * memory in the metadata). */
static const nf_stored *gliner_find(gliner_weights *w, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s%s", w->wrapper, name);
    const char *shared = nf_safetensors_metadata(w->file, path);
    const nf_stored *stored = nf_safetensors_find(w->file, path);
    if (!stored && shared) stored = nf_safetensors_find(w->file, shared);
    for (size_t i = 0; stored && i < nf_safetensors_count(w->file); i++)
        if (nf_safetensors_at(w->file, i) == stored) w->used[i] = true;
    return stored;
}

static nerfit_status gliner_missing(const gliner_weights *w, const nf_gliner *g, const char *name,
                                    nerfit_error *err) {
    return nf_fail_at(err, NERFIT_FORMAT, w->where, 0, 0,
                      "has no tensor \"%s\", which %s calls for", name, g->config.path);
}

static nerfit_status gliner_load_part(nf_network *net, const nf_gliner_part *part,
                                      const nf_stored *stored, const char *where,
                                      nerfit_error *err) {
    nf_parameter *p = part->part;
    size_t row = p->n_dims == 1 ? 1 : p->rows;
    bool fits = p->n_dims == stored->n_dims &&
                (p->n_dims == 1 ? stored->dims[0] == (int64_t)part->cols
                                : stored->dims[0] == (int64_t)part->rows &&
                                      stored->dims[1] == (int64_t)part->cols);
    if (!fits)
        return nf_fail_at(
            err, NERFIT_FORMAT, where, 0, 0,
            "tensor \"%s\" has %zu values, expected [%zu, %zu] from the configuration",
            stored->name, stored->count, part->rows, part->cols);
    float *whole = malloc(stored->count * sizeof *whole + 1);
    float *values = malloc(row * p->cols * sizeof *values + 1);
    nerfit_status status = whole && values ? nf_stored_to_f32(stored, whole, err)
                                           : nf_no_memory(err, stored->count * sizeof *whole);
    for (size_t i = 0; i < row && status == NERFIT_OK; i++)
        memcpy(values + i * p->cols, whole + (part->first_row + i) * part->cols + part->first_col,
               p->cols * sizeof *values);
    if (status == NERFIT_OK) status = nf_parameter_fill(net, p, values, err);
    free(whole);
    free(values);
    return status;
}

static const nf_gliner_part *gliner_part_of(const nf_gliner *g, const nf_parameter *p) {
    for (size_t i = 0; i < g->n_parts; i++)
        if (g->parts[i].part == p) return &g->parts[i];
    return NULL;
}

static nerfit_status gliner_load_tensors(nf_network *net, const nf_gliner *g, gliner_weights *w,
                                         nerfit_error *err) {
    for (size_t i = 0; i < net->n_parameters; i++) {
        nf_parameter *p = net->parameters[i];
        const nf_gliner_part *part = gliner_part_of(g, p);
        const nf_stored *stored = gliner_find(w, part ? part->name : p->name);
        if (!stored) return gliner_missing(w, g, part ? part->name : p->name, err);
        NF_TRY(part ? gliner_load_part(net, part, stored, w->where, err)
                    : nf_parameter_load(net, p, stored, w->where, err));
    }
    return NERFIT_OK;
}

typedef enum gliner_encoders { GLINER_ANY, GLINER_UNI, GLINER_BI } gliner_encoders;

/* Tensors that models have and their forward in the package leaves out, or that belong to what is
 * not done here. */
static const struct gliner_unused {
    const char *prefix;
    gliner_encoders of;
    const char *why;
} unused_tensors[] = {
    {"cross_fuser.", GLINER_UNI, "the package's uni-encoders have it without using it"},
    {"rnn.", GLINER_BI, "the package's bi-encoders have it without using it"},
    {"span_rep_layer.span_rep_layer.project_first.", GLINER_ANY, "markerV1 does not use it"},
    {"relations_rep_layer.", GLINER_ANY, "relations are not supported"},
    {"triples_score_layer.", GLINER_ANY, "relations are not supported"},
    {"pair_rep_layer.", GLINER_ANY, "relations are not supported"},
    {"precomputed_rel_prompts", GLINER_ANY, "relations are not supported"},
    {"decoder.", GLINER_ANY, "labels are not generated"},
    {"_decoder.", GLINER_ANY, "labels are not generated"},
};
enum { UNUSED_REASONS = NF_COUNT(unused_tensors) };

/* The reason why a tensor is not used; UNUSED_REASONS: none is known. */
static size_t gliner_unused_reason(const char *name, bool bi) {
    for (size_t k = 0; k < UNUSED_REASONS; k++)
        if (strncmp(name, unused_tensors[k].prefix, strlen(unused_tensors[k].prefix)) == 0 &&
            unused_tensors[k].of != (bi ? GLINER_UNI : GLINER_BI))
            return k;
    return UNUSED_REASONS;
}

/* Buffers of the encoder, and the pooler that it has beside its hidden states. */
static bool gliner_is_aside(const char *name) {
    static const char *const parts[] = {".position_ids", ".token_type_ids", ".inv_freq",
                                        ".model.pooler."};
    for (size_t i = 0; i < NF_COUNT(parts); i++)
        if (strstr(name, parts[i])) return true;
    return false;
}

/* Names what is left over, a line for each reason. */
static void gliner_tell_unused(const gliner_weights *w, bool bi, const nf_log *log) {
    size_t counts[UNUSED_REASONS + 1] = {0};
    nf_str others = {0};
    for (size_t i = 0; i < nf_safetensors_count(w->file); i++) {
        const char *name = nf_safetensors_at(w->file, i)->name + strlen(w->wrapper);
        if (w->used[i] || gliner_is_aside(name)) continue;
        size_t k = gliner_unused_reason(name, bi);
        if (k == UNUSED_REASONS) nf_str_appendf(&others, "%s%s", counts[k] ? ", " : "", name);
        counts[k]++;
    }
    for (size_t k = 0; k < UNUSED_REASONS; k++)
        if (counts[k])
            nf_log_info(log, "%s: %zu tensors \"%s*\" are not used: %s", w->where, counts[k],
                        unused_tensors[k].prefix, unused_tensors[k].why);
    if (counts[UNUSED_REASONS])
        nf_log_warning(log, "%s: %zu tensors are not used: %s", w->where, counts[UNUSED_REASONS],
                       nf_str_text(&others));
    nf_str_free(&others);
}

static nerfit_status gliner_load_weights(nf_model *model, const nf_log *log, nerfit_error *err) {
    gliner_weights w = {.file = model->weights,
                        .where = nf_safetensors_path(model->weights),
                        .wrapper = nf_gliner_wrapper(model->weights)};
    w.used = calloc(nf_safetensors_count(w.file) + 1, sizeof *w.used);
    if (!w.used) return nf_no_memory(err, nf_safetensors_count(w.file));
    if (*w.wrapper)
        nf_log_info(log, "%s: the tensors' names are read without \"%s\"", w.where, w.wrapper);
    nerfit_status status = gliner_load_tensors(&model->net, model->gliner, &w, err);
    if (status == NERFIT_OK) gliner_tell_unused(&w, model->gliner->config.labels_encoder, log);
    free(w.used);
    return status;
}

/* ---------------------------------------------------------------- the folder's files */

/* Encoders that the first releases' files only name (urchade/gliner_*): DeBERTa-v3 in its sizes. */
static const struct named_encoder {
    const char *name;
    int hidden, layers, heads, intermediate;
} named_encoders[] = {{"microsoft/deberta-v3-xsmall", 384, 12, 6, 1536},
                      {"microsoft/deberta-v3-small", 768, 6, 12, 3072},
                      {"microsoft/deberta-v3-base", 768, 12, 12, 3072},
                      {"microsoft/deberta-v3-large", 1024, 24, 16, 4096},
                      {"microsoft/mdeberta-v3-base", 768, 12, 12, 3072}};

/* NULL: it is none of them, or memory is missing. */
static json_t *named_encoder_config(const char *name) {
    for (size_t i = 0; i < NF_COUNT(named_encoders); i++) {
        const struct named_encoder *e = &named_encoders[i];
        if (strcmp(e->name, name) != 0) continue;
        return json_pack("{s:s, s:i, s:i, s:i, s:i, s:s, s:i, s:i, s:i, s:b, s:b, s:b, s:s, s:s, "
                         "s:f, s:i, s:i}",
                         "model_type", "deberta-v2", "hidden_size", e->hidden, "num_hidden_layers",
                         e->layers, "num_attention_heads", e->heads, "intermediate_size",
                         e->intermediate, "hidden_act", "gelu", "max_position_embeddings", 512,
                         "position_buckets", 256, "max_relative_positions", -1,
                         "relative_attention", 1, "share_att_key", 1, "position_biased_input", 0,
                         "pos_att_type", "p2c|c2p", "norm_rel_ebd", "layer_norm", "layer_norm_eps",
                         1e-7, "type_vocab_size", 0, "vocab_size", 128100);
    }
    return NULL;
}

/* Where an encoder's configuration may be: in the file under `key`, in a file beside it, in a folder of
 * its own (NULL: none), or among those that are known by name. */
typedef struct encoder_source {
    const json_t *inside;
    const char *key, *file, *base, *name;
} encoder_source;

static nerfit_status gliner_encoder_config(json_t **out, const encoder_source *from,
                                           const nf_model *model, nf_arena *arena,
                                           nerfit_error *err) {
    *out = json_incref((json_t *)(uintptr_t)from->inside);
    if (*out) return NERFIT_OK;
    const char *path = nf_path_join(arena, model->folder, from->file);
    const char *further = from->base ? nf_path_join(arena, from->base, "config.json") : path;
    if (!path || !further) return nf_no_memory(err, 0);
    if (nf_file_exists(path)) return nf_json_load(out, path, err);
    if (nf_file_exists(further)) return nf_json_load(out, further, err);
    if ((*out = named_encoder_config(from->name))) return NERFIT_OK;
    return nf_fail_at(err, NERFIT_FORMAT, model->gliner->config.path, 0, 0,
                      "has no \"%s\", and there is no %s: expected the configuration of the "
                      "encoder \"%s\" in one of them",
                      from->key, path, from->name);
}

static nerfit_status gliner_tokenizers(nf_model *model, const char *base, nf_arena *arena,
                                       nerfit_error *err) {
    nf_gliner *g = model->gliner;
    const nf_gliner_config *config = &g->config;
    const char *from = !base || nf_model_has_tokenizer(model->folder) ? model->folder : base;
    /* the package adds its tokens where it does not know their places */
    bool adds =
        !config->labels_encoder && (config->class_token_index < 0 || config->vocab_size < 0);
    nerfit_status status = adds ? nf_tokenizer_load(&model->tokenizer, from, err)
                                : nf_model_load_tokenizer(model, &model->tokenizer, from, err);
    if (status != NERFIT_OK)
        return nf_fail_within(err, status, "the tokenizer, whose files are those of %s",
                              config->model_name);
    if (config->labels_encoder) {
        const char *folder = nf_path_join(arena, model->folder, "labels_tokenizer");
        if (!folder) return nf_no_memory(err, 0);
        status = nf_model_load_tokenizer(model, &g->labels_tokenizer, folder, err);
        if (status != NERFIT_OK)
            nf_fail_within(err, status, "the labels' tokenizer, whose files are those of %s",
                           config->labels_encoder);
        return status;
    }
    if (adds) {
        const char *const uni[] = {"[FLERT]", config->ent_token, config->sep_token};
        const char *const relations[] = {config->ent_token, config->sep_token, config->rel_token};
        NF_TRY(nf_tokenizer_add_special(model->tokenizer, config->relations ? relations : uni, 3,
                                        err));
    }
    size_t size = nf_tokenizer_vocabulary_size(model->tokenizer);
    g->label_token = config->class_token_index >= 0 ? (int32_t)config->class_token_index
                                                    : (int32_t)size - (config->relations ? 3 : 2);
    if (config->precomputed) return NERFIT_OK;
    int32_t token = nf_tokenizer_id(model->tokenizer, config->ent_token);
    if (token != g->label_token)
        return nf_fail_at(err, NERFIT_FORMAT, config->path, 0, 0,
                          "\"class_token_index\" is %d, but the tokenizer's id of \"%s\" is %d: "
                          "expected a tokenizer that has it there",
                          g->label_token, config->ent_token, token);
    if ((size_t)token >= model->encoder.vocabulary)
        return nf_fail_at(err, NERFIT_FORMAT, config->path, 0, 0,
                          "the id %d of \"%s\" lies outside the %zu rows of the word embeddings",
                          token, config->ent_token, model->encoder.vocabulary);
    return NERFIT_OK;
}

/* The folder's weights, or the package's variants in half precision. */
static nerfit_status gliner_open_weights(nf_model *model, nf_arena *arena, const nf_log *log,
                                         nerfit_error *err) {
    static const char *const usual[] = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", "pytorch_model.bin.index.json"};
    static const char *const variants[] = {"model.bf16.safetensors", "model.fp16.safetensors"};
    const char *path = model->folder;
    bool found = false;
    for (size_t i = 0; i < NF_COUNT(usual) && !found; i++)
        found = nf_file_exists_in(model->folder, usual[i]);
    for (size_t i = 0; i < NF_COUNT(variants) && !found; i++)
        if ((found = nf_file_exists_in(model->folder, variants[i])))
            path = nf_path_join(arena, model->folder, variants[i]);
    if (!path) return nf_no_memory(err, 0);
    return nf_model_open_weights(model, path, log, err);
}

/* ---------------------------------------------------------------- labels */

char **nf_gliner_tags(const char *const *names, size_t count, nf_arena *arena) {
    char **tags = nf_arena_calloc(arena, 2 * count + 1, sizeof *tags);
    if (!tags || !(tags[0] = nf_arena_strdup(arena, "O"))) return NULL;
    for (size_t i = 0; i < 2 * count; i++) {
        const char *name = names[i / 2];
        size_t size = strlen(name) + 3;
        char *tag = tags[i + 1] = nf_arena_alloc(arena, size);
        if (!tag) return NULL;
        memcpy(tag, i % 2 ? "I-" : "B-", 2);
        memcpy(tag + 2, name, size - 2);
    }
    return tags;
}

/* The thresholds that the model has for labels, for others: by their names. */
static nerfit_status rename_thresholds(nf_gliner *g, const char *const *names, size_t count,
                                       nf_arena *arena, nerfit_error *err) {
    if (!g->thresholds) return NERFIT_OK;
    double *thresholds = nf_arena_alloc(arena, count * sizeof *thresholds + 1);
    if (!thresholds) return nf_no_memory(err, count * sizeof *thresholds);
    for (size_t i = 0; i < count; i++) {
        size_t k = nf_list_index(g->names, g->n_labels, names[i]);
        thresholds[i] = k < g->n_labels ? g->thresholds[k] : NF_GLINER_THRESHOLD;
    }
    g->thresholds = thresholds;
    return NERFIT_OK;
}

nerfit_status nf_gliner_set_labels(nf_model *model, const char *const *names,
                                   const char *const *prompts, size_t count, nerfit_error *err) {
    nf_arena *arena = &model->net.arena;
    nf_gliner *g = model->gliner;
    const char **kept[2];
    for (size_t k = 0; k < 2; k++) {
        kept[k] = nf_arena_calloc(arena, count + 1, sizeof *kept[k]);
        if (!kept[k]) return nf_no_memory(err, count * sizeof *kept[k]);
        for (size_t i = 0; i < count; i++)
            if (!(kept[k][i] = nf_arena_strdup(arena, k ? prompts[i] : names[i])))
                return nf_no_memory(err, 0);
    }
    NF_TRY(rename_thresholds(g, names, count, arena, err));
    g->names = kept[0];
    g->prompts = kept[1];
    g->n_labels = count;
    model->n_labels = 2 * count + 1;
    return (model->labels = nf_gliner_tags(g->names, count, arena)) ? NERFIT_OK
                                                                    : nf_no_memory(err, 0);
}

/* ---------------------------------------------------------------- the whole */

/* What of the folder is not used is told to the log; a tensor that is missing is an error. */
static nerfit_status gliner_load(nf_model *model, const char *folder, const char *base,
                                 const nf_log *log, nerfit_error *err) {
    nf_arena *arena = &model->net.arena;
    nf_gliner *g = calloc(1, sizeof *g);
    if (!g) return nf_no_memory(err, sizeof *g);
    model->gliner = g;
    model->folder = nf_arena_strdup(arena, folder);
    const char *path = nf_path_join(arena, folder, "gliner_config.json");
    if (!model->folder || !path) return nf_no_memory(err, 0);
    NF_TRY(nf_json_load(&g->json, path, err));
    NF_TRY(nf_gliner_config_read(&g->config, g->json, path, log, err));
    NF_TRY(gliner_open_weights(model, arena, log, err));
    const nf_gliner_config *c = &g->config;
    const encoder_source text = {c->encoder_config, "encoder_config", "config.json", base,
                                 c->model_name};
    const encoder_source label = {c->labels_encoder_config, "labels_encoder_config",
                                  "labels_config.json", NULL, c->labels_encoder};
    NF_TRY(gliner_encoder_config(&model->config, &text, model, arena, err));
    if (c->labels_encoder) {
        NF_TRY(gliner_encoder_config(&g->labels_config, &label, model, arena, err));
        NF_TRY(nf_gliner_label_cache_new(&g->label_cache, err));
    }
    nerfit_status status = nf_gliner_build(model, err);
    if (status == NERFIT_OK) status = gliner_load_weights(model, log, err);
    if (status == NERFIT_OK) status = gliner_tokenizers(model, base, arena, err);
    if (status == NERFIT_OK && g->precomputed)
        status = nf_gliner_set_labels(model, g->precomputed_labels, g->precomputed_labels,
                                      g->precomputed->rows, err);
    else if (status == NERFIT_OK)
        status = nf_gliner_load_labels(model, folder, err);
    return status;
}

static void gliner_free(nf_model *model) {
    if (!model->gliner) return;
    nf_tokenizer_free(model->gliner->labels_tokenizer);
    nf_gliner_label_cache_free(model->gliner->label_cache);
    json_decref(model->gliner->json);
    json_decref(model->gliner->labels_config);
    free(model->gliner);
}

const nf_model_kind nf_model_kind_gliner = {.found = nf_gliner_config_exists,
                                            .load = gliner_load,
                                            .save = nf_gliner_save,
                                            .set_labels = nf_gliner_set_labels,
                                            .free = gliner_free};
