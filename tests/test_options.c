/* Options: defaults, pairs, YAML, what is said of mistakes; schedules against transformers'. */
#include "tiny_model.h"

#include <math.h>

#include "base/json.h"
#include "tensor/backends.h"
#include "recipe/defaults.h"
#include "recipe/options.h"
#include "recipe/run.h"
#include "train/schedule.h"

static nerfit_error error;

static void test_defaults(void **state) {
    (void)state;
    nf_train_options o;
    assert_ok(nf_train_options_init(&o, &error), &error);
    for (int s = 0; s < 2; s++) { /* the original's (nerfit/args.py) */
        assert_int_equal(o.per_device_train_batch_size[s], 8);
        assert_int_equal(o.per_device_eval_batch_size[s], 16);
        assert_true(o.learning_rate[s] == 1e-4 && o.weight_decay[s] == 1e-2);
        assert_int_equal(o.lr_scheduler_type[s], NF_SCHEDULE_COSINE);
        assert_int_equal(o.warmup_steps[s], 500);
        assert_int_equal(o.max_steps[s], 1500);
        assert_int_equal(o.seed[s], 123);
        assert_true(o.fp16[s] && o.max_grad_norm[s] == 1.0);
        assert_int_equal(o.eval_steps[s], 250);
    }
    assert_false(o.load_best_model_at_end[0]);
    assert_true(o.load_best_model_at_end[1]);
    nf_train_options_free(&o);
}

/* What the recipe nerfit chooses from the size of the data, and that it leaves alone what was
 * given. */
static void test_nerfit_defaults(void **state) {
    (void)state;
    static const struct {
        size_t n_texts;
        bool validation;
        const char *given[5];
        int64_t steps[2], batch;
        double epochs, rate, warmup;
        bool best;
    } cases[] = {
        {10, false, {NULL}, {0, 200}, 8, 3, 1e-4, 0.1, false},
        {100, true, {NULL}, {0, 260}, 8, 3, 1e-4, 0.1, true},
        {1500, false, {NULL}, {0, 500}, 8, 3, 1e-4, 0.1, false},
        {1501, true, {NULL}, {0, -1}, 16, 3, 2e-4, 0.1, true},
        {10, false, {"max_steps", "1500"}, {1500, 1500}, 8, 3, 1e-4, 0.1, false},
        {10, false, {"num_train_epochs", "2,5"}, {-1, -1}, 8, 5, 1e-4, 0.1, false},
        {10, false, {"peft_lora", "true"}, {0, 200}, 8, 3, 1e-3, 0.1, false},
        {5000,
         false,
         {"learning_rate", "1e-5", "warmup_steps", "0"},
         {0, -1},
         16,
         3,
         1e-5,
         0,
         false},
        {100, true, {"save_strategy", "no"}, {0, 260}, 8, 3, 1e-4, 0.1, false},
        {100, true, {"eval_strategy", "epoch"}, {0, 260}, 8, 3, 1e-4, 0.1, true},
        {100, true, {"recipe", "original"}, {1500, 1500}, 8, 3, 1e-4, 0, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_train_options given, o;
        assert_ok(nf_train_options_init(&given, &error), &error);
        for (const char *const *s = cases[i].given; *s; s += 2)
            assert_ok(nf_train_options_set(&given, s[0], s[1], NULL, 0, &error), &error);
        const nf_train_size size = {cases[i].n_texts, cases[i].validation};
        assert_ok(nf_train_defaults(&o, &given, &size, NULL, &error), &error);
        if (o.max_steps[0] != cases[i].steps[0] || o.max_steps[1] != cases[i].steps[1] ||
            o.per_device_train_batch_size[1] != cases[i].batch ||
            o.num_train_epochs[1] != cases[i].epochs || o.learning_rate[1] != cases[i].rate ||
            o.warmup_ratio[1] != cases[i].warmup || o.load_best_model_at_end[1] != cases[i].best)
            fail_msg(
                "case %zu: steps %lld, %lld, batch %lld, epochs %g, rate %g, warm-up %g, best %d",
                i, (long long)o.max_steps[0], (long long)o.max_steps[1],
                (long long)o.per_device_train_batch_size[1], o.num_train_epochs[1],
                o.learning_rate[1], o.warmup_ratio[1], (int)o.load_best_model_at_end[1]);
        nf_train_options_free(&o);
        nf_train_options_free(&given);
    }
}

/* An adapter is as large as the pre-trained one; what was given stays. */
static void test_adapter_defaults(void **state) {
    (void)state;
    static const struct {
        const char *given[6];
        int64_t r;
        double alpha;
        const char *modules;
    } cases[] = {
        {{"peft_lora", "true"}, 16, 16, "all-linear"},
        {{"peft_lora", "true", "lora_r", "4", "target_modules", "query"}, 4, 16, "query"},
        {{"peft_lora", "true", "lora_alpha", "2"}, 16, 2, "all-linear"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_train_options given, o;
        const nf_train_size size = {10, false};
        assert_ok(nf_train_options_init(&given, &error), &error);
        for (int s = 0; s < 6 && cases[i].given[s]; s += 2)
            assert_ok(nf_train_options_set(&given, cases[i].given[s], cases[i].given[s + 1], NULL,
                                           0, &error),
                      &error);
        assert_ok(nf_train_defaults(&o, &given, &size, NULL, &error), &error);
        assert_int_equal(o.lora_r, cases[i].r);
        assert_true(o.lora_alpha == cases[i].alpha);
        assert_int_equal(o.target_modules.count, 1);
        assert_string_equal(o.target_modules.items[0], cases[i].modules);
        nf_train_options_free(&o);
        nf_train_options_free(&given);
    }
}

/* Rehearsed texts take a share of each batch: steps, or epochs, grow so that one's own are seen as often. */
static void test_rehearsal_defaults(void **state) {
    (void)state;
    static const size_t sizes[] = {10, 4000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        nf_train_options given, alone, beside;
        const nf_train_size size = {sizes[i], false};
        assert_ok(nf_train_options_init(&given, &error), &error);
        given.recipe = NF_RECIPE_GLINER;
        assert_ok(nf_train_options_set(&given, "rehearsal", "0.75", NULL, 0, &error), &error);
        assert_ok(nf_train_defaults(&alone, &given, &size, NULL, &error), &error);
        assert_ok(nf_train_options_set(&given, "rehearsal_annotations", "others", NULL, 0, &error),
                  &error);
        assert_ok(nf_train_defaults(&beside, &given, &size, NULL, &error), &error);
        if (alone.max_steps[1] > 0)
            assert_int_equal(beside.max_steps[1], 4 * alone.max_steps[1]);
        else
            assert_true(beside.num_train_epochs[1] == 4 * alone.num_train_epochs[1]);
        nf_train_options_free(&alone);
        nf_train_options_free(&beside);
        nf_train_options_free(&given);
    }
}

/* Stage 1's best model takes stage 1's checkpoints, without validation texts nothing. */
static void test_best_of_stage1(void **state) {
    (void)state;
    for (int validation = 0; validation < 2; validation++) {
        nf_train_options given, o;
        assert_ok(nf_train_options_init(&given, &error), &error);
        given.recipe = NF_RECIPE_NERFIT;
        given.model_name = given.output_dir = given.train_annotations = given.val_annotations = "x";
        static const char *const settings[] = {"max_steps", "10,10", "load_best_model_at_end",
                                               "true"};
        for (int i = 0; i < 4; i += 2)
            assert_ok(nf_train_options_set(&given, settings[i], settings[i + 1], NULL, 0, &error),
                      &error);
        const nf_train_size size = {100, validation == 1};
        assert_ok(nf_train_defaults(&o, &given, &size, NULL, &error), &error);
        for (int s = 0; s < 2; s++)
            assert_int_equal(o.save_strategy[s], validation ? NF_CHOICE_STEPS : NF_CHOICE_NO);
        if (validation) assert_ok(nf_train_options_check(&o, true, NULL, &error), &error);
        nf_train_options_free(&o);
        nf_train_options_free(&given);
    }
}

/* A best model that is asked for takes evaluations, however validation texts come. */
static void test_best_needs_evaluations(void **state) {
    (void)state;
    static const struct {
        const char *given[6], *says;
        bool validation;
    } cases[] = {
        {{"eval_strategy", "no", "load_best_model_at_end", "true"},
         "stage 2: load_best_model_at_end needs evaluations to choose by, and eval_strategy is "
         "\"no\"; give eval_strategy, or load_best_model_at_end: false",
         true},
        {{"eval_strategy", "no", "load_best_model_at_end", "true"}, NULL, false},
        {{"eval_strategy", "no", "load_best_model_at_end", "false"}, NULL, true},
        {{"eval_strategy", "no"}, NULL, true},
        {{"eval_strategy", "steps", "load_best_model_at_end", "true", "save_strategy", "no"},
         "stage 2: load_best_model_at_end needs save_strategy and eval_strategy to be the same",
         true},
        {{"eval_steps", "4", "load_best_model_at_end", "true", "save_steps", "6"},
         "stage 2: load_best_model_at_end needs save_steps (6) to be a multiple of eval_steps (4)",
         true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_train_options given, o;
        assert_ok(nf_train_options_init(&given, &error), &error);
        given.recipe = NF_RECIPE_NERFIT;
        given.model_name = given.output_dir = given.train_annotations = "x";
        for (int s = 0; s < 6 && cases[i].given[s]; s += 2)
            assert_ok(nf_train_options_set(&given, cases[i].given[s], cases[i].given[s + 1], NULL,
                                           0, &error),
                      &error);
        const nf_train_size size = {100, cases[i].validation};
        assert_ok(nf_train_defaults(&o, &given, &size, NULL, &error), &error);
        nerfit_status status = nf_train_options_check(&o, size.has_validation, NULL, &error);
        if ((status != NERFIT_OK) != (cases[i].says != NULL) ||
            (cases[i].says && strcmp(error.text, cases[i].says) != 0))
            fail_msg("case %zu: status %d, %s", i, status, error.text);
        nf_train_options_free(&o);
        nf_train_options_free(&given);
    }
}

/* Each stage has the precision of its own options, whichever the one before had. */
static void test_precision(void **state) {
    (void)state;
    enum { F32 = NF_PRECISION_F32, BF16 = NF_PRECISION_BF16 };
    static const struct {
        const char *name, *value;
        int machine, stages[2];
    } cases[] = {
        {"bf16", "true,true", BF16, {BF16, BF16}}, {"bf16", "true,false", BF16, {BF16, F32}},
        {"bf16", "false,true", BF16, {F32, BF16}}, {"fp16", "false,true", BF16, {F32, BF16}},
        {"fp16", "true,false", BF16, {BF16, F32}}, {"bf16", "false,false", BF16, {F32, F32}},
        {"bf16", "true,true", F32, {F32, F32}},    {"precision", "bf16", BF16, {BF16, BF16}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_train_options o;
        assert_ok(nf_train_options_init(&o, &error), &error);
        assert_ok(nf_train_options_set(&o, "bf16", "false", NULL, 0, &error), &error);
        assert_ok(nf_train_options_set(&o, "fp16", "false", NULL, 0, &error), &error);
        assert_ok(nf_train_options_set(&o, cases[i].name, cases[i].value, NULL, 0, &error), &error);
        nf_backend be = {.precision = (nf_precision)cases[i].machine};
        nf_run run = {.options = &o, .be = &be};
        for (int s = 0; s < 2; s++)
            if ((int)nf_run_precision(&run, s) != cases[i].stages[s])
                fail_msg("%s %s: precision %s in stage %d", cases[i].name, cases[i].value,
                         nf_precision_name(nf_run_precision(&run, s)), s + 1);
        nf_train_options_free(&o);
    }
}

/* YAML's null is nothing given; but None is what some options can be. */
static void test_none(void **state) {
    (void)state;
    char folder[64], path[80];
    temporary_folder(folder);
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    write_text(path, "pretrained: None\ncalibration: None\nent2emb: None\nmax_steps: null\n");
    nf_train_options o;
    assert_ok(nf_train_options_init(&o, &error), &error);
    assert_ok(nf_train_options_load(&o, path, &error), &error);
    assert_string_equal(o.pretrained, "None"); /* whatever its case */
    assert_int_equal(o.calibration, NF_CALIBRATION_OFF);
    assert_null(o.ent2emb);
    assert_false(nf_train_options_given(&o, "max_steps"));
    nf_train_options_free(&o);
    nf_directory_remove(folder, NULL);
}

static void test_set(void **state) {
    (void)state;
    nf_train_options o;
    assert_ok(nf_train_options_init(&o, &error), &error);
    static const struct {
        const char *name, *text;
        double first, second;
    } cases[] = {{"learning_rate", "3e-4", 3e-4, 3e-4},
                 {"learning_rate", "5e-5,1e-5", 5e-5, 1e-5},
                 {"learning_rate", "(5e-5, 1e-5)", 5e-5, 1e-5},
                 {"learning-rate", "[1, 2]", 1, 2},
                 {"learning_rate", "0", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(nf_train_options_set(&o, cases[i].name, cases[i].text, NULL, 0, &error), &error);
        if (o.learning_rate[0] != cases[i].first || o.learning_rate[1] != cases[i].second)
            fail_msg("%s: %g, %g", cases[i].text, o.learning_rate[0], o.learning_rate[1]);
    }
    assert_ok(nf_train_options_set(&o, "target_modules", "query, key", NULL, 0, &error), &error);
    assert_int_equal(o.target_modules.count, 2);
    assert_string_equal(o.target_modules.items[1], "key");
    assert_ok(nf_train_options_set(&o, "peft_config.lora_r", "16", NULL, 0, &error), &error);
    assert_int_equal(o.lora_r, 16);
    assert_ok(nf_train_options_set(&o, "bf16", "yes,no", NULL, 0, &error), &error);
    assert_true(o.bf16[0] && !o.bf16[1]);
    nf_train_options_free(&o);
}

static void test_mistakes(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *message;
    } cases[] = {
        {"learnin_rate", "1", "unknown option \"learnin_rate\"; did you mean \"learning_rate\"?"},
        {"loar_r", "1", "did you mean \"lora_r\"?"},
        {"max_steps", "1.5", "max_steps: \"1.5\" is not a whole number from -1 to 1e+09"},
        {"max_steps", "1,2,3", "max_steps: \"3 values\" is not one value or a pair"},
        {"max_steps", "", "max_steps: \"0 values\" is not one value or a pair"},
        {"learning_rate", "nan", "is not a number from 0 to 10"},
        {"learning_rate", "0x1", "is not a number from 0 to 10"},
        {"learning_rate", "1e-4x", "is not a number from 0 to 10"},
        {"adam_beta1", "1", "is not a number from 0 to 0.999999"},
        {"bf16", "maybe", "bf16: \"maybe\" is not true or false"},
        {"lr_scheduler_type", "cosin", "is not one of linear|cosine|cosine_with_restarts"},
        {"recipe", "nerfitt", "recipe: \"nerfitt\" is not one of original|nerfit"},
        {"lora_r", "0", "is not a whole number from 1 to 4096"},
    };
    nf_train_options o;
    assert_ok(nf_train_options_init(&o, &error), &error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nerfit_status status =
            nf_train_options_set(&o, cases[i].name, cases[i].text, NULL, 0, &error);
        if (status != NERFIT_ARGUMENT || !strstr(error.text, cases[i].message))
            fail_msg("%s = \"%s\": status %d, \"%s\"; expected \"%s\"", cases[i].name,
                     cases[i].text, (int)status, error.text, cases[i].message);
    }
    nf_train_options_free(&o);
}

static void test_yaml(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *message; /* NULL: no error */
    } cases[] = {
        {"model_name: m\ntrain_annotations: data/a.txt\npeft_config: {lora_r: 4, use_dora: true}\n"
         "learning_rate: [5e-5, 1e-5]\nmax_steps:\n  - 3\n  - 4\nent2emb: /abs/e.json\nllm: ~\n",
         NULL},
        {"learning_rate: 1e-3\nlearning_rat: 2\n",
         "config.yaml:2: unknown option \"learning_rat\""},
        {"seed: 1\nseed: 2\n", "config.yaml:2:1: this option is there twice"},
        {"seed: [1, 2, 3]\n", "config.yaml:1: seed: \"3 values\""},
        {"seed: {a: 1}\n", "config.yaml:1:7: expected a value or a list, not a mapping"},
        {"seed: [[1], 2]\n", "config.yaml:1:8: expected a list of plain values"},
        {"- seed\n", "config.yaml:1:1: expected a mapping"},
        {"seed: 'x\n", "is not valid YAML"},
        {"", "config.yaml:1: is empty"},
        {"? [a]\n: 1\n", "expected the name of an option"},
        {"peft_config: 3\n", "config.yaml:1:14: expected a mapping"},
        {"peft_config:\n  lora_rank: 3\n", "config.yaml:2: unknown option \"lora_rank\""},
        {"seed: &a 1\nmax_steps: *a\n", NULL},
    };
    char root[64], path[96], expected[128];
    snprintf(path, sizeof path, "%s/config.yaml", temporary_folder(root));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_train_options o;
        assert_ok(nf_train_options_init(&o, &error), &error);
        write_text(path, cases[i].yaml);
        nerfit_status status = nf_train_options_load(&o, path, &error);
        if (cases[i].message ? status == NERFIT_OK || !strstr(error.text, cases[i].message)
                             : status != NERFIT_OK)
            fail_msg("case %zu: status %d, \"%s\"; expected \"%s\"", i, (int)status, error.text,
                     cases[i].message ? cases[i].message : "no error");
        if (i == 0) { /* relative paths count from the config's folder */
            snprintf(expected, sizeof expected, "%s/data/a.txt", root);
            assert_string_equal(o.train_annotations, expected);
            assert_string_equal(o.ent2emb, "/abs/e.json");
            assert_string_equal(o.llm, "no");
            assert_int_equal(o.lora_r, 4);
            assert_true(o.use_dora && o.learning_rate[1] == 1e-5);
            assert_int_equal(o.max_steps[1], 4);
            json_t *json = nf_train_options_to_json(&o);
            assert_int_equal(
                json_integer_value(json_object_get(json_object_get(json, "peft_config"), "lora_r")),
                4);
            json_decref(json);
        }
        nf_train_options_free(&o);
    }
    nf_directory_remove(root, NULL);
}

static void test_help(void **state) {
    (void)state;
    nf_str help = {0}, man = {0};
    nf_train_options_help(&help, "train", 60);
    nf_train_options_man(&man);
    assert_non_null(strstr(nf_str_text(&help), "--gradient_accumulation_steps N"));
    assert_non_null(strstr(nf_str_text(&man), ".B --peft_lora"));
    nf_str_free(&help);
    nf_str_free(&man);
}

static double number(const json_t *kwargs, const char *key) {
    return json_number_value(json_object_get(kwargs, key));
}

static void test_schedules(void **state) {
    (void)state;
    static const char *const names[] = {"linear",      "cosine",   "cosine_with_restarts",
                                        "polynomial",  "constant", "constant_with_warmup",
                                        "inverse_sqrt"};
    json_t *json, *item, *value;
    size_t i, step, compared = 0;
    assert_ok(nf_json_load(&json, "tests/golden/schedules.json", &error), &error);
    json_array_foreach(json_object_get(json, "cases"), i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        const json_t *kwargs = json_object_get(item, "kwargs");
        nf_schedule_options o = {number(kwargs, "num_cycles"), number(kwargs, "power"),
                                 number(kwargs, "lr_end"), number(json, "initial_rate"),
                                 number(kwargs, "timescale")};
        int kind = 0;
        while (strcmp(names[kind], name) != 0) kind++;
        json_array_foreach(json_object_get(item, "factors"), step, value) {
            double given = nf_schedule_factor((nf_schedule_kind)kind, (int64_t)step,
                                              (int64_t)number(item, "warmup"),
                                              (int64_t)number(item, "total"), &o);
            if (fabs(given - json_number_value(value)) > 1e-9)
                fail_msg("case %zu, %s, step %zu: %.12g, expected %.12g", i, name, step, given,
                         json_number_value(value));
            compared++;
        }
    }
    assert_true(compared > 300);
    json_decref(json);
}

/* The table as a program sees it: every option with a default of its type. */
static void test_table(void **state) {
    (void)state;
    char *text = nerfit_config_options();
    json_t *table, *row;
    assert_non_null(text);
    assert_ok(nf_json_parse(&table, text, strlen(text), NULL, 0, &error), &error);
    assert_true(json_array_size(table) > 60);
    nerfit_config *config;
    assert_ok(nerfit_config_new(&config, &error), &error);
    char *values_text = nerfit_config_values(config);
    json_t *values;
    assert_non_null(values_text);
    assert_ok(nf_json_parse(&values, values_text, strlen(values_text), NULL, 0, &error), &error);
    nerfit_free(values_text);
    nerfit_config_free(config);
    size_t i;
    json_array_foreach(table, i, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        json_t *within = json_object_get(row, "within");
        json_t *place = within ? json_object_get(values, json_string_value(within)) : values;
        if (!json_equal(json_object_get(place, name), json_object_get(row, "default")))
            fail_msg("%s: another default than the run's", name);
        assert_true(strlen(json_string_value(json_object_get(row, "help"))) > 5);
        if (strcmp(name, "lr_scheduler_type") == 0) {
            json_t *choices = json_object_get(row, "choices");
            assert_int_equal(json_array_size(choices), 7);
            assert_string_equal(json_string_value(json_array_get(choices, 6)), "inverse_sqrt");
            assert_true(json_is_true(json_object_get(row, "pair")));
        }
        if (strcmp(name, "lora_r") == 0) {
            assert_string_equal(json_string_value(within), "peft_config");
            assert_true(json_real_value(json_object_get(row, "most")) == 4096);
        }
    }
    json_decref(values);
    json_decref(table);
    nerfit_free(text);
}

/* A list has no end, on the command line or in a config. */
static void test_long_lists(void **state) {
    (void)state;
    enum { MANY = 300 };
    char folder[64], path[80];
    nf_str flag = {0}, yaml = {0};
    nerfit_error err;
    for (int i = 0; i < MANY; i++) {
        nf_str_appendf(&flag, "%sm%d", i ? "," : "", i);
        nf_str_appendf(&yaml, "%sm%d", i ? ", " : "target_modules: [", i);
    }
    nf_str_append_text(&yaml, "]\n");
    temporary_folder(folder);
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    write_text(path, nf_str_text(&yaml));
    for (int from_file = 0; from_file < 2; from_file++) {
        nf_train_options options;
        assert_ok(nf_train_options_init(&options, &err), &err);
        assert_ok(from_file ? nf_train_options_load(&options, path, &err)
                            : nf_train_options_set(&options, "target_modules", nf_str_text(&flag),
                                                   NULL, 0, &err),
                  &err);
        assert_int_equal(options.target_modules.count, MANY);
        assert_string_equal(options.target_modules.items[MANY - 1], "m299");
        nf_train_options_free(&options);
    }
    nf_directory_remove(folder, NULL);
    nf_str_free(&flag);
    nf_str_free(&yaml);
}

/* The options' list of backends is the registry's. */
static void test_backends(void **state) {
    (void)state;
    char text[128] = "auto";
    const char *name, *description;
    for (size_t i = 0; (name = nerfit_backend_name(i, &description)); i++) {
        strcat(strcat(text, "|"), name);
        assert_non_null(description);
        nf_backend *be;
        assert_ok(nf_backend_create(&be, name, &(nf_backend_options){0}, &error), &error);
        be->free(be);
        nf_train_options o;
        assert_ok(nf_train_options_init(&o, &error), &error);
        assert_ok(nf_train_options_set(&o, "backend", name, NULL, 0, &error), &error);
        assert_int_equal(o.backend, i + 1);
        nf_train_options_free(&o);
    }
    assert_string_equal(text, NF_BACKEND_CHOICES);
    nf_backend *none;
    assert_int_equal(nf_backend_create(&none, "cuda", &(nf_backend_options){0}, &error),
                     NERFIT_ARGUMENT);
    assert_string_equal(error.text, "backend \"cuda\" is not one of auto, cpu, ref");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_lists),
        cmocka_unit_test(test_backends),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_nerfit_defaults),
        cmocka_unit_test(test_adapter_defaults),
        cmocka_unit_test(test_rehearsal_defaults),
        cmocka_unit_test(test_best_of_stage1),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_best_needs_evaluations),
        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
