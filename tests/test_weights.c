/* Weights, unknown places and labels that were looked for: from JSON lines to the losses of whole
 * runs. What is known of all counts as before to the last bit; a weight of 0 is as if the text were
 * not there. */
#include "tiny_run.h"

#include <math.h>

#include "data/annotations.h"
#include "data/weights.h"
#include "text/tokenizer.h"
#include "train/examples.h"

static nerfit_error error;

static int make_root(void **state) {
    (void)state;
    temporary_folder(root);
    make_tiny_model(in_root("encoder"), false);
    write_text(in_root("labels.yaml"), "time: a time of day\nsong: kind of music\nplace: a city\n"
                                       "person: a name\n");
    return 0;
}

static void parse(nf_corpus *corpus, const char *lines) {
    nf_annotation_options options = {0};
    assert_ok(nf_annotations_parse_with(corpus, lines, strlen(lines), "w.jsonl", &options, &error),
              &error);
}

/* ---------------------------------------------------------------- sources and zeros */

static const nf_source_weight silver[] = {{"silver", 0.5}, {"bad", 0.0}};

static void test_weigh(void **state) {
    (void)state;
    static const char lines[] =
        "{\"text\": \"bob at ten\", \"entities\": [{\"start\": 0, \"end\": 3, \"label\": "
        "\"person\","
        " \"weight\": 0}, {\"start\": 7, \"end\": 10, \"label\": \"time\", \"source\": "
        "\"silver\"}]}\n"
        "{\"text\": \"rome\", \"entities\": [[0, 4, \"place\"]], \"source\": \"bad\"}\n"
        "{\"text\": \"madrid now\", \"entities\": [], \"labels\": []}\n"
        "{\"text\": \"jazz in rome\", \"source\": \"silver\", \"weight\": 3, \"unknown\": [[5, "
        "7]], "
        "\"labels\": [\"song\", \"place\"], \"entities\": [{\"start\": 0, \"end\": 4, \"label\": "
        "\"song\", \"source\": \"gold\"}, {\"start\": 8, \"end\": 12, \"label\": \"place\", "
        "\"source\": \"silver\", \"weight\": 0.5}]}\n";
    const nf_source_weights sources = {silver, 2};
    nf_corpus all = {0}, out = {0}, twice = {0};
    parse(&all, lines);
    assert_true(nf_corpus_is_weighted(&all, &sources));
    assert_ok(nf_corpus_weigh(&out, &all, &sources, NULL, &error), &error);
    assert_ok(nf_corpus_weigh(&twice, &out, &sources, NULL, &error), &error);
    for (int i = 0; i < 2; i++) {
        const nf_corpus *c = i ? &twice : &out;
        const nf_document *bob = &c->documents[0], *jazz = &c->documents[1];
        assert_int_equal(c->n_documents, 2);
        assert_int_equal(c->n_labels, 3); /* of what is left, in the order of all */
        assert_string_equal(c->labels[0], "time");
        assert_int_equal(bob->n_spans, 1);
        assert_int_equal(bob->beside->n_unknown, 1);
        assert_int_equal(bob->beside->unknown[0].end, 3);
        assert_true(nf_weight_of(bob->beside) == 1.0);
        assert_true(nf_weight_of(bob->spans[0].beside) == 0.5);
        assert_true(nf_weight_of(jazz->beside) == 1.5);
        assert_true(nf_weight_of(jazz->spans[0].beside) == 2.0); /* times 1.5 / 2 of silver: 3 */
        assert_true(nf_weight_of(jazz->spans[1].beside) == 0.5);
        assert_int_equal(jazz->beside->n_labels, 2);
    }
    nf_corpus_free(&all);
    nf_corpus_free(&out);
    nf_corpus_free(&twice);
}

/* ---------------------------------------------------------------- examples */

static void test_examples(void **state) {
    (void)state;
    static const char lines[] =
        "{\"text\": \"call bob at ten now\", \"weight\": 2, \"unknown\": [[8, 10], [17, 18]], "
        "\"labels\": [\"time\", \"nothing\"], \"entities\": [{\"start\": 12, \"end\": 15, "
        "\"label\": \"time\", \"weight\": 0.25}]}\n"
        "{\"text\": \"play jazz now\", \"entities\": [[5, 9, \"song\"]], \"unknown\": [[5, 9]]}\n"
        "{\"text\": \"wake me\", \"entities\": []}\n";
    static const char *const types[] = {"song", "time"};
    nf_corpus corpus = {0};
    nf_label_set labels = {0};
    nf_tokenizer *tokenizer;
    nf_examples out = {0};
    parse(&corpus, lines);
    assert_ok(nf_label_set_make(&labels, types, 2, &error), &error);
    assert_ok(nf_tokenizer_load(&tokenizer, in_root("encoder"), &error), &error);
    assert_ok(
        nf_examples_make(&out, &corpus, &labels, tokenizer, 64, NF_WORDS_BLANKS, NULL, &error),
        &error);
    const nf_example *call = &out.items[0], *play = &out.items[1], *wake = &out.items[2];
    /* [CLS] call bob at ten now [SEP]; "at" is unknown, and "now" by its middle */
    const float weights[] = {2, 2, 2, 0, 0.5f, 0, 2};
    const int32_t expected[] = {-100, 0, 0, -100, 3, -100, -100};
    assert_int_equal(call->length, 7);
    for (int i = 0; i < 7; i++) {
        assert_true(call->weights[i] == weights[i]);
        assert_int_equal(call->labels[i], expected[i]);
    }
    for (size_t w = 0; w < 5; w++) assert_true(nf_example_word_weight(call, w) == weights[w + 1]);
    assert_true(call->text_weight == 2.0f && call->entity_weights[0] == 0.25f);
    assert_int_equal(call->n_looked_for, 1);
    assert_int_equal(call->looked_for[0], 1);
    assert_int_equal(out.n_foreign_labels, 1);
    assert_int_equal(play->n_entities, 0); /* nothing of it is known */
    assert_null(play->looked_for);
    assert_null(wake->weights);
    nf_examples_free(&out);
    nf_tokenizer_free(tokenizer);
    nf_label_set_free(&labels);
    nf_corpus_free(&corpus);
}

/* ---------------------------------------------------------------- runs */

/* Every text with this weight, if any; junk: with texts of weight 0 between them. */
static void write_texts(const char *path, const char *weight, bool junk) {
    static const char *const texts[][2] = {
        {"wake me up at nine", "[14, 18, \"time\"]"},
        {"play jazz in madrid", "[5, 9, \"song\"], [13, 19, \"place\"]"},
        {"call bob at ten please", "[5, 8, \"person\"], [12, 15, \"time\"]"},
        {"please wake me up", ""},
        {"bob is in rome", "[0, 3, \"person\"], [10, 14, \"place\"]"},
        {"play jazz now", "[5, 9, \"song\"]"},
        {"call me at nine", "[11, 15, \"time\"]"},
    };
    nf_str out = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (junk && i % 2)
            nf_str_append_text(&out,
                               "{\"text\": \"rome at jazz\", \"entities\": [[0, 4, \"what\"]], "
                               "\"weight\": 0}\n");
        nf_str_appendf(&out, "{\"text\": \"%s\", \"entities\": [%s]%s%s}\n", texts[i][0],
                       texts[i][1], weight ? ", \"weight\": " : "", weight ? weight : "");
    }
    write_text(path, nf_str_text(&out));
    nf_str_free(&out);
}

typedef struct log_of_run {
    double losses[32];
    size_t n;
} log_of_run;

static bool keep_losses(void *user, const nerfit_event *event) {
    log_of_run *log = user;
    if (event->kind == NERFIT_EVENT_STEP && log->n < 32) log->losses[log->n++] = event->loss;
    return true;
}

static void train(const char *output, const char *recipe, log_of_run *log, const char *sources) {
    const char *const settings[] = {"model_name",
                                    in_root("encoder"),
                                    "st_model_name",
                                    in_root("encoder"),
                                    "train_annotations",
                                    in_root("train.jsonl"),
                                    "ent2emb",
                                    in_root("labels.yaml"),
                                    "output_dir",
                                    in_root(output),
                                    "recipe",
                                    recipe,
                                    "max_steps",
                                    "4,6",
                                    "warmup_steps",
                                    "1",
                                    "learning_rate",
                                    "1e-3",
                                    "per_device_train_batch_size",
                                    "3",
                                    "gradient_accumulation_steps",
                                    "2",
                                    "precision",
                                    "f32",
                                    "threads",
                                    "1",
                                    "calibration",
                                    "none",
                                    "source_weights",
                                    sources,
                                    NULL};
    nerfit_config *config = config_of(settings, NULL);
    nerfit_callbacks callbacks = {.size = sizeof callbacks, .event = keep_losses, .user = log};
    *log = (log_of_run){0};
    assert_ok(run_config(nerfit_train, config, &callbacks, &error), &error);
}

/* Of both recipes and all their stages. */
static void test_runs(void **state) {
    (void)state;
    static const char *const recipes[] = {"original", "nerfit"};
    for (size_t r = 0; r < 2; r++) {
        char plain[32], other[32], a[80], b[80];
        log_of_run losses, again;
        snprintf(plain, sizeof plain, "%s", recipes[r]);
        snprintf(a, sizeof a, "%s/best/model.safetensors", plain);
        write_texts(in_root("train.jsonl"), NULL, false);
        train(plain, recipes[r], &losses, "none=1");
        assert_int_equal(losses.n, 10);
        for (int kind = 0; kind < 3; kind++) {
            /* weights of 1; texts of weight 0 between; all of half the weight */
            snprintf(other, sizeof other, "%s-%d", recipes[r], kind);
            write_texts(in_root("train.jsonl"),
                        kind == 0   ? "1"
                        : kind == 2 ? "0.5"
                                    : NULL,
                        kind == 1);
            train(other, recipes[r], &again, "none=1");
            snprintf(b, sizeof b, "%s/best/model.safetensors", other);
            if (kind < 2) assert_same_file(in_root(a), in_root(b));
            for (size_t i = 0; i < losses.n; i++)
                if (!(fabs(losses.losses[i] - again.losses[i]) <=
                      (kind < 2 ? 0.0 : 1e-4 * losses.losses[i])))
                    fail_msg("%s, kind %d, step %zu: loss %.9g, expected %.9g", recipes[r], kind, i,
                             again.losses[i], losses.losses[i]);
        }
    }
}

/* Nothing is known of the only text with an entity. */
static void test_nothing_known(void **state) {
    (void)state;
    write_text(in_root("train.jsonl"),
               "{\"text\": \"rome\", \"entities\": [[0, 4, \"place\"]], \"weight\": 0}\n");
    const char *const settings[] = {"model_name",
                                    in_root("encoder"),
                                    "train_annotations",
                                    in_root("train.jsonl"),
                                    "output_dir",
                                    in_root("none"),
                                    NULL};
    nerfit_config *config = config_of(settings, NULL);
    nerfit_train_result result;
    assert_int_equal(nerfit_train(config, NULL, &result, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "weight of 0"));
    assert_ok(nerfit_config_set(config, "source_weights", "silver", &error), &error);
    assert_int_equal(nerfit_train(config, NULL, &result, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "expected NAME=WEIGHT"));
    nerfit_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weigh),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_nothing_known),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
