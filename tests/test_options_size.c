/* Structs that callers of nerfit.h fill: those of earlier and later versions of it. */
#include <stddef.h>
#include <string.h>

#include "test.h"

#include "nerfit.h"

static const char one[] = "{\"text\": \"ab cd\", \"entities\": [[0, 2, \"x\"]]}\n";

static nerfit_status parse(const nerfit_read_options *options, size_t *texts, nerfit_error *error) {
    nerfit_corpus *corpus;
    assert_ok(nerfit_corpus_new(&corpus, NULL, NULL, error), error);
    nerfit_status status =
        nerfit_corpus_parse_with(corpus, one, sizeof one - 1, "one", options, error);
    *texts = nerfit_corpus_size(corpus);
    nerfit_corpus_free(corpus);
    return status;
}

/* A program that was made when the struct ended earlier: what it has behind that is not looked at. */
static void test_earlier(void **state) {
    (void)state;
    nerfit_error error;
    size_t texts;
    nerfit_read_options options = {.size = offsetof(nerfit_read_options, offsets),
                                   .format = "jsonl",
                                   .offsets = "not a unit",
                                   .word_column = "not a column"};
    assert_ok(parse(&options, &texts, &error), &error);
    assert_int_equal(texts, 1);
    options.size = sizeof options;
    assert_int_equal(parse(&options, &texts, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "not a unit"));
}

/* A program that was made later: an option that it sets and nobody here knows is an error. */
static void test_later(void **state) {
    (void)state;
    nerfit_error error;
    size_t texts;
    struct {
        nerfit_read_options known;
        const char *later, *latest;
    } options = {.known = {.size = sizeof options}};
    assert_ok(parse(&options.known, &texts, &error), &error);
    assert_int_equal(texts, 1);
    options.latest = "something";
    assert_int_equal(parse(&options.known, &texts, &error), NERFIT_UNSUPPORTED);
    assert_non_null(strstr(error.text, "later nerfit.h"));
}

/* Every struct without a size: an error that names it, and nothing done. */
static void test_missing(void **state) {
    (void)state;
    nerfit_error error;
    size_t texts;
    const nerfit_read_options read = {.format = "jsonl"};
    assert_int_equal(parse(&read, &texts, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "sizeof(nerfit_read_options)"));
    const nerfit_model_options how = {.threads = 1};
    nerfit_model *model;
    nerfit_encoder *encoder;
    char *text;
    assert_int_equal(nerfit_model_load(&model, "none", &how, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "sizeof(nerfit_model_options)"));
    assert_null(model);
    assert_int_equal(nerfit_encoder_load(&encoder, "none", &how, &error), NERFIT_ARGUMENT);
    assert_int_equal(nerfit_model_find("none", NULL, &how, &text, &error), NERFIT_ARGUMENT);
    nerfit_benchmark benchmark;
    assert_int_equal(nerfit_model_benchmark("none", &how, 1.0, &benchmark, &error),
                     NERFIT_ARGUMENT);
    nerfit_quantization quantization;
    assert_int_equal(
        nerfit_model_quantize("none", "none", NULL, &how, false, &quantization, &error),
        NERFIT_ARGUMENT);
    const nerfit_describe_options describe = {.llm = "none"};
    assert_int_equal(nerfit_describe(NULL, 0, &describe, &text, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "sizeof(nerfit_describe_options)"));
}

static void test_missing_of_runs(void **state) {
    (void)state;
    nerfit_error error;
    nerfit_config *config;
    assert_ok(nerfit_config_new(&config, &error), &error);
    nerfit_train_result result;
    const nerfit_callbacks callbacks = {.log = NULL};
    assert_int_equal(nerfit_train(config, &callbacks, &result, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "sizeof(nerfit_callbacks)"));
    assert_int_equal(nerfit_pretrain(config, &callbacks, &result, &error), NERFIT_ARGUMENT);
    const nerfit_fewshot_options fewshot = {.k = "1"};
    nerfit_fewshot_result shots;
    assert_int_equal(nerfit_fewshot(config, &fewshot, NULL, NULL, NULL, &shots, &error),
                     NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "sizeof(nerfit_fewshot_options)"));
    nerfit_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_earlier), cmocka_unit_test(test_later),
                                       cmocka_unit_test(test_missing),
                                       cmocka_unit_test(test_missing_of_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
