/* Whole trainings of GLiNER models: the recipe that a folder calls for, what is saved, resuming, and what is
 * refused. The arithmetic is test_gliner_training's. */
#include "tiny_run.h"

#include <math.h>
#include <unistd.h>

#include "base/str.h"
#include "heads/description_file.h"
#include "model/gliner_make.h"
#include "model/gliner_prompt.h"
#include "tensor/backends.h"

static nerfit_error error;
static nf_str told;

static void on_log(void *user, nerfit_log_level level, const char *message) {
    (void)user;
    (void)level;
    nf_str_appendf(&told, "%s\n", message);
}

static const char TEXTS[] =
    "[person : Alice Johnson] works at [organization : Acme-Corp] in [city : New York] .\n"
    "the cat and [person : Emil] lived in [city : Zürich] in [date : May]\n"
    "the ship left in [date : June] and came to [city : the city]\n"
    "[person : Bob] met [person : Alice] in [city : New York]\n"
    "the cat left\n";

static const char *const settings[] = {"max_steps", "6",         "threads", "1", "learning_rate",
                                       "1e-3",      "precision", "f32",     NULL};

/* Trains a golden model; the status. */
static nerfit_status train(const char *name, const char *output, const char *const *extra) {
    char model[200];
    snprintf(model, sizeof model, "tests/golden/gliner/%s", name);
    const char *const own[] = {"model_name",
                               model,
                               "train_annotations",
                               in_root("train.txt"),
                               "val_annotations",
                               in_root("train.txt"),
                               "output_dir",
                               in_root(output),
                               NULL};
    nerfit_config *config = config_of(settings, own);
    set_all(config, extra);
    nerfit_callbacks callbacks = {.size = sizeof callbacks, .log = on_log};
    nf_str_free(&told);
    return run_config(nerfit_train, config, &callbacks, &error);
}

/* Thresholds go with their labels' names, whatever others a caller names beside them. */
static void check_renamed(nf_model *model) {
    static const char *const other[] = {"zebra", "date", "yak", "person", "emu", "gnu"};
    double *t = model->gliner->thresholds, person = t[0] = 0.25, date = 0.0;
    for (size_t i = 0; i < model->gliner->n_labels; i++)
        if (strcmp(model->gliner->names[i], "date") == 0) date = t[i] = 0.75;
    assert_ok(model->kind->set_labels(model, other, other, NF_COUNT(other), &error), &error);
    t = model->gliner->thresholds;
    assert_true(t[1] == date && t[3] == person);
    assert_true(t[0] == NF_GLINER_THRESHOLD && t[5] == NF_GLINER_THRESHOLD);
}

/* Kinds of models, in full and by adapters; what comes out is a GLiNER folder with its labels. */
static void test_kinds(void **state) {
    (void)state;
    static const char *const lora[] = {
        "peft_lora", "true", "loss_reduction", "mean", "masking", "span", "negatives", "0.5", NULL};
    static const struct {
        const char *name;
        const char *const *extra;
    } kinds[] = {{"markerv0", NULL},      {"token-spans", lora}, {"bi", NULL},
                 {"deberta-fused", lora}, {"bi-token", lora},    {"marker", NULL}};
    for (size_t i = 0; i < NF_COUNT(kinds); i++) {
        char path[300];
        nf_model *model;
        nf_backend *be;
        if (train(kinds[i].name, kinds[i].name, kinds[i].extra) != NERFIT_OK)
            fail_msg("%s: %s", kinds[i].name, error.text);
        snprintf(path, sizeof path, "%s/best", in_root(kinds[i].name));
        assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
        assert_ok(nf_model_load(&model, path, be, NULL, &error), &error);
        assert_int_equal(model->gliner->n_labels, 4);
        assert_string_equal(model->gliner->names[0], "person");
        assert_non_null(model->gliner->thresholds);
        check_renamed(model);
        nf_model_free(model);
        be->free(be);
        assert_non_null(strstr(told.data, "recipe gliner"));
    }
}

/* The same bits, resumed after a stop or not. */
static void test_resume(void **state) {
    (void)state;
    static const char *const saves[] = {"save_strategy", "steps", "save_steps", "3",
                                        "eval_steps",    "3",     NULL};
    static const char *const resumes[] = {
        "save_strategy",          "steps", "save_steps", "3", "eval_steps", "3",
        "resume_from_checkpoint", NULL,    NULL};
    const char *again[9];
    char checkpoint[200];
    assert_ok(train("markerv0", "whole", saves), &error);
    snprintf(checkpoint, sizeof checkpoint, "%s/stage2/checkpoint-3", in_root("whole"));
    if (!nf_directory_exists(checkpoint)) skip(); /* the last one alone is kept */
    memcpy(again, resumes, sizeof again);
    again[7] = checkpoint;
    again[8] = NULL;
    assert_ok(train("markerv0", "resumed", again), &error);
    assert_same_file(in_root("whole/best/model.safetensors"),
                     in_root("resumed/best/model.safetensors"));
}

/* ---------------------------------------------------------------- other label sets beside one's own */

static const char RITES[] = "[ship : Maria] sailed to [port of call : Oslo] in May\n"
                            "the [ship : Emil] sank\n"
                            "nobody came\n",
                  RITES_MEAN[] = "ship: A vessel by name, such as Titanic.\n"
                                 "port of call: A harbour, such as Genoa.\n",
                  RITES_ELSE[] = "ship:\n  synonyms: [vessel]\n"
                                 "  descriptions:\n  - What sails, for instance the Vasa.\n",
                  METALS[] = "[metal : zinc] in [metal : the city]\n",
                  METALS_MEAN[] = "metal: An element such as iron.\n";

static void write_others(void) {
    nf_directory_make(in_root("others"), NULL);
    write_text(in_root("others/rites.txt"), RITES);
    write_text(in_root("others/rites.yaml"), RITES_MEAN);
    write_text(in_root("others/rites.synonyms.yaml"), RITES_ELSE);
    write_text(in_root("others/metals.txt"), METALS);
    write_text(in_root("others/metals.yaml"), METALS_MEAN);
}

/* Whether a tensor of a trained folder has the values of the model that it began with. */
static bool same_tensor(const char *name, const char *output, const char *tensor) {
    nf_safetensors *files[2];
    float *values[2];
    char path[300];
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, i ? "%s/best/model.safetensors" : "%s/model.safetensors",
                 i ? in_root(output) : name);
        assert_ok(nf_safetensors_open(&files[i], path, &error), &error);
        const nf_stored *stored = nf_safetensors_find(files[i], tensor);
        assert_non_null(stored);
        n = stored->count;
        values[i] = malloc(n * sizeof(float));
        assert_ok(nf_stored_to_f32(stored, values[i], &error), &error);
    }
    bool same = memcmp(values[0], values[1], n * sizeof(float)) == 0;
    for (int i = 0; i < 2; i++) {
        free(values[i]);
        nf_safetensors_close(files[i]);
    }
    return same;
}

/* Prompted and bi-encoders; a frozen encoder stays. */
static void test_rehearsal(void **state) {
    (void)state;
    static const char embedding[] =
        "token_rep_layer.labels_encoder.model.embeddings.word_embeddings.weight";
    static const char text_embedding[] =
        "token_rep_layer.bert_layer.model.embeddings.word_embeddings.weight";
    const char *const rehearsed[] = {"rehearsal_annotations", in_root("others"), NULL};
    const char *const frozen[] = {"rehearsal_annotations", in_root("others"), "freeze_components",
                                  "labels_encoder", NULL};
    write_others();
    assert_ok(train("deberta", "rehearsed", rehearsed), &error);
    assert_non_null(strstr(told.data, "2 label sets: 4 texts, 5 entities of 3 types"));
    assert_ok(train("deberta", "alone", NULL), &error);
    assert_false(same_tensor(in_root("alone/best"), "rehearsed", text_embedding));
    assert_ok(train("bi-token", "frozen", frozen), &error);
    assert_true(same_tensor("tests/golden/gliner/bi-token", "frozen", embedding));
    assert_false(same_tensor("tests/golden/gliner/bi-token", "frozen", text_embedding));
    assert_ok(train("bi-token", "trained", rehearsed), &error);
    assert_false(same_tensor("tests/golden/gliner/bi-token", "trained", embedding));
}

/* A run that goes on from its checkpoint is one that never stopped, labels' vectors included; with other texts to
 * rehearse it is refused. */
static void test_rehearsal_resumed(void **state) {
    (void)state;
    /* the last pair is left out of a run that begins */
    const char *again[] = {"rehearsal_annotations",
                           in_root("others"),
                           "freeze_components",
                           "labels_encoder",
                           "save_strategy",
                           "steps",
                           "save_steps",
                           "3",
                           "save_total_limit",
                           "0",
                           "load_best_model_at_end",
                           "false",
                           NULL,
                           in_root("unbroken/stage2/checkpoint-3"),
                           NULL};
    write_others();
    assert_ok(train("bi", "unbroken", again), &error);
    again[NF_COUNT(again) - 3] = "resume_from_checkpoint";
    assert_ok(train("bi", "broken", again), &error);
    assert_same_file(in_root("unbroken/best/model.safetensors"),
                     in_root("broken/best/model.safetensors"));
    write_text(in_root("others/metals.txt"), "[metal : iron] in [metal : the city]\n");
    assert_int_equal(train("bi", "broken2", again), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "texts or descriptions in rehearsal_annotations"));
}

static void test_rehearsal_wrong(void **state) {
    (void)state;
    write_others();
    const char *const mixed[] = {"rehearsal_annotations", in_root("train.txt"), NULL};
    assert_int_equal(train("markerv0", "steps", mixed), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "rehearsal_annotations: expected folders of label sets"));
    const char *const wrong[] = {"freeze_components", "labels_encoder", NULL};
    assert_int_equal(train("markerv0", "steps", wrong), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "has no \"labels_encoder\" that freeze_components"));
    const char *const unknown[] = {"freeze_components", "decoder", NULL};
    assert_int_equal(train("markerv0", "steps", unknown), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "is none of text_encoder, labels_encoder"));
}

/* Pre-training on label sets leaves a GLiNER folder without labels of its own. */
static void test_pretraining(void **state) {
    (void)state;
    static const char layer[] = "token_rep_layer.bert_layer.model.encoder.layer.0.attention.self.";
    static const struct {
        const char *name, *lora, *query;
    } kinds[] = {{"markerv0", "false", "query"},
                 {"token", "true", "query"},
                 {"bi-token", "true", "query_proj"}};
    for (size_t i = 0; i < NF_COUNT(kinds); i++) {
        char model[200], output[64], tensor[160];
        snprintf(model, sizeof model, "tests/golden/gliner/%s", kinds[i].name);
        snprintf(output, sizeof output, "pretrained-%s", kinds[i].name);
        snprintf(tensor, sizeof tensor, "%s%s.weight", layer, kinds[i].query);
        const char *const own[] = {"model_name",      model,         "pretrain_annotations",
                                   in_root("others"), "output_dir",  in_root(output),
                                   "peft_lora",       kinds[i].lora, "target_modules",
                                   "all-linear",      NULL};
        write_others();
        nerfit_config *config = config_of(settings, own);
        assert_ok(run_config(nerfit_pretrain, config, NULL, &error), &error);
        assert_false(same_tensor(model, output, tensor));
        assert_false(nf_file_exists_in(in_root(output), "best/nerfit.json"));
    }
}

/* ---------------------------------------------------------------- GLiNER models of encoders */

/* A run of nerfit_pretrain over the label sets; its status. */
static nerfit_status pretrain(const char *model, const char *output, const char *const *extra) {
    const char *const own[] = {"model_name",      in_root(model),     "pretrain_annotations",
                               in_root("others"), "output_dir",       in_root(output),
                               "st_model_name",   in_root("encoder"), NULL};
    nerfit_config *config = config_of(settings, own);
    set_all(config, extra);
    return run_config(nerfit_pretrain, config, NULL, &error);
}

/* The tiny encoder's vocab.txt as a tokenizer.json. */
static void write_tokenizer_json(void) {
    json_t *vocabulary = json_object(), *added = json_array();
    FILE *file = fopen(in_root("encoder/vocab.txt"), "r");
    char line[64];
    assert_non_null(file);
    for (json_int_t id = 0; fgets(line, sizeof line, file); id++) {
        line[strcspn(line, "\n")] = '\0';
        json_object_set_new(vocabulary, line, json_integer(id));
        if (line[0] == '[' && line[1])
            json_array_append_new(added, json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id,
                                                   "content", line, "special", 1, "single_word", 0,
                                                   "lstrip", 0, "rstrip", 0, "normalized", 0));
    }
    fclose(file);
    json_t *json = json_pack(
        "{s:s, s:o, s:n, s:{s:s}, s:{s:s, s:[s, I], s:[s, I]}, s:{s:s, s:s, s:s, s:i, s:o}}",
        "version", "1.0", "added_tokens", added, "normalizer", "pre_tokenizer", "type",
        "Whitespace", "post_processor", "type", "BertProcessing", "sep", "[SEP]", (json_int_t)3,
        "cls", "[CLS]", (json_int_t)2, "model", "type", "WordPiece", "unk_token", "[UNK]",
        "continuing_subword_prefix", "##", "max_input_chars_per_word", 100, "vocab", vocabulary);
    assert_non_null(json);
    assert_int_equal(json_dump_file(json, in_root("encoder/tokenizer.json"), 0), 0);
    json_decref(json);
}

/* Texts in the prompt: two tokens more, the encoder's values, a head of torch's first values. */
static void check_prompted_start(const char *folder) {
    nf_model *made, *encoder;
    nf_backend *be;
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    assert_ok(nf_model_load(&made, in_root(folder), be, NULL, &error), &error);
    assert_ok(nf_model_load(&encoder, in_root("encoder"), be, NULL, &error), &error);
    assert_string_equal(made->gliner->config.ent_token, "<<ENT>>");
    assert_int_equal(made->encoder.vocabulary, encoder->encoder.vocabulary + 2);
    assert_int_equal(made->gliner->label_token, encoder->encoder.vocabulary);
    size_t shared = 0;
    for (size_t i = 0; i < encoder->net.n_parameters; i++) {
        char name[300];
        const nf_parameter *p = encoder->net.parameters[i];
        snprintf(name, sizeof name, "token_rep_layer.bert_layer.model.%s", p->name);
        const nf_parameter *now = nf_network_find(&made->net, name);
        if (!now) continue;
        assert_memory_equal(p->values, now->values, nf_parameter_count(p) * sizeof(float));
        shared++;
    }
    assert_true(shared > 10);
    const nf_linear *in = made->gliner->prompt.in;
    const float *values = (const float *)(const void *)in->weight->values;
    float most = 0.0f;
    for (size_t i = 0; i < nf_parameter_count(in->weight); i++)
        most = fmaxf(most, fabsf(values[i]));
    float bound = 1.0f / sqrtf((float)in->in);
    assert_true(most <= bound && most > 0.8f * bound);
    nf_model_free(made);
    nf_model_free(encoder);
    be->free(be);
}

static void test_made_of_an_encoder(void **state) {
    (void)state;
    static const char *const uni[] = {"recipe",     "gliner", "span_mode",   "markerV0",
                                      "max_width",  "3",      "hidden_size", "6",
                                      "pretrained", "none",   NULL};
    static const char *const odd[] = {"recipe", "gliner", "hidden_size", "5", NULL};
    static const char *const as_lora[] = {"recipe", "gliner", "peft_lora", "true", NULL};
    make_tiny_model(in_root("encoder"), false);
    write_others();
    assert_int_equal(pretrain("encoder", "none", uni), NERFIT_UNSUPPORTED);
    assert_non_null(strstr(error.text, "has no tokenizer.json, in which the prompt's tokens"));
    write_tokenizer_json();
    assert_ok(pretrain("encoder", "uni", uni), &error);
    check_prompted_start("uni/start");
    assert_int_equal(pretrain("encoder", "odd", odd), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "hidden_size is 5, expected an even number"));
    assert_int_equal(symlink(in_root("encoder"), in_root("latin1-\xff")), 0);
    assert_int_equal(pretrain("latin1-\xff", "latin1", uni), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "the path is not valid UTF-8"));
    /* a training makes one, too, and trains adapters and the head */
    const char *const own[] = {"model_name",         in_root("encoder"), "train_annotations",
                               in_root("train.txt"), "output_dir",       in_root("made"),
                               "labels_encoder",     in_root("encoder"), NULL};
    nerfit_config *config = config_of(settings, own);
    set_all(config, as_lora);
    assert_ok(run_config(nerfit_train, config, NULL, &error), &error);
    assert_true(nf_gliner_config_exists(in_root("made/best")));
}

/* Goes on from a checkpoint only with the labels' encoder that the run began with. */
static void test_other_labels_encoder(void **state) {
    (void)state;
    make_tiny_model(in_root("encoder"), false);
    make_tiny_model(in_root("labels"), false);
    for (int again = 0; again < 2; again++) {
        const char *const own[] = {"recipe",
                                   "gliner",
                                   "model_name",
                                   in_root("encoder"),
                                   "labels_encoder",
                                   in_root("labels"),
                                   "train_annotations",
                                   in_root("train.txt"),
                                   "output_dir",
                                   in_root(again ? "later" : "sooner"),
                                   "save_strategy",
                                   "steps",
                                   "save_steps",
                                   "3",
                                   "save_total_limit",
                                   "0",
                                   "load_best_model_at_end",
                                   "false",
                                   again ? "resume_from_checkpoint" : NULL,
                                   in_root("sooner/stage2/checkpoint-3"),
                                   NULL};
        nerfit_status status = run_config(nerfit_train, config_of(settings, own), NULL, &error);
        assert_int_equal(status, again ? NERFIT_ARGUMENT : NERFIT_OK);
        FILE *file = fopen(in_root("labels/model.safetensors"), "r+b"); /* the last value's sign */
        assert_non_null(file);
        assert_int_equal(fseek(file, -1, SEEK_END), 0);
        int byte = fgetc(file);
        assert_int_equal(fseek(file, -1, SEEK_END), 0);
        fputc(byte ^ 0x80, file);
        assert_int_equal(fclose(file), 0);
    }
    assert_non_null(strstr(error.text, "made with other labels_encoder"));
}

/* What a head of words that begins with a description head gives: its score against O's. */
static void check_described(nf_backend *be) {
    enum { LABELS = 2 };
    static const char *const names[LABELS] = {"ship", "metal"};
    static const char text[] = "Emil lived in the city";
    nf_model *made, *text_model, *labels;
    nf_safetensors *file;
    nf_arena arena = {0};
    nf_gliner_words words = {0};
    nf_gliner_prompt prompt;
    nf_gliner_text sequence;
    nf_gliner_logits logits;
    nf_tokenizer_scratch *scratch = nf_tokenizer_scratch_new();
    nf_pass pass = {.be = be};
    float vectors[LABELS * 64], p[64 * 64], shared[3 * 64], bias[3], hidden[64 * 64];
    assert_ok(nf_model_load(&made, in_root("described/start"), be, NULL, &error), &error);
    assert_ok(nf_model_load(&text_model, in_root("head/best"), be, NULL, &error), &error);
    assert_ok(nf_model_load(&labels, in_root("encoder"), be, NULL, &error), &error);
    assert_ok(nf_description_file_open(&file, in_root("head/best"), &error), &error);
    assert_ok(nf_stored_to_f32(nf_safetensors_find(file, "projection"), p, &error), &error);
    assert_ok(nf_stored_to_f32(nf_safetensors_find(file, "shared"), shared, &error), &error);
    assert_ok(nf_stored_to_f32(nf_safetensors_find(file, "shared_bias"), bias, &error), &error);
    assert_ok(nf_model_prepare_use(made, &error), &error);
    assert_ok(nf_model_prepare_use(text_model, &error), &error);
    assert_ok(nf_workspace_new(&pass.ws, be, &error), &error);
    size_t c = made->gliner->config.size;
    assert_int_equal(made->gliner->config.span_mode, NF_SPAN_TOKEN_LEVEL);
    assert_ok(nf_gliner_encode_labels(made, &pass, names, LABELS, vectors, &error), &error);
    assert_ok(
        nf_gliner_words_encode(&words, made->tokenizer, scratch, text, strlen(text), false, &error),
        &error);
    assert_ok(nf_gliner_prompt_make(&prompt, made, names, LABELS, &error), &error);
    assert_ok(
        nf_gliner_sequence(&sequence, &prompt, &words, 0, words.words.count, 100, &arena, &error),
        &error);
    sequence.label_vectors = vectors;
    nf_workspace_reset(pass.ws);
    assert_ok(nf_gliner_forward(made, &pass, &sequence, 1, 0.5, &arena, &logits, &error), &error);
    nf_workspace_reset(pass.ws);
    const nf_tokens tokens = {.ids = sequence.ids, .length = sequence.length};
    assert_ok(nf_batch_load(&pass, &text_model->encoder, &tokens, 1, &error), &error);
    nf_values *x = nf_workspace_reals(pass.ws, sequence.length * c);
    assert_int_equal(nf_encoder_forward(&text_model->encoder, &pass, x, NULL, NULL), NERFIT_OK);
    be->to_f32(be, hidden, x, sequence.length * c);
    /* the labels of these sets, by which the vectors' length was judged */
    static const char *const known[] = {"metal", "ship", "port of call"};
    double norm;
    assert_ok(nf_gliner_label_norm(labels, known, NF_COUNT(known), &norm, &error), &error);
    for (size_t w = 0; w < sequence.n_words; w++)
        for (size_t l = 0; l < LABELS; l++) {
            const float *h = hidden + (size_t)sequence.word_starts[w] * c, *e = vectors + l * c;
            double begin = bias[1] - bias[0], inside = bias[2] - bias[0];
            for (size_t k = 0; k < c; k++) {
                double v = 0.0;
                for (size_t s = 0; s < c; s++) v += p[s * c + k] * e[s] / norm;
                begin += (v + shared[c + k] - shared[k]) * h[k];
                inside += (v + shared[2 * c + k] - shared[k]) * h[k];
            }
            const float *got = logits.values + (w * LABELS + l) * 3;
            const double want[3] = {begin, fmax(begin, inside), fmax(begin, inside)};
            for (int k = 0; k < 3; k++)
                if (fabs(got[k] - want[k]) > 1e-4 * (1 + fabs(want[k])))
                    fail_msg("word %zu, label %zu: logit %d is %g, the description head has %g", w,
                             l, k, (double)got[k], want[k]);
        }
    nf_workspace_free(pass.ws);
    nf_gliner_prompt_free(&prompt);
    nf_gliner_words_free(&words);
    nf_tokenizer_scratch_free(scratch);
    nf_safetensors_close(file);
    nf_arena_free(&arena);
    nf_model_free(made);
    nf_model_free(text_model);
    nf_model_free(labels);
}

static void test_made_with_a_description_head(void **state) {
    (void)state;
    static const char *const described[] = {
        "recipe", "gliner", "labels_encoder", NULL, "freeze_components", "labels_encoder", NULL};
    const char *own[NF_COUNT(described)];
    nf_backend *be;
    memcpy(own, described, sizeof own);
    own[3] = in_root("encoder");
    make_tiny_model(in_root("encoder"), false);
    write_others();
    assert_ok(pretrain("encoder", "head", NULL), &error);
    assert_ok(pretrain("head/best", "described", own), &error);
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    check_described(be);
    be->free(be);
}

/* ---------------------------------------------------------------- characters as words */

static void test_characters(void **state) {
    (void)state;
    static const char *const characters[] = {"characters", "true", NULL};
    write_text(in_root("train.txt"), "王[person : 小]明 met [person : Emil] in [city : 王]小\n");
    assert_ok(train("deberta", "runs", NULL), &error);
    assert_non_null(strstr(told.data, "has an edge inside a word"));
    assert_ok(train("deberta", "characters", characters), &error);
    assert_null(strstr(told.data, "has an edge inside a word"));
    write_text(in_root("train.txt"), TEXTS);
    for (int i = 0; i < 2; i++) { /* what is trained further stays so, without being told again */
        nf_model *model;
        nf_backend *be;
        assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
        assert_ok(
            nf_model_load(&model, in_root(i ? "characters/best" : "runs/best"), be, NULL, &error),
            &error);
        assert_int_equal(model->gliner->characters, i);
        nf_model_free(model);
        be->free(be);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *key, *value, *expected;
    } cases[] = {
        {"markerv0", "recipe", "nerfit", "is a GLiNER model, which the recipe gliner trains"},
        {"relations", "max_steps", "1", "\"relations_layer\": models of relations are not trained"},
        {"precomputed", "max_steps", "1", "a model whose labels are in its weights is not trained"},
        {"markerv0", "ent2emb", "tests/golden/gliner/markerv0/model.safetensors",
         "the recipe gliner reads labels as texts"},
        {"markerv0", "masking", "words", "none|global|label|span"},
    };
    for (size_t i = 0; i < NF_COUNT(cases); i++) {
        const char *const extra[] = {cases[i].key, cases[i].value, NULL};
        if (i + 1 == NF_COUNT(cases)) { /* an option's own error */
            nerfit_config *config;
            assert_ok(nerfit_config_new(&config, &error), &error);
            assert_int_equal(nerfit_config_set(config, extra[0], extra[1], &error),
                             NERFIT_ARGUMENT);
            nerfit_config_free(config);
            continue;
        }
        assert_int_not_equal(train(cases[i].name, "refused", extra), NERFIT_OK);
        if (!strstr(error.text, cases[i].expected))
            fail_msg("%s, %s: %s", cases[i].name, cases[i].key, error.text);
    }
}

static int set_up(void **state) {
    (void)state;
    temporary_folder(root);
    write_text(in_root("train.txt"), TEXTS);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds),
                                       cmocka_unit_test(test_resume),
                                       cmocka_unit_test(test_rehearsal),
                                       cmocka_unit_test(test_rehearsal_resumed),
                                       cmocka_unit_test(test_rehearsal_wrong),
                                       cmocka_unit_test(test_pretraining),
                                       cmocka_unit_test(test_made_of_an_encoder),
                                       cmocka_unit_test(test_other_labels_encoder),
                                       cmocka_unit_test(test_made_with_a_description_head),
                                       cmocka_unit_test(test_characters),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, set_up, remove_root);
}
