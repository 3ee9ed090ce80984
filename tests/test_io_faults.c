/* Writing that fails, and processes that are killed while they write: what is on the disk then is
 * the old or the new, whole; what is put in place has been synced before; a run goes on to the same
 * bits. NERFIT_TEST_LONG=1 tries every call of a training instead of some of each kind. */
#include "io_faults.h"
#include "tiny_run.h"

#include <sys/wait.h>

static nerfit_error error;

static int make_root(void **state) {
    (void)state;
    make_tiny_root("wake me up at [time : nine]\nplay [song : jazz] now\n"
                   "call [person : bob] at [time : ten] please\nplease wake me\n"
                   "[person : bob] is in madrid\nplay [song : jazz] in rome\n",
                   "time: a time of day\nsong: music\nperson: a name\n");
    return 0;
}

static bool holds(const char *path, const char *text) {
    nf_file file;
    if (nf_file_open(&file, path, NULL) != NERFIT_OK) return false;
    bool same = file.size == strlen(text) && memcmp(file.data, text, file.size) == 0;
    nf_file_close(&file);
    return same;
}

static size_t entries_of(const char *folder) {
    size_t count = 0;
    char command[256];
    snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
    FILE *out = popen(command, "r");
    assert_int_equal(fscanf(out, "%zu", &count), 1);
    pclose(out);
    return count;
}

/* ---------------------------------------------------------------- one file, one folder */

/* A file is synced before it is renamed, its folder after; when a call fails, the old file stays
 * and nothing is left beside it. */
static void test_file(void **state) {
    (void)state;
    const char *path = in_root("file/value");
    assert_ok(nf_directory_make(in_root("file"), &error), &error);
    io_reset();
    io.checks = true;
    assert_ok(nf_file_write(path, "old", 3, &error), &error);
    assert_string_equal(io.fault, "");
    assert_true(io.n_synced == 2 && io.unsynced_folder == 0);
    size_t counts[IO_KINDS];
    memcpy(counts, io.calls, sizeof counts);
    for (int kind = 0; kind < IO_KINDS; kind++)
        for (size_t n = 1; n <= counts[kind]; n++) {
            if (kind == IO_REMOVE) continue; /* of what is renamed already */
            io_arm((io_kind)kind, n, false);
            nerfit_status status = nf_file_write(path, "new", 3, &error);
            assert_true(io.failed);
            bool folder = kind == IO_SYNC && n == 2; /* some file systems do not sync folders */
            if (status != (folder ? NERFIT_OK : NERFIT_IO) ||
                !holds(path, folder ? "new" : "old") || entries_of(in_root("file")) != 1)
                fail_msg("%s %zu: status %d", io_names[kind], n, status);
            io_reset();
            assert_ok(nf_file_write(path, "old", 3, &error), &error);
        }
    assert_true(counts[IO_OPEN] && counts[IO_WRITE] && counts[IO_SYNC] && counts[IO_RENAME]);
}

static void make_folder(const char *path, const char *text) {
    char file[256];
    snprintf(file, sizeof file, "%s/value", path);
    assert_ok(nf_directory_make(path, &error), &error);
    write_text(file, text);
}

/* A folder takes another's place: killed at any call, after a new start there is one of both. */
static void test_folder(void **state) {
    (void)state;
    char from[160], to[160], value[200];
    strcpy(from, in_root("swap/best.nerfit-999999999-01234567"));
    strcpy(to, in_root("swap/best"));
    snprintf(value, sizeof value, "%s/value", to);
    for (int kind = 0; kind < IO_KINDS; kind++)
        for (size_t n = 1;; n++) {
            nf_directory_remove(in_root("swap"), NULL);
            make_folder(to, "old");
            make_folder(from, "new");
            pid_t child = fork();
            if (child == 0) {
                io_arm((io_kind)kind, n, true);
                _exit(nf_directory_replace(from, to, NULL) != NERFIT_OK);
            }
            int how;
            waitpid(child, &how, 0);
            io_reset();
            assert_ok(nf_directory_recover(to, &error), &error);
            assert_ok(nf_directory_remove_unfinished(in_root("swap"), &error), &error);
            bool done = WIFEXITED(how);
            if (done) assert_int_equal(WEXITSTATUS(how), 0);
            if (!(holds(value, "new") || (!done && holds(value, "old"))) ||
                entries_of(in_root("swap")) != 1)
                fail_msg("killed at %s %zu", io_names[kind], n);
            if (done) break;
        }
    /* there is one of them at every moment, and an error leaves the old */
    make_folder(from, "newer");
    io_reset();
    io.stays = value;
    assert_ok(nf_directory_replace(from, to, &error), &error);
    assert_string_equal(io.fault, "");
    assert_true(holds(value, "newer"));
    make_folder(from, "newest");
    io_arm(IO_RENAME, 1, false);
    assert_int_equal(nf_directory_replace(from, to, &error), NERFIT_IO);
    assert_true(holds(value, "newer"));
    /* killed on a file system that cannot exchange folders, between its two renames */
    io_reset();
    assert_ok(nf_file_rename(to, in_root("swap/.best.old"), &error), &error);
    assert_ok(nf_directory_recover(to, &error), &error);
    assert_true(holds(value, "newer"));
    /* and after them */
    make_folder(in_root("swap/.best.old"), "old");
    assert_ok(nf_directory_recover(to, &error), &error);
    assert_true(holds(value, "newer") && !nf_directory_exists(in_root("swap/.best.old")));
}

/* The temporary name cannot be known, and what lies there is not followed. */
static void test_links(void **state) {
    (void)state;
    nf_arena arena = {0};
    char *names[2];
    for (size_t i = 0; i < 2; i++)
        assert_non_null(names[i] = nf_path_unfinished(&arena, in_root("value")));
    assert_string_not_equal(names[0], names[1]);
    nf_arena_free(&arena);
}

/* ---------------------------------------------------------------- a training */

static nerfit_status train(const char *output, const char *name, const char *value) {
    const char *const settings[] = {
        "recipe", "original",      "max_steps", "2,4",     "eval_steps", "2", "save_steps",
        "2",      "logging_steps", "1",         "backend", "ref",        NULL};
    const char *const extra[] = {name, value, NULL};
    nerfit_config *config = tiny_config(output, settings, name ? extra : NULL);
    return run_config(nerfit_train, config, NULL, &error);
}

static void assert_as_whole(const char *what, size_t n) {
    static const char *const files[] = {"best/model.safetensors", "best/config.json",
                                        "trainer_state.json", "metrics.jsonl"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char ours[64], theirs[64];
        snprintf(ours, sizeof ours, "parts/%s", files[i]);
        snprintf(theirs, sizeof theirs, "whole/%s", files[i]);
        nf_file a, b;
        assert_ok(nf_file_open(&a, in_root(ours), &error), &error);
        assert_ok(nf_file_open(&b, in_root(theirs), &error), &error);
        bool same = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
        nf_file_close(&a);
        nf_file_close(&b);
        if (!same) fail_msg("%s %zu: %s is not that of a run without a fault", what, n, files[i]);
    }
    if (entries_of(in_root("parts")) != entries_of(in_root("whole")) ||
        entries_of(in_root("parts/stage2")) != entries_of(in_root("whole/stage2")))
        fail_msg("%s %zu: something is left", what, n);
}

static bool goes_on(const char *what, size_t n) {
    io_reset();
    if (train("parts", "resume_from_checkpoint", "true") != NERFIT_OK)
        fail_msg("%s %zu: %s", what, n, error.text);
    assert_as_whole(what, n);
    return true;
}

/* Every n-th call fails, or the process is killed there. */
static void test_training(void **state) {
    (void)state;
    io_reset();
    io.checks = true;
    assert_ok(train("whole", NULL, NULL), &error);
    assert_string_equal(io.fault, "");
    size_t counts[IO_KINDS];
    memcpy(counts, io.calls, sizeof counts);
    size_t tried = 0, failed = 0;
    for (int kills = 0; kills < 2; kills++)
        for (int kind = 0; kind < IO_KINDS; kind++) {
            size_t stride = getenv("NERFIT_TEST_LONG") ? 1 : counts[kind] / 6 + 1;
            for (size_t n = 1 + (size_t)kills; n <= counts[kind]; n += stride, tried++) {
                nf_directory_remove(in_root("parts"), NULL);
                pid_t child = fork();
                if (child == 0) {
                    io_arm((io_kind)kind, n, kills);
                    nerfit_status status = train("parts", NULL, NULL);
                    _exit(status == NERFIT_OK ? 0 : error.text[0] ? 1 : 2);
                }
                int how;
                waitpid(child, &how, 0);
                failed += !(WIFEXITED(how) && WEXITSTATUS(how) == 0);
                if (WIFEXITED(how) && WEXITSTATUS(how) == 2)
                    fail_msg("%s %zu: an error without a text", io_names[kind], n);
                goes_on(io_names[kind], n);
            }
        }
    assert_true(failed > tried / 2);
}

/* A run over an earlier one: the model that is there can be used at every moment, and is there
 * after a kill at any rename. */
static void test_best_stays(void **state) {
    (void)state;
    nf_directory_remove(in_root("parts"), NULL);
    io_reset();
    assert_ok(train("parts", NULL, NULL), &error);
    char model[160];
    strcpy(model, in_root("parts/best/model.safetensors"));
    io_reset();
    io.stays = model;
    assert_ok(train("parts", "overwrite_output_dir", "true"), &error);
    assert_string_equal(io.fault, "");
    size_t renames = io.calls[IO_RENAME];
    for (size_t n = 1; n <= renames; n++) {
        pid_t child = fork();
        if (child == 0) {
            io_arm(IO_RENAME, n, true);
            train("parts", "overwrite_output_dir", "true");
            _exit(0);
        }
        waitpid(child, NULL, 0);
        if (!nf_file_exists(model)) fail_msg("killed at rename %zu: best/ is gone", n);
    }
    goes_on("rename", renames);
}

/* Metrics that cannot be written stop the run with the reason; it can go on. */
static void test_metrics(void **state) {
    (void)state;
    nf_directory_remove(in_root("parts"), NULL);
    bool met = false;
    io_reset();
    for (size_t n = 1; n < 400 && !met; n++) {
        nf_directory_remove(in_root("parts"), NULL);
        io_arm(IO_WRITE, n, false);
        nerfit_status status = train("parts", NULL, NULL);
        if (status == NERFIT_OK ||
            !strstr(error.text, "metrics.jsonl: cannot be written: No space"))
            continue;
        assert_int_equal(status, NERFIT_IO);
        met = n > 3; /* not where the file is begun, but a line of it */
    }
    assert_true(met);
    goes_on("metrics", 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),       cmocka_unit_test(test_folder),
        cmocka_unit_test(test_links),      cmocka_unit_test(test_training),
        cmocka_unit_test(test_best_stays), cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
