/* Whole training runs on a tiny model: both stages, resuming bit by bit, adapters, and what the
 * user is told of bad input. */
#include "tiny_run.h"

#include <signal.h>
#include <sys/wait.h>

#include "model/adapter.h"
#include "train/checkpoint.h"

static nerfit_error error;

static const char TRAIN[] = "wake me up at [time : nine]\nplay [song : jazz] in [place : madrid]\n"
                            "call [person : bob] at [time : ten] please\nplease wake me up\n"
                            "[person : bob] is in [place : rome]\nplay [song : jazz] now\n"
                            "call me at [time : nine]\nwake [person : bob] in [place : rome]\n";
static const char DESCRIPTIONS[] = "time: a time of day\nsong: a song or kind of music\n"
                                   "place: a city\nperson: a name\n";

static int make_root(void **state) {
    (void)state;
    make_tiny_root(TRAIN, DESCRIPTIONS);
    return 0;
}

/* A config of the tiny run; `extra` are NULL-terminated name, value pairs. */
static nerfit_config *configure(const char *output, const char *const *extra) {
    const char *const settings[] = {
        "recipe",     "original", "max_steps",  "6,8", "warmup_steps",     "2",
        "eval_steps", "4",        "save_steps", "4",   "save_total_limit", "0",
        NULL};
    return tiny_config(output, settings, extra);
}

typedef struct watcher {
    int stop_stage;
    int64_t stop_step; /* the event callback asks to stop there; 0: never */
    int64_t kill_step; /* the process kills itself there */
    int evaluations, saves;
    int steps[2]; /* of each stage */
} watcher;

static bool watch(void *user, const nerfit_event *event) {
    watcher *w = user;
    w->evaluations += event->kind == NERFIT_EVENT_EVALUATE;
    w->saves += event->kind == NERFIT_EVENT_SAVE;
    w->steps[event->stage - 1] += event->kind == NERFIT_EVENT_STEP;
    if (event->kind == NERFIT_EVENT_STEP && w->kill_step && event->stage == w->stop_stage &&
        event->step == w->kill_step)
        raise(SIGKILL);
    return !(event->kind == NERFIT_EVENT_STEP && event->stage == w->stop_stage &&
             event->step == w->stop_step);
}

static nerfit_status train(const char *output, const char *const *extra, watcher *w) {
    nerfit_config *config = configure(output, extra);
    nerfit_callbacks callbacks = {.size = sizeof callbacks, .event = watch, .user = w};
    return run_config(nerfit_train, config, &callbacks, &error);
}

static const char *const full[] = {NULL};
static const char *const dora[] = {"peft_lora", "true",         "lora_r", "4", "use_dora",
                                   "true",      "lora_dropout", "0.1",    NULL};

static const char *const nerfit[] = {"recipe", "nerfit", NULL};
static const char *const nerfit_dora[] = {"recipe", "nerfit",       "peft_lora", "true", "use_dora",
                                          "true",   "lora_dropout", "0.1",       NULL};

/* Stopped at every kind of place and resumed, a run ends with the same bits. */
static void test_resume(void **state) {
    (void)state;
    const char *const *const kinds[] = {full, dora, nerfit, nerfit_dora};
    const watcher stops[] = {{.stop_stage = 1, .stop_step = 2},
                             {.stop_stage = 1, .stop_step = 5},
                             {.stop_stage = 2, .stop_step = 3},
                             {.stop_stage = 2, .stop_step = 7}};
    for (size_t k = 0; k < 4; k++) {
        watcher whole = {0};
        const char *again[32] = {"overwrite_output_dir", "true"};
        size_t n = 2;
        for (const char *const *s = kinds[k]; *s; s++) again[n++] = *s;
        assert_ok(train("whole", again, &whole), &error);
        assert_int_equal(whole.evaluations, 3);
        again[0] = "resume_from_checkpoint";
        for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
            watcher stop = stops[i], go_on = {0};
            nf_directory_remove(in_root("parts"), NULL);
            assert_int_equal(train("parts", kinds[k], &stop), NERFIT_CANCELLED);
            assert_ok(train("parts", again, &go_on), &error);
            assert_same_file(in_root("whole/best/model.safetensors"),
                             in_root("parts/best/model.safetensors"));
            assert_same_file(in_root("whole/trainer_state.json"),
                             in_root("parts/trainer_state.json"));
            if (k >= 2)
                assert_same_file(in_root("whole/best/nerfit.json"),
                                 in_root("parts/best/nerfit.json"));
        }
    }
}

/* A checkpoint that is asked for by name is where the run goes on, though later ones are there. */
static void test_resume_named(void **state) {
    (void)state;
    const char *const again[] = {"overwrite_output_dir", "true", NULL};
    static const struct {
        const char *checkpoint;
        int steps[2];
    } cases[] = {{"named/stage1/checkpoint-4", {2, 8}}, {"named/stage2/checkpoint-4", {0, 4}}};
    watcher w = {0};
    assert_ok(train("whole", again, &w), &error);
    assert_ok(train("named", again, &w), &error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const resume[] = {"resume_from_checkpoint", in_root(cases[i].checkpoint), NULL};
        w = (watcher){0};
        assert_ok(train("named", resume, &w), &error);
        if (memcmp(w.steps, cases[i].steps, sizeof w.steps) != 0)
            fail_msg("%s: %d and %d steps", cases[i].checkpoint, w.steps[0], w.steps[1]);
        assert_same_file(in_root("whole/best/model.safetensors"),
                         in_root("named/best/model.safetensors"));
    }
}

typedef struct said {
    char text[4096];
} said;

static void keep_log(void *user, nerfit_log_level level, const char *message) {
    said *s = user;
    (void)level;
    strncat(s->text, message, sizeof s->text - strlen(s->text) - 2);
    strcat(s->text, "\n");
}

/* What a run says, without checkpoints. */
static void train_and_listen(const char *output, const char *const *settings, said *s) {
    nerfit_config *config;
    nerfit_callbacks callbacks = {.size = sizeof callbacks, .log = keep_log, .user = s};
    nerfit_train_result result;
    *s = (said){""};
    assert_ok(nerfit_config_new(&config, &error), &error);
    for (const char *const *at = settings; *at; at += 2)
        assert_ok(nerfit_config_set(config, at[0], at[1], &error), &error);
    assert_ok(nerfit_config_set(config, "output_dir", in_root(output), &error), &error);
    assert_ok(nerfit_config_set(config, "threads", "1", &error), &error);
    assert_ok(nerfit_train(config, &callbacks, &result, &error), &error);
    nerfit_train_result_free(&result);
    nerfit_config_free(config);
}

/* The entities of a text, as "label start-end label start-end"; scores must be probabilities. */
static void find(const char *folder, const char *text, char *out, size_t size) {
    nerfit_model *model;
    nerfit_session *session;
    const nerfit_prediction *p;
    out[0] = '\0';
    assert_ok(nerfit_model_load(&model, in_root(folder), NULL, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_predict(session, &text, NULL, 1, &p, &error), &error);
    for (size_t i = 0; i < p->n_entities; i++) {
        const nerfit_entity *e = &p->entities[i];
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s %u-%u", i ? " " : "", e->label, e->start, e->end);
        assert_true(e->score > 0.0 && e->score <= 1.0);
    }
    nerfit_session_free(session);
    nerfit_model_free(model);
}

/* With nothing but texts, descriptions, an encoder and a folder; with the labels' names as
 * descriptions; with no sentence encoder. All learn their few texts, and say what they do. */
static void test_nerfit_alone(void **state) {
    (void)state;
    char st[160], texts[160], labels[160], bare[160]; /* in_root has few places */
    strcpy(st, in_root("encoder"));
    strcpy(texts, in_root("train.txt"));
    strcpy(labels, in_root("labels.yaml"));
    strcpy(bare, in_root("bare"));
    make_tiny_model(bare, false);
    const struct {
        const char *settings[12], *says;
    } cases[] = {
        {{"model_name", st, "st_model_name", st, "train_annotations", texts, "ent2emb", labels,
          "learning_rate", "2e-3"},
         "stage 2: 200 steps of 8 texts a batch"},
        {{"model_name", st, "st_model_name", st, "train_annotations", texts, "learning_rate",
          "2e-3"},
         "the labels' names serve as descriptions"},
        {{"model_name", bare, "train_annotations", texts, "learning_rate", "2e-3"},
         "types are told apart by the examples alone"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        said s;
        char found[256];
        nf_directory_remove(in_root("alone"), NULL);
        train_and_listen("alone", cases[i].settings, &s);
        if (!strstr(s.text, cases[i].says) || !strstr(s.text, "stage 1: left out") ||
            !strstr(s.text, "no validation texts: the last model is taken"))
            fail_msg("case %zu: \"%s\"", i, s.text);
        find("alone/best", "call bob at ten please", found, sizeof found);
        assert_string_equal(found, "person 5-8 time 12-15");
    }
}

/* What weights do is said. */
static void test_weights_are_said(void **state) {
    (void)state;
    said s;
    char st[160], texts[160];
    strcpy(st, in_root("encoder"));
    strcpy(texts, in_root("weights.jsonl"));
    write_text(
        texts,
        "{\"text\": \"call bob\", \"weight\": 0.5, \"entities\": [{\"start\": 5, \"end\": 8, "
        "\"label\": \"person\", \"weight\": 2}]}\n"
        "{\"text\": \"play jazz\", \"weight\": 1, \"entities\": [{\"start\": 5, \"end\": 9, "
        "\"label\": \"song\"}]}\n");
    const char *const settings[] = {"model_name", st,  "train_annotations", texts, "max_steps",
                                    "0,1",        NULL};
    nf_directory_remove(in_root("weighted"), NULL);
    train_and_listen("weighted", settings, &s);
    if (!strstr(s.text, "weights: 1 texts and 1 entities count other than 1"))
        fail_msg("\"%s\"", s.text);
}

/* What stage 1 ends with is an encoder folder with its head: a run that begins with it and has no
 * stage 1 goes on as the run that made it did. */
static void test_nerfit_stage1(void **state) {
    (void)state;
    const char *again[16] = {
        "overwrite_output_dir",   "true", "recipe", "nerfit", "save_strategy", "no",
        "load_best_model_at_end", "false"};
    char finished[160]; /* in_root has few places */
    watcher w = {0};
    strcpy(finished, in_root("first/stage1/finished"));
    assert_ok(train("first", again, &w), &error);
    again[8] = "model_name", again[9] = finished;
    again[10] = "max_steps", again[11] = "0,8";
    assert_ok(train("second", again, &w), &error);
    assert_same_file(in_root("first/best/model.safetensors"),
                     in_root("second/best/model.safetensors"));
    copy_file("tests/golden/bert/model.safetensors",
              in_root("first/stage1/finished/description_head.safetensors"));
    assert_int_equal(train("second", again, &w), NERFIT_FORMAT);
    assert_non_null(strstr(error.text, "has no tensor \"shared\""));
}

/* nerfit.json as earlier versions wrote it, with "temperature": 1 beside the decoder, is read as
 * ever; another temperature there is refused. */
static void test_old_temperature(void **state) {
    (void)state;
    static const char *const refused[] = {"1.5", "0", "true", "\"1\""};
    watcher w = {0};
    const char *again[16] = {
        "overwrite_output_dir", "true", "recipe", "nerfit", "max_steps", "0,120"};
    const char *path = in_root("plain/best/nerfit.json");
    char as_it_is[256], old[256];
    nerfit_model *model;
    nf_file file;
    assert_ok(train("plain", again, &w), &error);
    find("plain/best", "play jazz in madrid", as_it_is, sizeof as_it_is);
    assert_ok(nf_file_open(&file, path, &error), &error);
    char *own = strndup(file.data, file.size), text[4096];
    nf_file_close(&file);
    assert_null(strstr(own, "temperature"));
    snprintf(text, sizeof text, "{\"temperature\": 1.0,%s", strchr(own, '{') + 1);
    write_text(path, text);
    find("plain/best", "play jazz in madrid", old, sizeof old);
    assert_string_equal(as_it_is, old);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(text, sizeof text, "{\"temperature\": %s,%s", refused[i], strchr(own, '{') + 1);
        write_text(path, text);
        assert_int_equal(nerfit_model_load(&model, in_root("plain/best"), NULL, &error),
                         NERFIT_UNSUPPORTED);
        assert_non_null(strstr(error.text, "nerfit.json: the decoder's \"temperature\" is not 1"));
    }
    free(own);
}

/* Without nerfit.json the folder is any token classifier, and its logits are the same. */
static void test_nerfit_folder(void **state) {
    (void)state;
    watcher w = {0};
    const char *again[16] = {
        "overwrite_output_dir", "true", "recipe", "nerfit", "max_steps", "0,120"};
    char with[256], without[256];
    assert_ok(train("plain", again, &w), &error);
    assert_true(nf_file_exists(in_root("plain/best/nerfit.json")));
    find("plain/best", "play jazz in madrid", with, sizeof with);
    assert_string_equal(with, "song 5-9 place 13-19");
    write_text(in_root("plain/best/nerfit.json"), "{\"format\": 9}");
    nerfit_model *model;
    assert_int_equal(nerfit_model_load(&model, in_root("plain/best"), NULL, &error),
                     NERFIT_UNSUPPORTED);
    assert_non_null(strstr(error.text, "nerfit.json: is of format 9; this version reads format 1"));
    unlink(in_root("plain/best/nerfit.json"));
    find("plain/best", "play jazz in madrid", without, sizeof without);
    assert_string_equal(with, without);

    const struct {
        const char *decoder, *says;
    } refused[] = {{"crf", "has no nerfit.json"}, {"best", "decoder \"best\" is not one of auto"}};
    for (size_t i = 0; i < 2; i++) {
        nerfit_session *session = NULL;
        nerfit_model_options options = {.size = sizeof options, .decoder = refused[i].decoder};
        nerfit_status status = nerfit_model_load(&model, in_root("plain/best"), &options, &error);
        if (status == NERFIT_OK) {
            status = nerfit_session_new(&session, model, &error);
            nerfit_model_free(model);
        }
        assert_int_equal(status, NERFIT_ARGUMENT);
        assert_non_null(strstr(error.text, refused[i].says));
    }
}

/* Killed without warning: the last checkpoint is whole, and the run goes on from it. */
static void test_kill(void **state) {
    (void)state;
    watcher whole = {0}, go_on = {0};
    const char *const again[] = {"overwrite_output_dir", "true", NULL};
    const char *const resume[] = {"resume_from_checkpoint", "true", NULL};
    assert_ok(train("whole", again, &whole), &error);
    nf_directory_remove(in_root("parts"), NULL);
    pid_t child = fork();
    if (child == 0) {
        watcher dies = {.stop_stage = 2, .kill_step = 6};
        train("parts", NULL, &dies);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_ok(train("parts", resume, &go_on), &error);
    assert_same_file(in_root("whole/best/model.safetensors"),
                     in_root("parts/best/model.safetensors"));
}

/* What is written is read back: model and adapter give the same predictions. */
static void test_written_models(void **state) {
    (void)state;
    watcher w = {0};
    const char *again[16] = {"overwrite_output_dir", "true"};
    for (size_t i = 0; i < 9; i++) again[2 + i] = dora[i];
    assert_ok(train("written", again, &w), &error);
    nerfit_model_options options = {.size = sizeof options, .precision = "f32", .threads = 1};
    double scores[2][16];
    size_t counts[2];
    const char *const folders[] = {"written/best", "written/adapter"};
    const char *text = "play jazz in madrid at nine";
    for (size_t i = 0; i < 2; i++) {
        nerfit_model *model;
        nerfit_session *session;
        const nerfit_prediction *p;
        assert_ok(nerfit_model_load(&model, in_root(folders[i]), &options, &error), &error);
        assert_string_equal(nerfit_model_label(model, 1), "B-time");
        assert_ok(nerfit_session_new(&session, model, &error), &error);
        assert_ok(nerfit_predict(session, &text, NULL, 1, &p, &error), &error);
        counts[i] = p->n_tokens;
        for (size_t t = 0; t < p->n_tokens && t < 16; t++) scores[i][t] = p->tokens[t].score;
        nerfit_session_free(session);
        nerfit_model_free(model);
    }
    assert_int_equal(counts[0], counts[1]);
    for (size_t t = 0; t < counts[0]; t++)
        if (scores[0][t] - scores[1][t] > 1e-5 || scores[1][t] - scores[0][t] > 1e-5)
            fail_msg("token %zu: %g and %g", t, scores[0][t], scores[1][t]);
}

/* A run over an earlier one leaves nothing of it beside the new model, and what is not nerfit's. */
static void test_overwrite(void **state) {
    (void)state;
    static const char *const gone[] = {"over/adapter/adapter_config.json",
                                       "over/stage2/checkpoint-8/adapter_config.json"};
    static const char *const stay[] = {"over/notes.txt", "over/mine/notes.txt"};
    const char *again[16] = {"overwrite_output_dir", "true"};
    watcher w = {0};
    for (size_t i = 0; i < 9; i++) again[2 + i] = dora[i];
    /* no run was here: the adapter is not nerfit's */
    assert_ok(nf_directory_make(in_root("over/adapter"), &error), &error);
    write_text(in_root("over/adapter/adapter_config.json"), "{}");
    assert_ok(train("over", full, &w), &error);
    assert_true(nf_file_exists(in_root("over/adapter/adapter_config.json")));

    assert_ok(train("over", again, &w), &error);
    assert_ok(nf_directory_make(in_root("over/mine"), &error), &error);
    for (size_t i = 0; i < 2; i++) {
        assert_true(nf_file_exists(in_root(gone[i])));
        write_text(in_root(stay[i]), "mine");
    }
    again[2] = NULL;
    assert_ok(train("over", again, &w), &error);
    for (size_t i = 0; i < 2; i++) {
        if (nf_file_exists(in_root(gone[i]))) fail_msg("%s is there", gone[i]);
        if (!nf_file_exists(in_root(stay[i]))) fail_msg("%s is lost", stay[i]);
    }
    assert_false(nf_directory_exists(in_root("over/adapter")));

    /* one that is stopped: the earlier model can be used, its report is not taken for the new
     * one's */
    watcher stop = {.stop_stage = 1, .stop_step = 3};
    assert_int_equal(train("over", again, &stop), NERFIT_CANCELLED);
    assert_true(nf_file_exists(in_root("over/best/model.safetensors")));
    assert_false(nf_file_exists(in_root("over/report.html")));
    assert_false(nf_file_exists(in_root("over/trainer_state.json")));
}

/* What a killed process left half written goes when a run begins there, resumed or not; what only
 * looks like it stays. */
static void test_unfinished(void **state) {
    (void)state;
    static const char *const folders[] = {
        ".best.tmp", /* so called by earlier versions */
        "best.nerfit-999999999-01234567",
        "adapter.nerfit-999999999-01234567",
        "stage1/.finished.tmp",
        "stage2/.checkpoint.tmp-999999999",
        "stage2/checkpoint-4.nerfit-999999999-01234567",
    };
    static const char *const files[] = {"training_args.json.nerfit-999999999-01234567",
                                        "report.html.nerfit-999999999-01234567",
                                        "stage1/finished.json.nerfit-999999999-01234567",
                                        "best/nerfit.json.nerfit-999999999-01234567"};
    static const char *const stay[] = {"notes.txt.tmp-999999999", "report.html.tmp"};
    static const char *const resume[] = {"resume_from_checkpoint", "true", NULL};
    static const char *const again[] = {"overwrite_output_dir", "true", NULL};
    char name[128];
    watcher w = {0}, stop = {.stop_stage = 2, .stop_step = 3};
    assert_ok(train("half", full, &w), &error);
    for (int resumed = 0; resumed < 2; resumed++) {
        if (resumed) assert_int_equal(train("half", again, &stop), NERFIT_CANCELLED);
        for (size_t i = 0; i < 6; i++) {
            snprintf(name, sizeof name, "half/%s", folders[i]);
            assert_ok(nf_directory_make(in_root(name), &error), &error);
            snprintf(name, sizeof name, "half/%s/training_args.json", folders[i]);
            write_text(in_root(name), "{}");
        }
        for (size_t i = 0; i < 4; i++) {
            snprintf(name, sizeof name, "half/%s", files[i]);
            write_text(in_root(name), "{");
        }
        for (size_t i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "half/%s", stay[i]);
            write_text(in_root(name), "mine");
        }
        assert_ok(train("half", resumed ? resume : again, &w), &error);
        for (size_t i = 0; i < 6; i++) {
            snprintf(name, sizeof name, "half/%s", folders[i]);
            if (nf_directory_exists(in_root(name))) fail_msg("%s is left", name);
        }
        for (size_t i = 0; i < 4; i++) {
            snprintf(name, sizeof name, "half/%s", files[i]);
            if (nf_file_exists(in_root(name))) fail_msg("%s is left", name);
        }
        for (size_t i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "half/%s", stay[i]);
            if (!nf_file_exists(in_root(name))) fail_msg("%s is lost", name);
        }
    }
}

/* Texts that the encoder cannot take whole (40 positions) are divided, not cut off. */
static void test_long_texts(void **state) {
    (void)state;
    nf_str text = {0};
    for (int i = 0; i < 60; i++) nf_str_append_text(&text, "please wake me up ");
    nf_str_append_text(&text, "at [time : nine] in [place : rome]\n");
    write_text(in_root("long.txt"), nf_str_text(&text));
    nf_str_free(&text);
    const char *const extra[] = {"train_annotations", in_root("long.txt"), "overwrite_output_dir",
                                 "true", NULL};
    watcher w = {0};
    assert_ok(train("long", extra, &w), &error);
    nerfit_model *model;
    nerfit_session *session;
    const nerfit_prediction *p;
    char many[8192] = "";
    for (int i = 0; i < 300; i++) strcat(many, "wake me up ");
    const char *texts[] = {many};
    assert_ok(nerfit_model_load(&model, in_root("long/best"), NULL, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_predict(session, texts, NULL, 1, &p, &error), &error);
    assert_int_equal(p->n_tokens, 900);
    for (size_t t = 0; t < 900; t++) assert_true(p->tokens[t].score > 0.0);
    nerfit_session_free(session);
    nerfit_model_free(model);
}

static void test_messages(void **state) {
    (void)state;
    write_text(in_root("short.yaml"), "time: a time of day\n");
    write_text(in_root("plain.txt"), "no entity here\n");
    write_text(in_root("bad.jsonl"),
               "{\"text\": \"at nine\", \"entities\": [[3, 17, \"time\"]]}\n");
    static const struct {
        const char *settings[8];
        nerfit_status status;
        const char *part;
    } cases[] = {
        {{"ent2emb", "short.yaml"}, NERFIT_ARGUMENT, "has nothing for label \"song\""},
        {{"train_annotations", "plain.txt"}, NERFIT_ARGUMENT, "no training text has an entity"},
        {{"train_annotations", "bad.jsonl"}, NERFIT_FORMAT, "bad.jsonl:1"},
        {{"train_annotations", "nowhere.txt"}, NERFIT_IO, "nowhere.txt"},
        {{"model_name", "nowhere"}, NERFIT_IO, "is not a folder"},
        {{"peft_lora", "=true", "target_modules", "=nothing"},
         NERFIT_ARGUMENT,
         "target_modules: \"nothing\" names no linear layer of this model; there are: query, key, "
         "value, dense"},
        {{"peft_lora", "=true", "target_modules", "=query,valeu"},
         NERFIT_ARGUMENT,
         "target_modules: \"valeu\" names no linear layer of this model"},
        {{"peft_lora", "=true", "modules_to_save", "=LayerNrom"},
         NERFIT_ARGUMENT,
         "modules_to_save: \"LayerNrom\" names no module of this model"},
        {{"peft_lora", "=true", "model_name", "written/adapter", "lora_r", "=32"},
         NERFIT_ARGUMENT,
         "which is gone on with as it is: leave out lora_r, or give a whole model"},
        {{"max_length", "=1000"}, NERFIT_ARGUMENT, "more than the 40 tokens"},
        {{"metric_for_best_model", "=loss,overall_f2"},
         NERFIT_ARGUMENT,
         "has no such metric; it has eval_loss, eval_overall_precision"},
        {{"learning_rate", "=9"}, NERFIT_NUMERIC, "the loss is not finite"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *extra[16] = {"overwrite_output_dir", "true"};
        size_t n = 2;
        for (const char *const *s = cases[i].settings; *s; s += 2) {
            extra[n++] = s[0];
            extra[n++] = s[1][0] == '=' ? s[1] + 1 : in_root(s[1]);
        }
        watcher w = {0};
        nerfit_status status = train("messages", extra, &w);
        if (cases[i].status == NERFIT_NUMERIC && status == NERFIT_OK)
            continue; /* clipping saves it */
        if (status != cases[i].status || !strstr(error.text, cases[i].part))
            fail_msg("case %zu: status %d, \"%s\"; expected %d with \"%s\"", i, (int)status,
                     error.text, (int)cases[i].status, cases[i].part);
    }
}

/* The user's own format, as the original's _parse_annotation: "text|start|end|label". */
static nerfit_status parse(void *user, const char *line, size_t size, nerfit_annotation *out) {
    (void)user;
    if (size == 0) return NERFIT_OK;
    char text[256], label[64];
    int start, end;
    if (sscanf(line, "%255[^|]|%d|%d|%63[a-z]", text, &start, &end, label) != 4)
        return NERFIT_FORMAT;
    nerfit_status status = nerfit_annotation_set_text(out, text, strlen(text));
    return status == NERFIT_OK ? nerfit_annotation_add(out, start, end, label) : status;
}

static void test_own_format(void **state) {
    (void)state;
    write_text(in_root("own.txt"), "wake me at nine|11|15|time\n\nplay jazz|5|9|song\n");
    const char *const extra[] = {"train_annotations", in_root("own.txt"), "val_annotations",
                                 in_root("own.txt"), NULL};
    nerfit_config *config = configure("own", extra);
    nerfit_callbacks callbacks = {.size = sizeof callbacks, .parse = parse};
    nerfit_train_result result;
    assert_ok(nerfit_train(config, &callbacks, &result, &error), &error);
    assert_string_equal(result.report_of, "validation");
    nerfit_train_result_free(&result);
    write_text(in_root("own.txt"), "wake me at nine|11|15|time\nwithout bars\n");
    assert_int_equal(nerfit_train(config, &callbacks, &result, &error), NERFIT_FORMAT);
    assert_non_null(strstr(error.text, "own.txt:2: the parse callback returned"));
    nerfit_config_free(config);
}

/* ---------------------------------------------------------------- data in memory */

static nerfit_corpus *corpus_of(const char *text) {
    nerfit_corpus *corpus;
    assert_ok(nerfit_corpus_new(&corpus, NULL, NULL, &error), &error);
    assert_ok(nerfit_corpus_parse(corpus, text, strlen(text), "brackets", "memory", &error),
              &error);
    return corpus;
}

/* Without files: texts and descriptions, then texts and embeddings, from memory. The first is the
 * same run as the one from files, to the last bit. */
static void test_memory(void **state) {
    (void)state;
    static const char *const labels[] = {"time", "song", "place", "person"};
    static const char *const texts[] = {"a time of day", "a song or kind of music", "a city",
                                        "a name"};
    static const float vectors[4][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}};
    const char *const again[] = {"overwrite_output_dir", "true", NULL};
    watcher watch = {0};
    assert_ok(train("files", again, &watch), &error);
    nerfit_corpus *corpus = corpus_of(TRAIN);
    assert_int_equal(nerfit_corpus_size(corpus), 8);
    for (int described = 1; described >= 0; described--) {
        nerfit_config *config = configure("memory", again);
        const char *const names[] = {"train_annotations", "val_annotations"};
        for (int i = 0; i < 2; i++) {
            assert_ok(nerfit_config_set(config, names[i], "/no/such/file", &error), &error);
            assert_ok(nerfit_config_set_corpus(config, names[i], corpus, &error), &error);
        }
        assert_ok(nerfit_config_set(config, "ent2emb", "/no/such/file", &error), &error);
        if (described)
            assert_ok(nerfit_config_set_descriptions(config, labels, texts, 4, &error), &error);
        else
            assert_ok(nerfit_config_set_embeddings(config, labels, 4, 3, vectors[0], &error),
                      &error);
        nerfit_train_result result;
        assert_ok(nerfit_train(config, NULL, &result, &error), &error);
        assert_string_equal(result.report_of, "validation");
        nerfit_train_result_free(&result);
        nerfit_config_free(config);
        if (described)
            assert_same_file(in_root("files/best/model.safetensors"),
                             in_root("memory/best/model.safetensors"));
    }

    nerfit_model *model;
    nerfit_session *session;
    nerfit_report from_memory, from_file;
    assert_ok(nerfit_model_load(&model, in_root("memory/best"), NULL, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_evaluate_corpus(session, corpus, NULL, false, &from_memory, &error), &error);
    assert_ok(nerfit_evaluate(session, in_root("train.txt"), NULL, NULL, false, &from_file, &error),
              &error);
    /* the JSON names the mistakes' files */
    assert_string_equal(from_memory.text, from_file.text);
    assert_string_equal(from_memory.analysis, from_file.analysis);
    nerfit_report_free(&from_memory);
    nerfit_report_free(&from_file);
    nerfit_session_free(session);
    nerfit_model_free(model);
    nerfit_corpus_free(corpus);
}

static void test_memory_messages(void **state) {
    (void)state;
    static const nerfit_span spans[] = {{0, 4, "time"}, {2, 9, "place"}};
    nerfit_corpus *corpus = corpus_of("");
    nerfit_config *config = configure("memory-messages", NULL);
    static const char *const labels[] = {"time", "place", "time", ""};
    static const char *const texts[] = {"a time of day", " ", "again", "nothing"};
    const float nan_vector[] = {0, 0.0f / 0.0f};
    assert_int_equal(nerfit_corpus_add(corpus, "wake me", 7, spans + 1, 1, "list[3]", 0, &error),
                     NERFIT_FORMAT);
    assert_string_equal(error.text, "list[3]: entity 1 (\"place\", 2..9) ends past the text (7 "
                                    "characters)");
    assert_int_equal(nerfit_corpus_add(corpus, "wake me up", 10, spans, 2, "given", 7, &error),
                     NERFIT_FORMAT);
    assert_non_null(strstr(error.text, "given:7: entity 2 (\"place\", 2..9) overlaps"));
    assert_int_equal(nerfit_corpus_size(corpus), 0);
    assert_int_equal(nerfit_corpus_parse(corpus, "[a : b", 6, "nothing", "x", &error),
                     NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "format \"nothing\" is not one of"));
    assert_int_equal(nerfit_config_set_corpus(config, "annotations", corpus, &error),
                     NERFIT_ARGUMENT);
    assert_int_equal(nerfit_config_set_descriptions(config, labels, texts, 2, &error),
                     NERFIT_FORMAT);
    assert_string_equal(error.text, "ent2emb: label \"place\" has an empty description");
    assert_int_equal(nerfit_config_set_descriptions(config, labels + 2, texts + 2, 2, &error),
                     NERFIT_FORMAT);
    assert_string_equal(error.text, "ent2emb: the label is empty");
    const char *const twice[] = {"a", "a"};
    assert_int_equal(nerfit_config_set_descriptions(config, twice, texts + 2, 2, &error),
                     NERFIT_FORMAT);
    assert_string_equal(error.text, "ent2emb: label \"a\" is there already");
    assert_int_equal(nerfit_config_set_descriptions(config, labels, texts, 0, &error),
                     NERFIT_FORMAT);
    assert_int_equal(nerfit_config_set_embeddings(config, labels, 1, 2, nan_vector, &error),
                     NERFIT_ARGUMENT);
    assert_string_equal(error.text, "ent2emb: value 2 of the embedding of \"time\" is not finite");
    assert_int_equal(nerfit_config_set_embeddings(config, labels, 0, 2, nan_vector, &error),
                     NERFIT_ARGUMENT);

    /* a label that ent2emb lacks */
    assert_ok(nerfit_config_set_descriptions(config, labels, texts, 1, &error), &error);
    nerfit_train_result result;
    assert_int_equal(nerfit_train(config, NULL, &result, &error), NERFIT_ARGUMENT);
    assert_string_equal(error.text,
                        "ent2emb: has nothing for label \"song\", which the annotations use");
    nerfit_config_free(config);
    nerfit_corpus_free(corpus);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),          cmocka_unit_test(test_kill),
        cmocka_unit_test(test_resume_named),    cmocka_unit_test(test_nerfit_stage1),
        cmocka_unit_test(test_nerfit_alone),    cmocka_unit_test(test_nerfit_folder),
        cmocka_unit_test(test_old_temperature), cmocka_unit_test(test_overwrite),
        cmocka_unit_test(test_unfinished),      cmocka_unit_test(test_written_models),
        cmocka_unit_test(test_long_texts),      cmocka_unit_test(test_messages),
        cmocka_unit_test(test_own_format),      cmocka_unit_test(test_memory),
        cmocka_unit_test(test_memory_messages), cmocka_unit_test(test_weights_are_said),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
