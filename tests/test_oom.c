/* Missing memory, at every single allocation: an error, no leak, no crash, no half file. */
#include "oom.h"

#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "eval/report.h"
#include "eval/score.h"
#include "tensor/safetensors.h"

#define GOLDEN "tests/golden/safetensors"

static char folder[] = "/tmp/nerfit-test-XXXXXX";

static const char *in_folder(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---------------------------------------------------------------- the device itself */

static void *leaked;

static nerfit_status leaks_when_the_second_fails(nerfit_error *err) {
    leaked = malloc(10);
    void *second = leaked ? malloc(10) : NULL;
    if (!second) return nf_no_memory(err, 10);
    free(second);
    free(leaked);
    return NERFIT_OK;
}

/* Counts what a good and a leaking function do, without the assertions of oom_try_all. */
static void test_device(void **state) {
    (void)state;
    long before = oom.live;
    oom_arm(0, false);
    assert_int_equal(leaks_when_the_second_fails(NULL), NERFIT_OK);
    assert_int_equal(oom.calls, 2);
    assert_int_equal(oom.live, before);
    oom_arm(2, false);
    assert_int_equal(leaks_when_the_second_fails(NULL), NERFIT_NO_MEMORY);
    assert_int_equal(oom.failed, 1);
    assert_int_equal(oom.live, before + 1);
    free(leaked);
    oom_arm(1, true);
    assert_null(malloc(1));
    assert_null(calloc(1, 1));
    assert_null(realloc(NULL, 1));
    assert_null(aligned_alloc(64, 64));
    assert_null(strdup("x"));
    assert_null(json_object());
    assert_true(oom.failed_in_jansson);
    oom_disarm();
}

/* ---------------------------------------------------------------- base */

static nerfit_status use_arena(nerfit_error *err) {
    nf_arena arena = {0};
    bool ok = true;
    for (size_t i = 0; i < 200 && ok; i++)
        ok = nf_arena_alloc(&arena, i * 10) && nf_arena_strdup(&arena, "text") &&
             nf_arena_calloc(&arena, i, 100);
    nf_arena_free(&arena);
    return ok ? NERFIT_OK : nf_no_memory(err, 0);
}

static nerfit_status use_str(nerfit_error *err) {
    nf_str s = {0};
    for (int i = 0; i < 100; i++) nf_str_appendf(&s, "%d %s ", i, "some text");
    bool ok = !s.failed && s.length > 0;
    nf_str_free(&s);
    return ok ? NERFIT_OK : nf_no_memory(err, 0);
}

static nerfit_status use_directories(nerfit_error *err) {
    NF_TRY(nf_directory_make(in_folder("a/b/c"), err));
    NF_TRY(nf_directory_make(in_folder("a/d"), err));
    return nf_directory_remove(in_folder("a"), err);
}

static void test_base(void **state) {
    (void)state;
    assert_true(oom_try_all("arena", use_arena, OOM_IS_SAID) > 3);
    assert_true(oom_try_all("string", use_str, OOM_IS_SAID) > 3);
    assert_true(oom_try_all("folders", use_directories, OOM_IS_SAID) > 3);
}

/* ---------------------------------------------------------------- JSON */

static nerfit_status load_json(nerfit_error *err) {
    json_t *value;
    nerfit_status status = nf_json_load(&value, GOLDEN "/values.json", err);
    if (status != NERFIT_OK) assert_null(value);
    if (status == NERFIT_FORMAT) { /* not without a reason */
        size_t length = strlen(err->text);
        assert_string_not_equal(err->text + length - 2, ": ");
    }
    json_decref(value);
    return status;
}

static const json_t *to_save;

static nerfit_status save_json(nerfit_error *err) {
    nerfit_status status = nf_json_save(to_save, in_folder("value.json"), err);
    if (status != NERFIT_OK) return status;
    oom_disarm();
    json_t *saved;
    assert_ok(nf_json_load(&saved, in_folder("value.json"), err), err);
    assert_true(json_equal(saved, to_save));
    json_decref(saved);
    return NERFIT_OK;
}

static void test_json(void **state) {
    (void)state;
    assert_true(oom_try_all("json load", load_json, OOM_IN_PARSER) > 100);
    nerfit_error err;
    json_t *value;
    assert_ok(nf_json_load(&value, GOLDEN "/values.json", &err), &err);
    to_save = json_object_get(value, "sharded");
    /* the folder's sync after the rename may be left out */
    assert_true(oom_try_all("json save", save_json, OOM_MAY_BE_SILENT) > 5);
    json_decref(value);
}

/* ---------------------------------------------------------------- safetensors */

static nerfit_status open_and_close(const char *path, nerfit_error *err) {
    nf_safetensors *file;
    nerfit_status status = nf_safetensors_open(&file, path, err);
    if (status != NERFIT_OK) assert_null(file);
    nf_safetensors_close(file);
    return status;
}

static nerfit_status open_file(nerfit_error *err) {
    return open_and_close(GOLDEN "/all.safetensors", err);
}

static nerfit_status open_shards(nerfit_error *err) {
    return open_and_close(GOLDEN "/sharded", err);
}

static nerfit_status open_many(nerfit_error *err) {
    return open_and_close(in_folder("many.safetensors"), err);
}

enum { FEW = 12, MANY = 330 }; /* so many that the hash and the table grow */

static nerfit_status save(int count, nerfit_error *err) {
    static char names[MANY][8];
    static nf_to_store tensors[MANY];
    static const float data[2] = {1, 2};
    static const char *const metadata[] = {"format", "pt", NULL};
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        tensors[i] = (nf_to_store){names[i], NF_STORED_F32, 1, {2}, data};
    }
    return nf_safetensors_save(in_folder("many.safetensors"), tensors, (size_t)count, metadata,
                               err);
}

/* A save that says it succeeded must have: opened again, the file is whole. */
static nerfit_status save_few(nerfit_error *err) {
    nerfit_status status = save(FEW, err);
    if (status != NERFIT_OK) return status;
    oom_disarm();
    nf_safetensors *file;
    assert_ok(nf_safetensors_open(&file, in_folder("many.safetensors"), err), err);
    assert_int_equal(nf_safetensors_count(file), FEW);
    assert_string_equal(nf_safetensors_metadata(file, "format"), "pt");
    for (size_t i = 0; i < FEW; i++) assert_int_equal(nf_safetensors_at(file, i)->n_dims, 1);
    nf_safetensors_close(file);
    return NERFIT_OK;
}

static void test_safetensors(void **state) {
    (void)state;
    assert_true(oom_try_all("open", open_file, OOM_IN_PARSER) > 100);
    assert_true(oom_try_all("open shards", open_shards, OOM_IN_PARSER) > 50);
    assert_true(oom_try_all("save", save_few, OOM_MAY_BE_SILENT) > 100);
    nerfit_error err;
    assert_ok(save(MANY, &err), &err);
    assert_true(oom_try_all("open many", open_many, OOM_IN_PARSER) > 1000);
}

/* ---------------------------------------------------------------- the scorer */

static nerfit_status add_types(nf_scorer *scorer, int n_types, nerfit_error *err) {
    for (int i = 0; i < n_types; i++) {
        char type[16];
        snprintf(type, sizeof type, "B-t%d", i);
        const char *gold[] = {type, "O"}, *predicted[] = {type, "B-other"};
        NF_TRY(nf_scorer_add(scorer, gold, predicted, 2, err));
    }
    const char *long_gold[500];
    for (size_t i = 0; i < 500; i++) long_gold[i] = i % 3 ? "I-t1" : "B-t2";
    return nf_scorer_add(scorer, long_gold, long_gold, 500, err);
}

/* Text and JSON. */
static nerfit_status render(const nf_report *report, nerfit_error *err) {
    nf_str text = {0};
    nf_report_text(report, &text);
    bool failed = text.failed;
    nf_str_free(&text);
    if (failed) return nf_no_memory(err, 0);
    json_t *json = nf_report_json(report);
    if (!json) return nf_no_memory(err, 0);
    json_decref(json);
    return NERFIT_OK;
}

static nerfit_status use_scorer(int n_types, bool rendered, nerfit_error *err) {
    nf_scorer *scorer;
    const nf_report *report = NULL;
    nerfit_status status = nf_scorer_new(&scorer, NF_SCHEME_NONE, err);
    if (status == NERFIT_OK) status = add_types(scorer, n_types, err);
    if (status == NERFIT_OK) status = nf_scorer_report(scorer, &report, err);
    if (status == NERFIT_OK && rendered) status = render(report, err);
    nf_scorer_free(scorer);
    return status;
}

/* So many types that the hash grows. */
static nerfit_status count_many(nerfit_error *err) {
    return use_scorer(300, false, err);
}

static nerfit_status report_few(nerfit_error *err) {
    return use_scorer(12, true, err);
}

static void test_scorer(void **state) {
    (void)state;
    assert_true(oom_try_all("scorer", count_many, OOM_IS_SAID) > 8);
    assert_true(oom_try_all("report", report_few, OOM_IS_SAID) > 100);
}

/* A sequence that memory was missing for can be added again, and nothing counts twice. */
static void test_scorer_goes_on(void **state) {
    (void)state;
    nerfit_error err;
    nf_scorer *scorer;
    const nf_report *report;
    assert_ok(nf_scorer_new(&scorer, NF_SCHEME_NONE, &err), &err);
    size_t refused = 0;
    for (int i = 0; i < 300; i++) {
        char a[16], b[16];
        snprintf(a, sizeof a, "B-a%d", i);
        snprintf(b, sizeof b, "B-b%d", i);
        const char *gold[] = {a, "O", b}, *predicted[] = {a, b, b};
        nerfit_status status = NERFIT_NO_MEMORY;
        for (size_t n = 1; status != NERFIT_OK; n++) {
            oom_arm(n, false);
            status = nf_scorer_add(scorer, gold, predicted, 3, &err);
            oom_disarm();
            refused += status != NERFIT_OK;
        }
    }
    assert_true(refused > 3);
    assert_ok(nf_scorer_report(scorer, &report, &err), &err);
    assert_int_equal(report->n_types, 600);
    assert_int_equal(report->n_tokens, 900);
    assert_int_equal(report->micro.support, 600);
    assert_int_equal(report->micro.predicted, 900);
    assert_int_equal(report->micro.correct, 600);
    nf_scorer_free(scorer);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return nf_directory_remove(folder, NULL) == NERFIT_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device), cmocka_unit_test(test_base),
        cmocka_unit_test(test_json),   cmocka_unit_test(test_safetensors),
        cmocka_unit_test(test_scorer), cmocka_unit_test(test_scorer_goes_on),
    };
    return cmocka_run_group_tests_name("out of memory", tests, make_folder, remove_folder);
}
