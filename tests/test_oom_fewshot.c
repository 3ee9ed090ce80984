/* Missing memory in the few-shot protocol, whose runs are made up: see oom.h. */
#include "oom.h"

#include "fewshot.h"

static fake experiment;

static nerfit_status work(nerfit_error *error) {
    nf_fewshot_options options = {
        .k = "1,2", .seeds = "2", .recipes = "plain x:max_steps=0,auto", .negatives = "1"};
    json_t *result = NULL;
    char path[128];
    nf_str text = {0};
    snprintf(path, sizeof path, "%s/runs.jsonl", experiment.folder);
    nerfit_status status = fake_call(&experiment, &options, &result, error);
    if (status == NERFIT_OK) {
        nf_fewshot_text(result, &text);
        nf_fewshot_markdown(result, &text);
        if (text.failed) status = nf_no_memory(error, 0);
    }
    remove(path); /* so that all is run the next time, too */
    nf_str_free(&text);
    json_decref(result);
    return status;
}

/* Syncing a folder is a convenience that may be left out (file.c). */
static void test_fewshot(void **state) {
    (void)state;
    fake_begin(&experiment);
    assert_true(oom_try_all("fewshot", work, OOM_MAY_BE_SILENT) > 100);
    fake_end(&experiment);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fewshot)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
