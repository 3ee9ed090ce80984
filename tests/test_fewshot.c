/* The few-shot protocol: what runs are given, what is kept and not run again, the tables. Training
 * is made up (fewshot.h); whole runs are in test_cli.sh. */
#include "fewshot.h"

#include "base/file.h"
#include "base/json.h"

static json_t *call(fake *f, const nf_fewshot_options *options) {
    json_t *result;
    nerfit_error error;
    assert_ok(fake_call(f, options, &result, &error), &error);
    return result;
}

static void append_to(const fake *f, const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* ---------------------------------------------------------------- what a run is given */

static void check_settings(void **state) {
    (void)state;
    static const struct {
        const char *recipe;
        int64_t steps[2];
        double rate[2];
        int64_t warmup;
    } cases[] = {
        {"plain", {0, 200}, {3e-4, 3e-4}, 0},
        {"original", {200, 200}, {1e-4, 3e-4}, 0},
        {"plain:learning_rate=1e-4", {0, 200}, {1e-4, 1e-4}, 0},
        {"mine:max_steps=auto,7,learning_rate=1e-2,5e-3", {200, 7}, {1e-2, 5e-3}, 500},
        {"mine:warmup_steps=3", {1500, 1500}, {1e-3, 1e-3}, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        fake_begin(&f);
        nf_fewshot_options options = {.k = "2", .seeds = "7-7", .recipes = cases[i].recipe};
        json_decref(call(&f, &options));
        assert_int_equal(f.n_ran, 1);
        const nf_train_options *o = &f.ran[0];
        for (int s = 0; s < 2; s++) {
            assert_int_equal(o->max_steps[s], cases[i].steps[s]);
            assert_true(o->learning_rate[s] == cases[i].rate[s]);
            assert_int_equal(o->seed[s], 7);
            assert_int_equal(o->eval_strategy[s], NF_CHOICE_NO);
            assert_int_equal(o->save_strategy[s], NF_CHOICE_NO);
        }
        assert_int_equal(o->warmup_steps[1], cases[i].warmup);
        assert_null(o->val_annotations);
        assert_null(o->test_annotations);
        assert_int_equal(o->calibration, NF_CALIBRATION_OFF); /* which would take more trainings */
        fake_end(&f);
    }
}

/* 20 steps for every 8 texts, from 200 to 500. */
static void check_steps(void **state) {
    (void)state;
    static const struct {
        int texts;
        int64_t steps;
    } cases[] = {{1, 200}, {80, 200}, {81, 220}, {200, 500}, {900, 500}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        nf_str text = {0};
        nerfit_error error;
        fake_begin(&f);
        nf_corpus_free(&f.train);
        for (int n = 0; n < cases[i].texts; n++) nf_str_appendf(&text, "[a : %d]\n", n);
        assert_ok(nf_annotations_parse(&f.train, text.data, text.length, "train",
                                       &nf_format_brackets, NULL, &error),
                  &error);
        nf_fewshot_options options = {.k = "1000", .seeds = "1", .recipes = "plain"};
        json_decref(call(&f, &options));
        assert_int_equal(f.n_texts[0], cases[i].texts);
        assert_int_equal(f.ran[0].max_steps[1], cases[i].steps);
        nf_str_free(&text);
        fake_end(&f);
    }
}

static void check_pretrained(void **state) {
    (void)state;
    fake f;
    nerfit_error error;
    json_t *result;
    fake_begin(&f);
    nf_fewshot_options options = {.k = "1",
                                  .seeds = "1",
                                  .recipes = "plain mine+pretrained:max_steps=0,5",
                                  .pretrained = "elsewhere"};
    json_decref(call(&f, &options));
    assert_int_equal(f.n_ran, 2);
    options.pretrained = NULL;
    assert_int_equal(fake_call(&f, &options, &result, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "needs the folder of a pre-trained encoder"));
    fake_end(&f);
}

static void check_samples(void **state) {
    (void)state;
    fake f;
    fake_begin(&f);
    nf_fewshot_options options = {.k = "1,100", .seeds = "0", .recipes = "plain", .negatives = "1"};
    options.seeds = "1";
    json_decref(call(&f, &options));
    assert_int_equal(f.n_texts[1], 6); /* all five with entities, and the one without */
    char path[128];
    nerfit_error error;
    json_t *json;
    snprintf(path, sizeof path, "%s/samples/k100-s0.json", f.folder);
    assert_ok(nf_json_load(&json, path, &error), &error);
    assert_int_equal(json_array_size(json_object_get(json, "lines")), 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(json_integer_value(json_array_get(json_object_get(json, "lines"), i)),
                         i + 1);
    json_decref(json);
    append_to(&f, "k1-s0.jsonl", "{\"text\": \"x\", \"entities\": [[0, 1, \"a\"]]}\n");
    options.samples = f.folder;
    options.k = "1";
    json_decref(call(&f, &options));
    assert_int_equal(f.n_ran, 1);
    assert_int_equal(f.n_texts[0], 1);
    fake_end(&f);
}

/* ---------------------------------------------------------------- going on */

static void check_resume(void **state) {
    (void)state;
    fake f;
    nerfit_error error;
    json_t *result;
    fake_begin(&f);
    nf_fewshot_options options = {.k = "1,2", .seeds = "3", .recipes = "plain,original"};
    f.stop_after = 5;
    assert_int_equal(fake_call(&f, &options, &result, &error), NERFIT_CANCELLED);
    assert_string_equal(error.text, "stopped after 5 of 12 runs");
    assert_null(result);
    append_to(&f, "runs.jsonl", "{\"k\": 2, \"se"); /* as a killed process leaves it */
    f.stop_after = 0;
    json_decref(call(&f, &options));
    assert_int_equal(f.n_ran, 7);
    assert_int_equal(f.n_earlier, 5);
    assert_true(f.seconds_left == 0);
    append_to(&f, "runs.jsonl", "\n"); /* an empty line is no run */
    assert_int_equal(fake_call(&f, &options, &result, &error), NERFIT_FORMAT);
    assert_non_null(strstr(error.text, "/runs.jsonl:6:"));
    fake_end(&f);
}

/* Other settings, texts or samples are other runs. */
static void check_keys(void **state) {
    (void)state;
    fake f;
    nerfit_error error;
    fake_begin(&f);
    nf_fewshot_options options = {.k = "2", .seeds = "1", .recipes = "plain"};
    json_decref(call(&f, &options));
    json_decref(call(&f, &options));
    assert_int_equal(f.n_ran, 0);
    options.recipes = "plain:seed=0 plain:weight_decay=0.02";
    json_t *result = call(&f, &options); /* the first is the same by another name */
    assert_int_equal(f.n_ran, 1);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(result, "runs"), 0), "recipe")),
                        "plain:seed=0");
    json_decref(result);
    options.recipes = "plain";
    static const char more[] = "[a : 9]\n";
    assert_ok(nf_annotations_parse(&f.test, more, strlen(more), "test", &nf_format_brackets, NULL,
                                   &error),
              &error);
    json_decref(call(&f, &options));
    assert_int_equal(f.n_ran, 1);
    options.negatives = "1";
    json_decref(call(&f, &options));
    assert_int_equal(f.n_ran, 1);
    assert_ok(nf_train_options_set(&f.options, "max_length", "64", NULL, 0, &error), &error);
    json_decref(call(&f, &options));
    assert_int_equal(f.n_ran, 1);
    fake_end(&f);
}

/* ---------------------------------------------------------------- tables */

/* F1 is 100 * rate * (1 + seed): of three seeds rate * 100, 200, 300: mean 200, deviation 100. */
static void check_tables(void **state) {
    (void)state;
    fake f;
    fake_begin(&f);
    nf_fewshot_options options = {
        .k = "1", .recipes = "plain:learning_rate=1e-3 x|y:learning_rate=2e-3", .seeds = "3"};
    json_t *result = call(&f, &options);
    nf_str text = {0}, markdown = {0};
    nf_fewshot_text(result, &text);
    nf_fewshot_markdown(result, &markdown);
    assert_non_null(strstr(text.data, "mean and standard deviation of 3 seeds"));
    assert_non_null(strstr(text.data, "20.0 \xC2\xB1 10.0"));
    assert_non_null(strstr(text.data, "2.0 \xC2\xB1 0.0"));
    assert_non_null(strstr(markdown.data, "| 20.0 \xC2\xB1 10.0 | 40.0 \xC2\xB1 20.0 |\n"));
    assert_non_null(strstr(markdown.data, "|---|---|---|---|\n"));
    char path[128];
    nf_file page;
    nerfit_error error;
    snprintf(path, sizeof path, "%s/report.html", f.folder);
    assert_ok(nf_file_open(&page, path, &error), &error);
    assert_non_null(memmem(page.data, page.size, "<svg", 4));
    assert_non_null(memmem(page.data, page.size, "</html>", 7));
    nf_file_close(&page);
    nf_str_free(&text);
    nf_str_free(&markdown);
    json_decref(result);
    fake_end(&f);
}

/* ---------------------------------------------------------------- what is wrong */

static void check_errors(void **state) {
    (void)state;
    static const struct {
        nf_fewshot_options options;
        const char *error;
    } cases[] = {
        {{.k = "0"}, "k: \"0\" is not a list of whole numbers from 1 to 1000000"},
        {{.k = "1,,2"}, "k: \"1,,2\" is not a list"},
        {{.k = "1,"}, "k: \"1,\" is not a list"},
        {{.k = ""}, "k: \"\" is not a list"},
        {{.k = "4,4"}, "k: 4 is given twice"},
        {{.k = "1-100"}, "k: more than 64"},
        {{.seeds = "0"}, "seeds: 0 is not from 1 to 64"},
        {{.seeds = "3-1"}, "seeds: \"3-1\" is not a list"},
        {{.recipes = "plane"}, "recipe \"plane\" is not one of plain, original, nerfit"},
        {{.recipes = "plain,plain"}, "recipe \"plain\" is given twice"},
        {{.recipes = " ; "}, "recipes: none is given"},
        {{.recipes = "x:learning_rte=1"},
         "recipe \"x:learning_rte=1\": unknown option \"learning_rte\""},
        {{.recipes = "x:steps"}, "\"steps\" is not option=value"},
        {{.recipes = "plain", .negatives = "x"}, "negatives: \"x\" is not a number of texts"},
        {{.recipes = "plain", .samples = "/nowhere"}, "/nowhere/k1-s0.jsonl"},
    };
    size_t failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        nerfit_error error = {0};
        json_t *result;
        nf_fewshot_options options = cases[i].options;
        if (!options.recipes) options.recipes = "plain";
        fake_begin(&f);
        nerfit_status status = fake_call(&f, &options, &result, &error);
        if (status == NERFIT_OK || !strstr(error.text, cases[i].error)) {
            print_error("case %zu: %s\n  expected %s\n", i, error.text, cases[i].error);
            failed++;
        }
        assert_int_equal(f.n_ran, 0);
        fake_end(&f);
    }
    assert_int_equal(failed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_settings),   cmocka_unit_test(check_steps),
        cmocka_unit_test(check_pretrained), cmocka_unit_test(check_samples),
        cmocka_unit_test(check_resume),     cmocka_unit_test(check_keys),
        cmocka_unit_test(check_tables),     cmocka_unit_test(check_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
