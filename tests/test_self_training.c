/* Self-training on a tiny model: what the teacher is, what its texts weigh, and that a run that was
 * stopped anywhere, in the teacher too, goes on to the same bits. */
#include "tiny_run.h"

#include "base/str.h"

static nerfit_error error;

static const char TRAIN[] = "wake me up at [time : nine]\nplay [song : jazz] in [place : madrid]\n"
                            "call [person : bob] at [time : ten] please\nplease wake me up\n"
                            "[person : bob] is in [place : rome]\nplay [song : jazz] now\n";
/* the second is a training text, the fourth there twice, and the last has what looks annotated */
static const char MORE[] =
    "call me at nine\nplease wake me up\nwake bob in rome\nplay jazz\nplay jazz\n"
    "\nplay jazz at ten in madrid\nbob is in [place : rome]\n";
static const char DESCRIPTIONS[] = "time: a time of day\nsong: a song or kind of music\n"
                                   "place: a city\nperson: a name\n";

static int make_root(void **state) {
    (void)state;
    make_tiny_root(TRAIN, DESCRIPTIONS);
    write_text(in_root("more.txt"), MORE);
    write_text(in_root("known.txt"), "please wake me up\n\n");
    return 0;
}

typedef struct watcher {
    int stop_at; /* the caller stops at this step of all; 0: never */
    int steps;
    nf_str log;
} watcher;

static bool watch(void *user, const nerfit_event *event) {
    watcher *w = user;
    w->steps += event->kind == NERFIT_EVENT_STEP;
    return !(event->kind == NERFIT_EVENT_STEP && w->steps == w->stop_at);
}

static void listen(void *user, nerfit_log_level level, const char *message) {
    (void)level;
    watcher *w = user;
    nf_str_appendf(&w->log, "%s\n", message);
}

static nerfit_status train(const char *output, const char *const *extra, watcher *w) {
    const char *const settings[] = {"model_name",
                                    in_root("encoder"),
                                    "st_model_name",
                                    in_root("encoder"),
                                    "train_annotations",
                                    in_root("train.txt"),
                                    "ent2emb",
                                    in_root("labels.yaml"),
                                    "output_dir",
                                    in_root(output),
                                    "max_steps",
                                    "0,60",
                                    "learning_rate",
                                    "1e-2",
                                    "save_strategy",
                                    "steps",
                                    "save_steps",
                                    "20",
                                    "calibration",
                                    "none",
                                    "precision",
                                    "f32",
                                    "threads",
                                    "1",
                                    "least_probability",
                                    "0.05",
                                    NULL};
    nerfit_config *config = config_of(settings, extra);
    nerfit_callbacks callbacks = {
        .size = sizeof callbacks, .event = watch, .log = listen, .user = w};
    return run_config(nerfit_train, config, &callbacks, &error);
}

static void assert_told(watcher *w, const char *text) {
    if (!strstr(nf_str_text(&w->log), text))
        fail_msg("\"%s\" is not in:\n%s", text, nf_str_text(&w->log));
}

/* The teacher is the run without the texts; if these weigh nothing, so is the run's own model. */
static void test_teacher(void **state) {
    (void)state;
    const char *const with[] = {"unlabelled_annotations", in_root("more.txt"), NULL};
    const char *const weightless[] = {"unlabelled_annotations", in_root("more.txt"),
                                      "source_weights", "self-training=0", NULL};
    watcher alone = {0}, both = {0}, without = {0};
    assert_ok(train("alone", NULL, &alone), &error);
    assert_ok(train("both", with, &both), &error);
    assert_ok(train("weightless", weightless, &without), &error);
    assert_int_equal(alone.steps, 60);
    assert_int_equal(both.steps, 120);
    assert_told(&both, "unlabelled_annotations: 3 of 8 texts are empty, there twice, or training "
                       "texts");
    assert_told(&both, "self-training: in 5 texts the teacher is sure of ");
    assert_told(&without, "11 texts");
    assert_same_file(in_root("alone/best/model.safetensors"),
                     in_root("both/teacher/best/model.safetensors"));
    assert_same_file(in_root("alone/best/model.safetensors"),
                     in_root("weightless/best/model.safetensors"));
    nf_file a, b;
    assert_ok(nf_file_open(&a, in_root("alone/best/model.safetensors"), &error), &error);
    assert_ok(nf_file_open(&b, in_root("both/best/model.safetensors"), &error), &error);
    assert_true(a.size == b.size && memcmp(a.data, b.data, a.size) != 0);
    nf_file_close(&a);
    nf_file_close(&b);
    nf_str_free(&alone.log);
    nf_str_free(&both.log);
    nf_str_free(&without.log);
}

static void test_resume(void **state) {
    (void)state;
    const char *const with[] = {"unlabelled_annotations", in_root("more.txt"), NULL};
    const char *const again[] = {"unlabelled_annotations", in_root("more.txt"),
                                 "resume_from_checkpoint", "true", NULL};
    const int stops[] = {30, 60, 90};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        watcher stop = {.stop_at = stops[i]}, go_on = {0};
        nf_directory_remove(in_root("parts"), NULL);
        assert_int_equal(train("parts", with, &stop), NERFIT_CANCELLED);
        assert_ok(train("parts", again, &go_on), &error);
        assert_same_file(in_root("both/best/model.safetensors"),
                         in_root("parts/best/model.safetensors"));
        nf_str_free(&stop.log);
        nf_str_free(&go_on.log);
    }
}

static void assert_refused(const char *const *extra, const char *message) {
    watcher w = {0};
    assert_int_equal(train("refused", extra, &w), NERFIT_ARGUMENT);
    if (!strstr(error.text, message)) fail_msg("\"%s\" is not in %s", message, error.text);
    nf_str_free(&w.log);
}

static void test_refused(void **state) {
    (void)state;
    const char *const known[] = {"unlabelled_annotations", in_root("known.txt"), NULL};
    const char *const original[] = {"unlabelled_annotations", in_root("more.txt"), "recipe",
                                    "original", NULL};
    assert_refused(known, "known.txt: has no text that is not a training text");
    assert_refused(original, "unlabelled_annotations: only the recipe nerfit learns from texts "
                             "without annotations");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_teacher),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
