/* A host program that calls setlocale(LC_ALL, "") in Germany: what the library reads and writes is
 * byte for byte what it is in the C locale. The locale is made here, by localedef, of
 * tests/locales/comma; where the program is missing, the tests skip. */
#include "tiny_run.h"

#include <dirent.h>
#include <locale.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/log.h"
#include "base/number.h"
#include "base/str.h"
#include "data/selection.h"
#include "text/serde_number.h"

static nerfit_error error;
static bool have_comma;

static const char TRAIN[] = "wake me up at [time : nine]\nplay [song : jazz] in [place : madrid]\n"
                            "call [person : bob] at [time : ten] please\nplease wake me up\n"
                            "[person : bob] is in [place : rome]\nplay [song : jazz] now\n";
static const char DESCRIPTIONS[] = "time: a time of day\nsong: a song or kind of music\n"
                                   "place: a city\nperson: a name\n";

static int setup(void **state) {
    (void)state;
    char command[256];
    temporary_folder(root);
    snprintf(command, sizeof command,
             "localedef -c -i tests/locales/comma %s/nerfit_COMMA >/dev/null 2>&1", root);
    /* it exits with 1 for the categories that the file does not have */
    (void)!system(command);
    setenv("LOCPATH", root, 1);
    char printed[8];
    have_comma = setlocale(LC_ALL, "nerfit_COMMA") != NULL;
    snprintf(printed, sizeof printed, "%.1f", 0.5);
    have_comma = have_comma && strcmp(printed, "0,5") == 0;
    setlocale(LC_ALL, "C");
    if (!have_comma) fprintf(stderr, "skipped: localedef is not here to make a locale\n");
    make_tiny_model(in_root("encoder"), false);
    make_tiny_model(in_root("model"), true);
    write_text(in_root("train.txt"), TRAIN);
    write_text(in_root("data.txt"), "wake me up at [a : nine]\nplay [b : jazz] now\n");
    write_text(in_root("labels.yaml"), DESCRIPTIONS);
    return 0;
}

static void enter_comma(void) {
    if (!have_comma) skip();
    assert_non_null(setlocale(LC_ALL, "nerfit_COMMA"));
}

static int leave_comma(void **state) {
    (void)state;
    setlocale(LC_ALL, "C");
    return 0;
}

/* ---------------------------------------------------------------- base/number.h */

static void test_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good;
        double value;
    } cases[] = {
        {"0.5", true, 0.5},  {"-12", true, -12},  {"5e-3", true, 5e-3}, {"+.5E2", true, 50},
        {"1.", true, 1},     {"0,5", false, 0},   {"", false, 0},       {" 1", false, 0},
        {"1 ", false, 0},    {"0x10", false, 0},  {"inf", false, 0},    {"nan", false, 0},
        {"1e999", false, 0}, {"1.5.5", false, 0}, {"-", false, 0},      {"1e", false, 0},
        {"١", false, 0}, /* an Arabic digit */
    };
    enter_comma();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = -99;
        bool good = nf_number_parse(cases[i].text, &value);
        if (good != cases[i].good || value != (good ? cases[i].value : -99))
            fail_msg("\"%s\": read as %d, %g", cases[i].text, good, value);
    }
    static const struct {
        const char *text;
        uint64_t most;
        bool good;
        uint64_t value;
    } wholes[] = {
        {"0", 10, true, 0},
        {"007", 10, true, 7},
        {"10", 10, true, 10},
        {"11", 10, false, 0},
        {"", 10, false, 0},
        {"-1", 10, false, 0},
        {"+1", 10, false, 0},
        {"1.0", 10, false, 0},
        {" 1", 10, false, 0},
        {"1.000", 5000, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
    };
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        uint64_t value = 99;
        bool good = nf_whole_parse(wholes[i].text, wholes[i].most, &value);
        if (good != wholes[i].good || value != (good ? wholes[i].value : 99))
            fail_msg("\"%s\": read as %d, %llu", wholes[i].text, good, (unsigned long long)value);
    }
    char text[32];
    assert_int_equal(nf_print(text, sizeof text, "%.3f %g %zu", 0.5, 1e-7, (size_t)1234567), 19);
    assert_string_equal(text, "0.500 1e-07 1234567");
    nf_str out = {0};
    nf_str_appendf(&out, "%.2f", 1.25);
    assert_string_equal(nf_str_text(&out), "1.25");
    nf_str_free(&out);
    nf_fail(&error, NERFIT_ARGUMENT, "%g", 0.25);
    assert_string_equal(error.text, "0.25");
    nf_fail_at(&error, NERFIT_ARGUMENT, "a", 1, 2, "%g", 0.25);
    assert_string_equal(error.text, "a:1:2: 0.25");
    /* the host's own numbers stay as it wants them */
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5");
}

static void test_readers(void **state) {
    (void)state;
    double number, plain;
    nf_amount amount;
    json_t *json;
    assert_true(nf_serde_number(&plain, "1.5e-30", 7));
    enter_comma();
    assert_true(nf_serde_number(&number, "1.5e-30", 7) && number == plain);
    assert_ok(nf_amount_parse(&amount, "0.25", "share", &error), &error);
    assert_true(amount.value == 0.25);
    assert_ok(nf_json_parse(&json, "[0.5, -2.5e3]", 13, NULL, 1, &error), &error);
    assert_true(json_real_value(json_array_get(json, 1)) == -2500.0);
    char *text = nf_json_text(json, 0);
    assert_string_equal(text, "[0.5, -2500.0]");
    free(text);
    json_decref(json);
}

static void test_config(void **state) {
    (void)state;
    nerfit_config *config;
    write_text(in_root("config.yaml"), "learning_rate: [5e-5, 0.01]\nmax_grad_norm: 0.5\n"
                                       "lora_dropout: 0.1\n");
    enter_comma();
    assert_ok(nerfit_config_new(&config, &error), &error);
    assert_ok(nerfit_config_load(config, in_root("config.yaml"), &error), &error);
    assert_ok(nerfit_config_set(config, "weight_decay", "0.125", &error), &error);
    assert_int_equal(nerfit_config_set(config, "weight_decay", "0,125", &error), NERFIT_ARGUMENT);
    assert_int_equal(nerfit_config_set(config, "adam_beta1", "2.5", &error), NERFIT_ARGUMENT);
    nerfit_config_free(config);
}

/* ---------------------------------------------------------------- whole runs */

/* Appends every file of a folder, by name, without what differs from run to run: times. */
static void append_file(nf_str *out, const char *path) {
    nf_file file;
    assert_ok(nf_file_open(&file, path, &error), &error);
    nf_str_appendf(out, "== %s\n", strrchr(path, '/'));
    nf_str_append(out, file.data, file.size);
    nf_file_close(&file);
}

static const char *const results[] = {"best/nerfit.json",
                                      "best/config.json",
                                      "best/model.safetensors",
                                      "stage2/checkpoint-4/trainer_state.json",
                                      "report.html",
                                      "training_args.json",
                                      "stage1/finished/description_head.safetensors"};

static void train(const char *output) {
    const char *const settings[] = {"max_steps", "4,4", "eval_steps", "4", "save_steps", "4", NULL};
    nerfit_config *config = tiny_config(output, settings, NULL);
    assert_ok(run_config(nerfit_train, config, NULL, &error), &error);
}

/* The two runs have the same folder one after the other, for its name is in what they write. */
static void test_training(void **state) {
    (void)state;
    if (!have_comma) skip();
    nf_str first = {0}, second = {0};
    nf_str *const out[] = {&first, &second};
    for (size_t run = 0; run < 2; run++) {
        if (run == 1) enter_comma();
        train("run");
        for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
            char path[400];
            snprintf(path, sizeof path, "%s/%s", in_root("run"), results[i]);
            append_file(out[run], path);
        }
        assert_ok(nf_directory_remove(in_root("run"), &error), &error);
    }
    assert_int_equal(first.length, second.length);
    for (size_t i = 0; i < first.length; i++)
        if (first.data[i] != second.data[i])
            fail_msg("differs: ...%.60s... and ...%.60s...", first.data + (i > 20 ? i - 20 : 0),
                     second.data + (i > 20 ? i - 20 : 0));
    nf_str_free(&first);
    nf_str_free(&second);
}

typedef struct pipe_ends {
    const char *in;
    nf_str out;
} pipe_ends;

static ptrdiff_t give(void *user, char *buffer, size_t size) {
    pipe_ends *p = user;
    size_t left = strlen(p->in), n = left < size ? left : size;
    memcpy(buffer, p->in, n);
    p->in += n;
    return (ptrdiff_t)n;
}

static bool receive(void *user, const char *data, size_t size) {
    return nf_str_append(&((pipe_ends *)user)->out, data, size);
}

/* What a stream writes in every format, and an evaluation's text and JSON. */
static void predict(nf_str *all) {
    static const char *const formats[] = {"jsonl", "conll", "brackets", "tokens", "html"};
    nerfit_model *model;
    nerfit_session *session;
    nerfit_model_options options = {.size = sizeof options, .precision = "f32", .threads = 1};
    assert_ok(nerfit_model_load(&model, in_root("model"), &options, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        pipe_ends ends = {.in = "wake me up at nine in madrid\nplay jazz now\n"};
        size_t count;
        nerfit_stream stream = {sizeof stream, give, receive, &ends, NULL, NULL, formats[i]};
        assert_ok(nerfit_predict_stream(session, &stream, &count, &error), &error);
        nf_str_appendf(all, "== %s\n%s\n", formats[i], nf_str_text(&ends.out));
        nf_str_free(&ends.out);
    }
    nerfit_report report;
    assert_ok(nerfit_evaluate(session, in_root("data.txt"), NULL, NULL, false, &report, &error),
              &error);
    nf_str_append_text(all, report.text);
    nf_str_append_text(all, report.json);
    nerfit_report_free(&report);
    nerfit_session_free(session);
    nerfit_model_free(model);
}

static void test_prediction(void **state) {
    (void)state;
    nf_str plain = {0}, comma = {0};
    if (!have_comma) skip();
    predict(&plain);
    enter_comma();
    predict(&comma);
    assert_string_equal(nf_str_text(&plain), nf_str_text(&comma));
    assert_non_null(strstr(nf_str_text(&plain), "0."));
    nf_str_free(&plain);
    nf_str_free(&comma);
}

/* A thread that another one changes the locale under. */
static void *change(void *stop) {
    while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
        setlocale(LC_NUMERIC, "nerfit_COMMA");
        setlocale(LC_NUMERIC, "C");
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    if (!have_comma) skip();
    bool stop = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, change, &stop), 0);
    for (int i = 0; i < 20000; i++) {
        char text[16];
        double number = 0;
        nf_print(text, sizeof text, "%.2f", i / 4.0);
        if (!nf_number_parse(text, &number) || number != i / 4.0) fail_msg("%s", text);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_numbers, leave_comma),
        cmocka_unit_test_teardown(test_readers, leave_comma),
        cmocka_unit_test_teardown(test_config, leave_comma),
        cmocka_unit_test_teardown(test_training, leave_comma),
        cmocka_unit_test_teardown(test_prediction, leave_comma),
        cmocka_unit_test_teardown(test_threads, leave_comma),
    };
    return cmocka_run_group_tests(tests, setup, remove_root);
}
