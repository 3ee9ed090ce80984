/* Files that shrink, and folders that are exchanged, while they are read: an error or a new try, never
 * SIGBUS and never a mixture. */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "tiny_model.h"

#include "api_steady.h"
#include "base/mapping.h"

static char root[64];

static char *path_in(const char *name) {
    static char path[4][200];
    static int turn;
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", root, name);
    return out;
}

static void fill(const char *path, size_t size) {
    nerfit_error err;
    char *data = malloc(size);
    assert_non_null(data);
    memset(data, 'x', size);
    assert_ok(nf_file_write(path, data, size, &err), &err);
    free(data);
}

/* What is gone reads as zeros, the rest as it was, and the check tells. */
static void test_a_file_that_shrinks(void **state) {
    (void)state;
    enum { SIZE = 100000, KEPT = 50000, PAGE = 65536 };
    const char *path = path_in("weights");
    nf_file file, other;
    nerfit_error err;
    fill(path, SIZE);
    fill(path_in("other"), SIZE);
    assert_ok(nf_file_map(&file, path, &err), &err);
    assert_ok(nf_file_map(&other, path_in("other"), &err), &err);
    assert_ok(nf_file_check(&file, path, &err), &err);
    assert_int_equal(truncate(path, KEPT), 0);
    assert_int_equal(file.data[KEPT - 1], 'x');
    assert_ok(nf_file_check(&file, path, &err), &err); /* nothing that is gone was used */
    assert_int_equal(file.data[SIZE - 1], 0);
    assert_int_equal(nf_file_check(&file, path, &err), NERFIT_IO);
    assert_non_null(strstr(err.text, "weights: became shorter, or could not be read, while"));
    assert_int_equal(file.data[PAGE], 0);
    assert_int_equal(other.data[SIZE - 1], 'x');
    assert_ok(nf_file_check(&other, path, &err), &err);
    nf_file_close(&file);
    fill(path, SIZE); /* another file there, another mapping */
    assert_ok(nf_file_map(&file, path, &err), &err);
    assert_int_equal(file.data[SIZE - 1], 'x');
    assert_ok(nf_file_check(&file, path, &err), &err);
    nf_file_close(&file);
    nf_file_close(&other);
}

/* What is parsed is read into memory. */
static void test_a_file_that_is_parsed(void **state) {
    (void)state;
    nf_file file;
    nerfit_error err;
    fill(path_in("text"), 100000);
    assert_ok(nf_file_open(&file, path_in("text"), &err), &err);
    assert_int_equal(truncate(path_in("text"), 0), 0);
    assert_int_equal(file.data[99999], 'x');
    nf_file_close(&file);
}

/* More mappings than can be guarded. */
static void test_many_mappings(void **state) {
    (void)state;
    enum { COUNT = 1100 };
    static nf_file files[COUNT];
    nerfit_error err;
    fill(path_in("small"), 5000);
    for (size_t i = 0; i < COUNT; i++)
        assert_ok(nf_file_map(&files[i], path_in("small"), &err), &err);
    assert_int_equal(truncate(path_in("small"), 0), 0);
    size_t lost = 0;
    for (size_t i = 0; i < COUNT; i++) {
        char last = files[i].data[4999];
        bool told = nf_file_check(&files[i], "small", &err) != NERFIT_OK;
        assert_int_equal(last, told ? 0 : 'x');
        lost += told;
        nf_file_close(&files[i]);
    }
    assert_in_range(lost, 1, COUNT - 1);
}

static sigjmp_buf back;
static volatile sig_atomic_t faults;

static void own_handler(int number) {
    (void)number;
    faults++;
    siglongjmp(back, 1);
}

/* A fault elsewhere goes to the handler that a program had set before the first model was loaded. */
static void test_other_faults(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = own_handler};
    nf_file guarded;
    nerfit_error err;
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
    fill(path_in("guarded"), 8192);
    assert_ok(nf_file_map(&guarded, path_in("guarded"), &err), &err);
    fill(path_in("foreign"), 8192);
    FILE *file = fopen(path_in("foreign"), "r");
    assert_non_null(file);
    volatile char *mapping = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    assert_true(mapping != MAP_FAILED);
    fclose(file);
    assert_int_equal(truncate(path_in("foreign"), 0), 0);
    if (sigsetjmp(back, 1) == 0) {
        (void)mapping[5000];
        fail_msg("no SIGBUS");
    }
    assert_int_equal(faults, 1);
    munmap((void *)mapping, 8192);
    assert_int_equal(truncate(path_in("guarded"), 0), 0); /* ours are still served */
    assert_int_equal(guarded.data[5000], 0);
    assert_int_equal(faults, 1);
    nf_file_close(&guarded);
}

/* A loaded model whose weights are cut off gives an error until it is loaded again. */
static void check_model(const char *backend) {
    nerfit_error err;
    nerfit_model *model;
    nerfit_session *session;
    char folder[100], weights[200];
    const char *texts[] = {"wake me up at nine"};
    const nerfit_prediction *found;
    snprintf(folder, sizeof folder, "%s/model-%s", root, backend);
    snprintf(weights, sizeof weights, "%s/model.safetensors", folder);
    make_tiny_model(folder, true);
    const nerfit_model_options options = {
        .size = sizeof options, .backend = backend, .precision = "f32", .threads = 1};
    assert_ok(nerfit_model_load(&model, folder, &options, &err), &err);
    assert_ok(nerfit_session_new(&session, model, &err), &err);
    assert_ok(nerfit_predict(session, texts, NULL, 1, &found, &err), &err);
    assert_int_equal(truncate(weights, 0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nerfit_predict(session, texts, NULL, 1, &found, &err), NERFIT_IO);
        assert_non_null(strstr(err.text, "model.safetensors: became shorter"));
    }
    nerfit_session_free(session);
    nerfit_model_free(model);
    assert_int_equal(nerfit_model_load(&model, folder, &options, &err), NERFIT_FORMAT);
    make_tiny_model(folder, true);
    assert_ok(nerfit_model_load(&model, folder, &options, &err), &err);
    nerfit_model_free(model);
}

static void test_models(void **state) {
    (void)state;
    check_model("ref");
    check_model("cpu");
}

/* ---------------------------------------------------------------- folders */

typedef struct exchange {
    int loads, undone, changes; /* how often the folder is changed while it is loaded */
    char loaded[200];
    const char *link; /* to be led elsewhere; NULL: a file comes into the folder */
} exchange;

static nerfit_status load_and_change(void *user, const char *folder, nerfit_error *err) {
    exchange *e = user;
    (void)err;
    snprintf(e->loaded, sizeof e->loaded, "%s", folder);
    if (e->loads++ >= e->changes) return NERFIT_OK;
    if (e->link) {
        assert_int_equal(unlink(e->link), 0);
        assert_int_equal(symlink("b", e->link), 0);
    } else {
        char from[300], to[300];
        snprintf(from, sizeof from, "%s/new-%d", root, e->loads);
        snprintf(to, sizeof to, "%s/config.json", folder);
        fill(from, 5);
        assert_int_equal(rename(from, to), 0);
    }
    return NERFIT_OK;
}

static void undo(void *user) {
    ((exchange *)user)->undone++;
}

static void test_folders(void **state) {
    (void)state;
    nerfit_error err;
    exchange e = {0};
    const nf_folder_loader loader = {load_and_change, undo, &e};
    char a[100];
    snprintf(a, sizeof a, "%s/a", root);
    assert_ok(nf_directory_make(a, &err), &err);
    assert_ok(nf_directory_make(path_in("b"), &err), &err);
    assert_ok(nf_folder_load(&loader, a, &err), &err);
    assert_int_equal(e.loads, 1);
    assert_int_equal(e.undone, 0);
    e = (exchange){.changes = 2}; /* the third time it is left alone */
    assert_ok(nf_folder_load(&loader, a, &err), &err);
    assert_int_equal(e.loads, 3);
    assert_int_equal(e.undone, 2);
    e = (exchange){.changes = 100};
    assert_int_equal(nf_folder_load(&loader, a, &err), NERFIT_IO);
    assert_non_null(strstr(err.text, "/a: was changed while it was loaded, 3 times"));
    assert_int_equal(e.undone, 3);
    /* what a link led to when loading began */
    char link[100];
    snprintf(link, sizeof link, "%s/link", root);
    assert_int_equal(symlink("a", link), 0);
    e = (exchange){.changes = 100, .link = link};
    assert_ok(nf_folder_load(&loader, link, &err), &err);
    assert_int_equal(e.loads, 1);
    assert_non_null(strstr(e.loaded, "/a"));
    assert_ok(nf_folder_load(&loader, link, &err), &err);
    assert_non_null(strstr(e.loaded, "/b"));
}

static int make_root(void **state) {
    (void)state;
    temporary_folder(root);
    return 0;
}

static int remove_root(void **state) {
    (void)state;
    return nf_directory_remove(root, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_that_shrinks),
        cmocka_unit_test(test_a_file_that_is_parsed),
        cmocka_unit_test(test_many_mappings),
        cmocka_unit_test(test_other_faults),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
