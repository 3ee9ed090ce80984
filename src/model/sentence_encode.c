/* Texts to embeddings: tokens, the model, pooling, and the modules behind it. */
#include "model/sentence.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "text/unicode.h"

/* sentence-transformers puts a Lowercase before the tokenizer's own normalizer; special tokens that
 * stand in a text as such ("[MASK]") are the one case where doing it to the text differs. */
static bool append_lower(nf_str *out, const char *text) {
    size_t length = strlen(text);
    while (length > 0) {
        uint32_t c, lower[2];
        size_t size = nf_utf8_decode(text, length, &c), count;
        if (size == 0)
            return nf_str_append(out, text, length); /* the tokenizer says what is wrong */
        count = nf_unicode_to_lower(c, lower);
        for (size_t i = 0; i < count; i++) {
            char bytes[4];
            if (!nf_str_append(out, bytes, nf_utf8_encode(lower[i], bytes))) return false;
        }
        text += size;
        length -= size;
    }
    return true;
}

/* Cuts the tokens to the limit, keeping the special ones at both ends: the first `head` stay, and the
 * last limit - head ones. */
static bool cut(nf_encoding *encoding, size_t limit, size_t before, size_t after, bool left) {
    if (encoding->length <= limit) return false;
    if (after > limit) after = limit;
    if (before > limit - after) before = limit - after;
    size_t head = left ? before : limit - after, from = encoding->length - (limit - head);
    for (size_t i = 0; i < limit - head; i++) {
        encoding->ids[head + i] = encoding->ids[from + i];
        encoding->special[head + i] = encoding->special[from + i];
    }
    encoding->length = limit;
    return true;
}

nerfit_status nf_sentence_tokens(const nf_sentence_encoder *encoder, const char *prompt,
                                 const char *text, nf_encoding *out, bool *was_cut,
                                 nerfit_error *err) {
    const nf_tokenizer *tokenizer = encoder->model->tokenizer;
    const char *parts[] = {prompt ? prompt : "", text};
    size_t before, after;
    nf_str whole = {0};
    bool fits = true;
    for (size_t i = 0; i < 2; i++)
        fits = fits && (encoder->lower_case ? append_lower(&whole, parts[i])
                                            : nf_str_append_text(&whole, parts[i]));
    nerfit_status status =
        fits ? nf_tokenizer_encode(tokenizer, nf_str_text(&whole), whole.length, true, out, err)
             : nf_no_memory(err, whole.length);
    nf_str_free(&whole);
    NF_TRY(status);
    nf_tokenizer_special_counts(tokenizer, &before, &after);
    bool shortened = cut(out, encoder->max_length, before, after, encoder->cuts_left);
    if (was_cut) *was_cut = shortened;
    return NERFIT_OK;
}

static nf_values *apply_dense(const nf_linear *dense, nf_activation activation, nf_pass *pass,
                              const nf_values *x, size_t count) {
    nf_values *y = nf_workspace_reals(pass->ws, count * dense->out);
    const nf_epilogue epilogue = {.bias = dense->bias ? dense->bias->values : NULL,
                                  .activation = activation};
    if (!nf_workspace_failed(pass->ws))
        pass->be->linear_forward(pass->be, y, x, dense->packed, count, &epilogue);
    return y;
}

/* x [count, *size] to what the module makes of it. */
static nf_values *apply(const nf_sentence_module *module, nf_pass *pass, nf_values *x, size_t *size,
                        size_t count) {
    nf_backend *be = pass->be;
    if (!module->dense) {
        nf_values *norms = nf_workspace_reals(pass->ws, count);
        if (!nf_workspace_failed(pass->ws)) be->normalize_forward(be, x, norms, x, count, *size);
        return x;
    }
    nf_values *y = apply_dense(module->dense, module->activation, pass, x, count);
    nf_values *residual =
        module->residual_projection
            ? apply_dense(module->residual_projection, NF_ACTIVATION_NONE, pass, x, count)
            : x;
    *size = module->dense->out;
    if (module->residual && !nf_workspace_failed(pass->ws))
        be->axpy(be, y, 1.0, residual, count * *size);
    return y;
}

static void normalize_row(float *row, size_t size) {
    double sum = 0.0;
    for (size_t i = 0; i < size; i++) sum += (double)row[i] * row[i];
    double norm = sqrt(sum) > 1e-12 ? sqrt(sum) : 1e-12;
    for (size_t i = 0; i < size; i++) row[i] = (float)(row[i] / norm);
}

static nerfit_status encode_batch(const nf_sentence_encoder *encoder, nf_pass *pass,
                                  const nf_tokens *texts, size_t count, bool normalize, float *out,
                                  nerfit_error *err) {
    const nf_model *model = encoder->model;
    nf_backend *be = pass->be;
    nf_workspace_reset(pass->ws);
    NF_TRY(nf_batch_load(pass, &model->encoder, texts, count, err));
    size_t n = (size_t)pass->sequences.n_tokens, c = model->encoder.hidden;
    size_t size = encoder->n_poolings * c;
    nf_values *hidden = nf_workspace_reals(pass->ws, n * c);
    nf_values *embedded = nf_workspace_reals(pass->ws, count * size);
    NF_TRY(nf_workspace_check(pass->ws, err));
    if (nf_encoder_forward(&model->encoder, pass, hidden, NULL, NULL) != NERFIT_OK)
        return nf_pass_failed(pass, err);
    size_t skip = encoder->prompt && !encoder->include_prompt ? encoder->prompt_tokens : 0;
    for (size_t i = 0; i < encoder->n_poolings; i++) {
        const nf_pooling_shape shape = {encoder->poolings[i], c, size, skip};
        be->pool(be, nf_at(be, embedded, i * c), hidden, &pass->sequences, &shape);
    }
    for (size_t i = 0; i < encoder->n_modules; i++)
        embedded = apply(&encoder->modules[i], pass, embedded, &size, count);
    NF_TRY(nf_workspace_check(pass->ws, err));
    NF_TRY(nf_network_check_pass(&model->net, be, err));
    be->to_f32(be, out, embedded, count * size);
    for (size_t i = 0; i < count * size; i++)
        if (!isfinite(out[i])) {
            NF_TRY(nf_network_check_finite(&model->net, model->folder, false, err));
            return nf_fail_at(err, NERFIT_NUMERIC, model->folder, 0, 0,
                              "gives an embedding that is not finite, though all its weights are: "
                              "they are too large for the precision");
        }
    for (size_t i = 0; i < count && normalize; i++) normalize_row(out + i * size, size);
    return NERFIT_OK;
}

nerfit_status nf_sentence_encoder_encode(const nf_sentence_encoder *encoder, nf_backend *be,
                                         const char *const *texts, size_t count, bool normalize,
                                         float *out, size_t *n_cut, nerfit_error *err) {
    enum { BATCH = 32 };
    nf_encoding encodings[BATCH] = {{0}};
    nf_tokens tokens[BATCH];
    size_t cuts = 0;
    nf_pass pass = {.be = be};
    nerfit_status status = nf_workspace_new(&pass.ws, be, err);
    for (size_t done = 0; done < count && status == NERFIT_OK; done += BATCH) {
        size_t batch = count - done < BATCH ? count - done : BATCH;
        for (size_t i = 0; i < batch && status == NERFIT_OK; i++) {
            bool was_cut = false;
            status = nf_sentence_tokens(encoder, encoder->prompt, texts[done + i], &encodings[i],
                                        &was_cut, err);
            cuts += was_cut;
            tokens[i] = (nf_tokens){.ids = encodings[i].ids, .length = encodings[i].length};
        }
        if (status == NERFIT_OK)
            status = encode_batch(encoder, &pass, tokens, batch, normalize,
                                  out + done * encoder->size, err);
    }
    for (size_t i = 0; i < BATCH; i++) nf_encoding_free(&encodings[i]);
    nf_workspace_free(pass.ws);
    if (n_cut) *n_cut = cuts;
    return status;
}
