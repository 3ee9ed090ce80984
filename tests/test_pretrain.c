/* Pre-training on other label sets, and what begins with it: further training, zero-shot
 * tagging. */
#include "tiny_run.h"

#include <math.h>

#include "api_train.h"
#include "model/builtin.h"
#include "tensor/safetensors.h"

static nerfit_error error;

static int make_root(void **state) {
    (void)state;
    temporary_folder(root);
    make_tiny_model(in_root("encoder"), false);
    write_text(
        in_root("a.txt"),
        "wake me up at [time : nine]\ncall me at [time : ten] please\nplease wake me up\n"
        "wake me at [time : ten]\nplay [song : jazz] now\nplay [song : jazz] at [time : nine]\n");
    write_text(in_root("a.yaml"), "time: a time of day\nsong: a song or kind of music\n");
    write_text(in_root("b.txt"), "[person : bob] is in [home_town : rome]\ncall [person : bob]\n"
                                 "[person : bob] is here\n");
    write_text(in_root("b.json"), "{\"person\": \"a name\"}");
    write_text(in_root("plain.txt"), "no entity here\n");
    return 0;
}

static nerfit_config *configure(const char *output, const char *const *extra) {
    char texts[512], descriptions[512];
    snprintf(texts, sizeof texts, "%s,%s", in_root("a.txt"), in_root("b.txt"));
    snprintf(descriptions, sizeof descriptions, "%s,%s", in_root("a.yaml"), in_root("b.json"));
    const char *const settings[] = {"model_name",
                                    in_root("encoder"),
                                    "st_model_name",
                                    in_root("encoder"),
                                    "pretrain_annotations",
                                    texts,
                                    "pretrain_ent2emb",
                                    descriptions,
                                    "output_dir",
                                    in_root(output),
                                    "max_steps",
                                    "12",
                                    "learning_rate",
                                    "5e-3",
                                    "per_device_train_batch_size",
                                    "4",
                                    "logging_steps",
                                    "4",
                                    "precision",
                                    "f32",
                                    "threads",
                                    "1",
                                    NULL};
    return config_of(settings, extra);
}

typedef struct watcher {
    int64_t stop_step;
    double first, last; /* losses */
    char log[4096];
} watcher;

static bool watch(void *user, const nerfit_event *event) {
    watcher *w = user;
    if (event->kind != NERFIT_EVENT_STEP) return true;
    if (event->step == 1) w->first = event->loss;
    w->last = event->loss;
    return event->step != w->stop_step;
}

static void keep_log(void *user, nerfit_log_level level, const char *message) {
    watcher *w = user;
    size_t used = strlen(w->log);
    (void)level;
    snprintf(w->log + used, sizeof w->log - used, "%s\n", message);
}

static nerfit_status run(work *what, const char *output, const char *const *extra, watcher *w) {
    nerfit_config *config = configure(output, extra);
    nerfit_callbacks callbacks = {
        .size = sizeof callbacks, .event = watch, .log = keep_log, .user = w};
    return run_config(what, config, &callbacks, &error);
}

/* Stopped and resumed, it ends with the same bits: draws are functions of the step. */
static void resumes(void **state) {
    (void)state;
    static const char *const again[] = {"resume_from_checkpoint", "true", NULL};
    watcher whole = {0}, stop = {.stop_step = 5}, rest = {0};
    assert_ok(run(nerfit_pretrain, "whole", NULL, &whole), &error);
    assert_true(whole.last < whole.first);
    assert_non_null(strstr(whole.log, "1 of 2 labels have no description"));
    assert_int_equal(run(nerfit_pretrain, "parts", NULL, &stop), NERFIT_CANCELLED);
    assert_ok(run(nerfit_pretrain, "parts", again, &rest), &error);
    assert_same_file(in_root("whole/best/model.safetensors"),
                     in_root("parts/best/model.safetensors"));
    assert_same_file(in_root("whole/best/description_head.safetensors"),
                     in_root("parts/best/description_head.safetensors"));
}

/* More types than a step has columns: it learns, and a resumed run draws the same. */
static void many_types(void **state) {
    (void)state;
    char words[8192] = "", types[8192] = "";
    static const char *const kinds[] = {"time", "song", "name"};
    for (int i = 0; i < 300; i++) {
        size_t n = strlen(words), m = strlen(types);
        snprintf(words + n, sizeof words - n, "wake [%s%d : me] up\n", kinds[i % 3], i);
        snprintf(types + m, sizeof types - m, "%s%d: a %s\n", kinds[i % 3], i, kinds[i % 3]);
    }
    write_text(in_root("many.txt"), words);
    write_text(in_root("many.yaml"), types);
    const char *extra[] = {"pretrain_annotations",
                           in_root("many.txt"),
                           "pretrain_ent2emb",
                           in_root("many.yaml"),
                           NULL,
                           "true",
                           NULL};
    watcher whole = {0}, stop = {.stop_step = 5}, rest = {0};
    assert_ok(run(nerfit_pretrain, "many", extra, &whole), &error);
    assert_true(whole.last < whole.first);
    assert_int_equal(run(nerfit_pretrain, "many-parts", extra, &stop), NERFIT_CANCELLED);
    extra[4] = "resume_from_checkpoint";
    assert_ok(run(nerfit_pretrain, "many-parts", extra, &rest), &error);
    assert_same_file(in_root("many/best/description_head.safetensors"),
                     in_root("many-parts/best/description_head.safetensors"));
}

/* A finished one does nothing more, without checkpoints too; other settings and texts are another
 * one. */
static void finished(void **state) {
    (void)state;
    const char *again[16] = {"save_strategy", "no", "load_best_model_at_end", "false"};
    static const char done[] = "is finished; there is nothing left to do";
    watcher first = {0}, none = {0}, other = {0};
    assert_ok(run(nerfit_pretrain, "finished", again, &first), &error);
    copy_file(in_root("finished/best/model.safetensors"), in_root("first.safetensors"));
    again[4] = "resume_from_checkpoint", again[5] = "true";
    again[6] = "calibration", again[7] = "none"; /* pre-training has none */
    assert_ok(run(nerfit_pretrain, "finished", again, &none), &error);
    assert_true(none.first == 0 && strstr(none.log, done));
    assert_same_file(in_root("finished/best/model.safetensors"), in_root("first.safetensors"));
    again[8] = "seed", again[9] = "7";
    assert_int_equal(run(nerfit_pretrain, "finished", again, &other), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "holds a finished run with other seed"));
    again[8] = NULL;
    write_text(in_root("b.json"), "{\"person\": \"somebody's name\"}");
    assert_int_equal(run(nerfit_pretrain, "finished", again, &other), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "other texts, descriptions or models"));
    assert_int_equal(other.first, 0);
    write_text(in_root("b.json"), "{\"person\": \"a name\"}");
}

static void tag_by(const char *folder, const char *labels, const char *label_text, char *out,
                   size_t size) {
    nerfit_model_options options = {.size = sizeof options,
                                    .precision = "f32",
                                    .threads = 1,
                                    .labels = labels,
                                    .label_text = label_text};
    nerfit_model *model;
    nerfit_session *session;
    const nerfit_prediction *predictions;
    const char *text = "wake bob at nine in rome";
    assert_ok(nerfit_model_load(&model, folder, &options, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_predict(session, &text, NULL, 1, &predictions, &error), &error);
    size_t used = (size_t)snprintf(out, size, "%zu labels", nerfit_model_label_count(model));
    for (size_t i = 0; i < predictions->n_tokens; i++)
        used += (size_t)snprintf(out + used, size - used, " %s %.6f", predictions->tokens[i].label,
                                 predictions->tokens[i].score);
    nerfit_session_free(session);
    nerfit_model_free(model);
}

static void tag(const char *folder, const char *labels, char *out, size_t size) {
    tag_by(folder, labels, NULL, out, size);
}

/* Labels that nobody trained: an adapter, and the encoder that it makes, tag alike. */
static void zero_shot(void **state) {
    (void)state;
    static const char *const lora[] = {"peft_lora", "true", "lora_r", "4", NULL};
    char texts[3][1024];
    watcher w = {0};
    assert_ok(run(nerfit_pretrain, "adapter", lora, &w), &error);
    write_text(in_root("new.json"), "{\"place\": \"a city\", \"hour\": \"a time of day\"}");
    tag_by(in_root("adapter/best"), in_root("new.json"), "description", texts[0], sizeof texts[0]);
    assert_non_null(strstr(texts[0], "5 labels"));
    tag(in_root("adapter/best"), "a city, a time of day", texts[1], sizeof texts[1]);
    /* the same descriptions under other names give the same scores */
    assert_int_equal(strlen(texts[0]) > 0, strlen(texts[1]) > 0);
    double a, b;
    assert_int_equal(sscanf(strchr(texts[0], '.') - 1, "%lf", &a), 1);
    assert_int_equal(sscanf(strchr(texts[1], '.') - 1, "%lf", &b), 1);
    assert_true(fabs(a - b) < 1e-6);

    tag_by(in_root("adapter/best"), in_root("new.json"), "name", texts[0], sizeof texts[0]);
    tag(in_root("adapter/best"), "place, hour", texts[1], sizeof texts[1]);
    assert_string_equal(texts[0], texts[1]);

    nerfit_model_options options = {
        .size = sizeof options, .labels = "place", .label_text = "title"};
    nerfit_model *model;
    assert_int_equal(nerfit_model_load(&model, in_root("adapter/best"), &options, &error),
                     NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "label_text \"title\" is not one of"));
    options.label_text = NULL;
    assert_int_equal(nerfit_model_load(&model, in_root("encoder"), &options, &error),
                     NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "not trained on"));
    options.labels = in_root("nowhere.json");
    assert_int_equal(nerfit_model_load(&model, in_root("adapter/best"), &options, &error),
                     NERFIT_IO);
    assert_non_null(strstr(error.text, "nowhere.json"));
}

static void embed(nf_embeddings *out, nf_label_text rule) {
    nf_backend *be;
    assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 1, &error), &error);
    const nf_embedder by = {.sentence_encoder = in_root("encoder"), .be = be, .rule = rule};
    nf_descriptions words = {0};
    assert_ok(nf_descriptions_read(&words, in_root("words.yaml"), &error), &error);
    assert_ok(nf_embeddings_describe(out, &words, "words.yaml", &by, &error), &error);
    nf_descriptions_free(&words);
    be->free(be);
}

/* A label's vector is the mean of its names' and its descriptions' means, which count three times, of
 * unit length. */
static void label_texts(void **state) {
    (void)state;
    enum { NAME, SYNONYM, DESCRIPTION, FURTHER, OF_ALL, N };
    static const char *const texts[] = {"x_y: wake bob\n", "x_y: at nine\n", "x_y: play jazz\n",
                                        "x_y: call me now\n"};
    float v[N][64];
    nf_embeddings e[N] = {{{0}}};
    for (int i = NAME; i < OF_ALL; i++) {
        write_text(in_root("words.yaml"), texts[i]);
        embed(&e[i], NF_LABEL_TEXT_DESCRIPTION);
        memcpy(v[i], e[i].vectors, e[i].size * sizeof **v);
    }
    write_text(in_root("words.yaml"), "wake-bob: play jazz\n");
    write_text(in_root("words.synonyms.yaml"),
               "wake-bob:\n  synonyms: [at nine]\n  descriptions: [call me now]\n");
    embed(&e[OF_ALL], NF_LABEL_TEXT_MEAN);
    double squares = 0, dot = 0, all = 0;
    for (size_t i = 0; i < e[OF_ALL].size; i++) {
        double mean = (double)v[NAME][i] + (double)v[SYNONYM][i] +
                      3.0 * ((double)v[DESCRIPTION][i] + (double)v[FURTHER][i]);
        squares += mean * mean;
        dot += mean * (double)e[OF_ALL].vectors[i];
        all += (double)e[OF_ALL].vectors[i] * (double)e[OF_ALL].vectors[i];
    }
    assert_true(fabs(all - 1.0) < 1e-5 && fabs(dot / sqrt(squares) - 1.0) < 1e-5);
    for (int i = 0; i < N; i++) nf_embeddings_free(&e[i]);
    remove(in_root("words.synonyms.yaml"));
}

/* The same sets, named as files, as a folder and in a manifest: the same bits. */
static void folder_and_manifest(void **state) {
    (void)state;
    assert_ok(nf_directory_make(in_root("sets"), &error), &error);
    copy_file(in_root("a.txt"), in_root("sets/a.txt"));
    copy_file(in_root("a.yaml"), in_root("sets/a.yaml"));
    copy_file(in_root("b.txt"), in_root("sets/b.txt"));
    copy_file(in_root("b.json"), in_root("sets/b.json"));
    assert_ok(nf_directory_make(in_root("lists"), &error), &error);
    write_text(in_root("lists/all.yaml"), "../a.txt: ../a.yaml\n../b.txt: ../b.json\n");
    write_text(in_root("lists/one.yaml"), "- [../b.txt, ../b.json]\n");
    char mixed[512];
    snprintf(mixed, sizeof mixed, "%s,%s", in_root("a.txt"), in_root("lists/one.yaml"));
    const char *const ways[][2] = {
        {in_root("sets"), ""}, {in_root("lists/all.yaml"), ""}, {mixed, in_root("a.yaml")}};
    watcher w = {0};
    assert_ok(run(nerfit_pretrain, "files", NULL, &w), &error);
    for (size_t i = 0; i < 3; i++) {
        const char *const extra[] = {"pretrain_annotations",
                                     ways[i][0],
                                     "pretrain_ent2emb",
                                     ways[i][1],
                                     "overwrite_output_dir",
                                     "true",
                                     NULL};
        assert_ok(run(nerfit_pretrain, "sets-run", extra, &w), &error);
        assert_same_file(in_root("files/best/model.safetensors"),
                         in_root("sets-run/best/model.safetensors"));
    }
}

static float *read_projection(const char *path) {
    nf_safetensors *file;
    assert_ok(nf_safetensors_open(&file, path, &error), &error);
    const nf_stored *stored = nf_safetensors_find(file, "projection");
    assert_non_null(stored);
    float *values = malloc(stored->count * sizeof *values);
    assert_ok(nf_stored_to_f32(stored, values, &error), &error);
    nf_safetensors_close(file);
    return values;
}

/* Zero-shot takes log(T / 16) from O's bias: adds it to that of a pre-trained folder, or takes it back. */
static void shift_outside(const char *folder, double by) {
    char path[256];
    snprintf(path, sizeof path, "%s/description_head.safetensors", folder);
    nf_safetensors *read;
    assert_ok(nf_safetensors_open(&read, path, &error), &error);
    const nf_stored *stored = nf_safetensors_find(read, "shared_bias");
    float bias[3];
    assert_int_equal(stored->count, 3);
    assert_ok(nf_stored_to_f32(stored, bias, &error), &error);
    nf_safetensors_close(read);
    nf_file file;
    assert_ok(nf_file_open(&file, path, &error), &error);
    char *bytes = malloc(file.size), *at = NULL;
    memcpy(bytes, file.data, file.size);
    size_t size = file.size;
    nf_file_close(&file);
    for (size_t i = 0; i + sizeof bias <= size; i++)
        if (memcmp(bytes + i, bias, sizeof bias) == 0) at = bytes + i;
    assert_non_null(at);
    bias[0] = (float)((double)bias[0] + by);
    memcpy(at, bias, sizeof bias);
    assert_ok(nf_file_write(path, bytes, size, &error), &error);
    free(bytes);
}

/* What `tag` wrote, but for the last digit of probabilities. */
static void assert_same_tags(char *a, char *b) {
    char *rest_a, *rest_b;
    const char *x = strtok_r(a, " ", &rest_a), *y = strtok_r(b, " ", &rest_b);
    for (; x && y; x = strtok_r(NULL, " ", &rest_a), y = strtok_r(NULL, " ", &rest_b)) {
        if (strchr(x, '.') && strchr(y, '.') && fabs(atof(x) - atof(y)) < 3e-6) continue;
        assert_string_equal(x, y);
    }
    assert_true(!x && !y);
}

/* Training begins with the pre-trained encoder and head: with no step to train, the model is
 * zero-shot's, but for what that does to O. */
static void begins_with_it(void **state) {
    (void)state;
    static const char *const lora[] = {"peft_lora", "true", "lora_r", "4", NULL};
    watcher w = {0};
    char zero[1024], trained[1024];
    const double share = log(2 / 16.0);
    nf_directory_remove(in_root("adapter"), NULL);
    assert_ok(run(nerfit_pretrain, "adapter", lora, &w), &error);
    assert_ok(run(nerfit_pretrain, "full", NULL, &w), &error);
    const char *const ways[][2] = {{"pretrained", in_root("adapter/best")},
                                   {"model_name", in_root("full/best")}};
    for (size_t i = 0; i < 2; i++) {
        const char *const extra[] = {"recipe",
                                     "nerfit",
                                     "train_annotations",
                                     in_root("a.txt"),
                                     "ent2emb",
                                     in_root("a.yaml"),
                                     "max_steps",
                                     "0,0",
                                     "overwrite_output_dir",
                                     "true",
                                     ways[i][0],
                                     ways[i][1],
                                     NULL};
        watcher log = {0};
        assert_ok(run(nerfit_train, "run", extra, &log), &error);
        assert_non_null(strstr(log.log, "begins with what pre-training left in"));
        tag(in_root("run/best"), NULL, trained, sizeof trained);
        shift_outside(ways[i][1], share);
        tag(ways[i][1], in_root("a.yaml"), zero, sizeof zero);
        shift_outside(ways[i][1], -share);
        assert_same_tags(trained, zero);
    }
    float *a = read_projection(in_root("adapter/best/description_head.safetensors"));
    float *b = read_projection(in_root("full/best/description_head.safetensors"));
    assert_true(a[0] != b[0]); /* or the test above says nothing */
    free(a);
    free(b);
}

/* An adapter that is trained on top names a base model that has the pre-training in it. */
static void adapter_on_top(void **state) {
    (void)state;
    char merged[1024], adapter[1024];
    const char *const extra[] = {"train_annotations",
                                 in_root("a.txt"),
                                 "ent2emb",
                                 in_root("a.yaml"),
                                 "max_steps",
                                 "0,3",
                                 "peft_lora",
                                 "true",
                                 "overwrite_output_dir",
                                 "true",
                                 "pretrained",
                                 in_root("adapter/best"),
                                 NULL};
    watcher w = {0};
    assert_ok(run(nerfit_train, "run", extra, &w), &error);
    tag(in_root("run/best"), NULL, merged, sizeof merged);
    tag(in_root("run/adapter"), NULL, adapter, sizeof adapter);
    assert_string_equal(merged, adapter);

    /* a run without an adapter takes both away */
    const char *const whole[] = {"train_annotations",    in_root("a.txt"), "ent2emb",
                                 in_root("a.yaml"),      "max_steps",      "0,3",
                                 "overwrite_output_dir", "true",           NULL};
    assert_true(nf_directory_exists(in_root("run/base")));
    assert_ok(run(nerfit_train, "run", whole, &w), &error);
    assert_false(nf_directory_exists(in_root("run/base")));
    assert_false(nf_directory_exists(in_root("run/adapter")));
    /* a base/ that no adapter of the folder names is not nerfit's */
    assert_ok(nf_directory_make(in_root("run/base"), &error), &error);
    assert_ok(run(nerfit_train, "run", whole, &w), &error);
    assert_true(nf_directory_exists(in_root("run/base")));
    nf_directory_remove(in_root("run/base"), NULL);
}

/* Embeddings that come with the name of their encoder, as a cross-validation's trainings get them:
 * the pre-trained projection is taken for vectors of its own encoder alone. */
static void embeddings_of_another(void **state) {
    (void)state;
    enum { SIZE = 32 };
    static const char *const types[] = {"time", "song"};
    const char *const encoders[] = {in_root("encoder"), in_root("other")};
    float vectors[2 * SIZE];
    nf_embeddings embeddings = {0};
    for (size_t i = 0; i < 2 * SIZE; i++) vectors[i] = (float)(i % 5) - 2.0f;
    make_tiny_model(encoders[1], false);
    write_text(in_root("other/config.json"), "{}"); /* it is only compared */
    assert_ok(nf_embeddings_make(&embeddings, types, 2, SIZE, vectors, "vectors", &error), &error);
    const char *const extra[] = {"train_annotations",
                                 in_root("a.txt"),
                                 "max_steps",
                                 "0,1",
                                 "overwrite_output_dir",
                                 "true",
                                 "pretrained",
                                 in_root("adapter/best"),
                                 NULL};
    for (int i = 0; i < 2; i++) {
        nerfit_config *config = configure("embedded", extra);
        watcher w = {0};
        const nf_log log = {keep_log, &w};
        const nf_train_data data = {.embeddings = &embeddings, .sentence_encoder = encoders[i]};
        nf_train_result result;
        assert_ok(nf_train_run(&config->options, &data, &log, NULL, NULL, &result, &error), &error);
        nf_train_result_free(&result);
        nerfit_config_free(config);
        assert_int_equal(strstr(w.log, "with another sentence encoder") != NULL, i == 1);
    }
    nf_embeddings_free(&embeddings);
}

static bool is_in(const char *folder, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return nf_file_exists(path);
}

/* A run in the folder of an earlier one leaves nothing of it in best/: an adapter's config there
 * would make an adapter of a whole model, an old head would be taken for this model's. */
static void nothing_is_left(void **state) {
    (void)state;
    static const char *const lora[] = {"peft_lora", "true", "lora_r", "4", NULL};
    static const char *const again[] = {"overwrite_output_dir", "true", NULL};
    const char *const training[] = {"train_annotations",    in_root("a.txt"), "ent2emb",
                                    in_root("a.yaml"),      "max_steps",      "0,3",
                                    "overwrite_output_dir", "true",           NULL};
    const char *best = in_root("reused/best");
    char text[1024];
    watcher w = {0};
    assert_ok(run(nerfit_pretrain, "reused", lora, &w), &error);
    assert_true(is_in(best, "adapter_config.json"));
    assert_ok(run(nerfit_pretrain, "reused", again, &w), &error);
    assert_false(is_in(best, "adapter_config.json"));
    assert_true(is_in(best, "model.safetensors"));
    write_text(in_root("reused/best/int8.json"), "{}");
    assert_ok(run(nerfit_train, "reused", training, &w), &error);
    assert_false(is_in(best, "description_head.safetensors"));
    assert_false(is_in(best, "int8.json"));
    assert_true(is_in(in_root("reused"), "report.html"));
    assert_ok(run(nerfit_pretrain, "reused", again, &w), &error);
    assert_false(is_in(in_root("reused"), "report.html"));
    assert_false(is_in(in_root("reused"), "report.json"));
    assert_ok(run(nerfit_train, "reused", training, &w), &error);
    tag(best, NULL, text, sizeof text);
}

/* Further pre-training in full of what an adapter began gives a whole encoder. */
static void adapter_below(void **state) {
    (void)state;
    const char *const extra[] = {"model_name", in_root("adapter/best"), NULL};
    char text[1024];
    watcher w = {0};
    assert_ok(run(nerfit_pretrain, "further", extra, &w), &error);
    assert_false(is_in(in_root("further/best"), "adapter_config.json"));
    assert_true(is_in(in_root("further/best"), "model.safetensors"));
    tag(in_root("further/best"), in_root("a.yaml"), text, sizeof text);
}

static void messages(void **state) {
    (void)state;
    const struct {
        const char *const extra[8];
        const char *expected;
    } cases[] = {
        {{"pretrain_ent2emb", in_root("a.yaml"), NULL}, "names 2 files, pretrain_ent2emb 1"},
        {{"pretrain_annotations", in_root("plain.txt"), "pretrain_ent2emb", in_root("a.yaml"),
          NULL},
         "has no text with an entity"},
        {{"pretrain_annotations", in_root("a.yaml"), "pretrain_ent2emb", "", NULL}, "a.yaml:1:1: "},
        {{"pretrain_annotations", in_root("lists/one.yaml"), "pretrain_ent2emb", in_root("a.yaml"),
          NULL},
         "names 0 files (beside folders and manifests, which have descriptions), pretrain_ent2emb "
         "1"},
        {{"train_annotations", in_root("a.txt"), "ent2emb", in_root("a.yaml"), "pretrained",
          in_root("nowhere"), NULL},
         "is not a folder"},
        {{"train_annotations", in_root("a.txt"), "ent2emb", in_root("a.yaml"), "pretrained",
          in_root("encoder"), NULL},
         "has no description_head.safetensors"},
        {{"train_annotations", in_root("a.txt"), "ent2emb", in_root("a.yaml"), "pretrained",
          in_root("full/best"), NULL},
         "give it as model_name"},
        {{"train_annotations", in_root("a.txt"), "ent2emb", in_root("a.yaml"),
          "resume_from_checkpoint", "nonsense", NULL},
         "nonsense: is not a folder"},
        {{"train_annotations", in_root("a.txt"), "model_name", in_root("full/best"), "output_dir",
          in_root("full"), NULL},
         "choose another output_dir"},
        {{"train_annotations", in_root("a.txt"), "ent2emb", in_root("a.yaml"),
          "resume_from_checkpoint", in_root("encoder"), NULL},
         "is not a checkpoint's folder"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        watcher w = {0};
        work *what =
            strncmp(cases[i].extra[0], "pretrain_", 9) == 0 ? nerfit_pretrain : nerfit_train;
        assert_int_not_equal(run(what, "bad", cases[i].extra, &w), NERFIT_OK);
        if (!strstr(error.text, cases[i].expected))
            fail_msg("case %zu: \"%s\", expected \"%s\"", i, error.text, cases[i].expected);
    }
}

static void builtin(void **state) {
    (void)state;
    assert_null(nf_builtin_find(in_root("encoder")));
    assert_null(nf_builtin_find(in_root("nowhere")));
}

/* The checksum of an encoder of two tensors, of which the value at `changed` is another one. */
static uint64_t checksum_with(int changed) {
    enum { SMALL = 3, LARGE = 3000 };
    static float values[SMALL + LARGE];
    for (int i = 0; i < SMALL + LARGE; i++) values[i] = (float)i + (i == changed ? 0.5f : 0.0f);
    const nf_to_store tensors[] = {
        {.name = "a", .type = NF_STORED_F32, .n_dims = 1, .dims = {SMALL}, .data = values},
        {.name = "b", .type = NF_STORED_F32, .n_dims = 1, .dims = {LARGE}, .data = values + SMALL}};
    nf_safetensors *file;
    assert_int_equal(nf_safetensors_save(in_root("some.safetensors"), tensors, 2, NULL, &error),
                     NERFIT_OK);
    assert_int_equal(nf_safetensors_open(&file, in_root("some.safetensors"), &error), NERFIT_OK);
    uint64_t checksum = nf_builtin_checksum(file);
    nf_safetensors_close(file);
    return checksum;
}

static void every_tensor_tells_encoders_apart(void **state) {
    (void)state;
    uint64_t checksum = checksum_with(-1);
    assert_true(checksum == UINT64_C(0xbf54201b713766a4) /* by general_adapter.py's checksum */);
    static const int changed[] = {0, 2, 3, 3 + 1023, 3 + 3000 - 1024, 3 + 2999};
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
        assert_true(checksum_with(changed[i]) != checksum);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumes),         cmocka_unit_test(many_types),
        cmocka_unit_test(finished),        cmocka_unit_test(folder_and_manifest),
        cmocka_unit_test(zero_shot),       cmocka_unit_test(label_texts),
        cmocka_unit_test(begins_with_it),  cmocka_unit_test(adapter_on_top),
        cmocka_unit_test(adapter_below),   cmocka_unit_test(embeddings_of_another),
        cmocka_unit_test(nothing_is_left), cmocka_unit_test(messages),
        cmocka_unit_test(builtin),         cmocka_unit_test(every_tensor_tells_encoders_apart),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
