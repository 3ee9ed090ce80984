/* Files (src/base/file.h): what is read, and that a write is seen wholly or not at all: when the
 * disk is full, when the process is killed at any moment, when two write at once. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

static char folder[] = "/tmp/nerfit-test-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return nf_directory_remove(folder, NULL) == NERFIT_OK && !nf_directory_exists(folder) ? 0 : -1;
}

static const char *in_folder(const char *name) {
    static char path[4][4096];
    static int next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

/* How many entries of the folder begin with `prefix`. */
static size_t count_entries(const char *prefix) {
    DIR *entries = opendir(folder);
    size_t count = 0;
    for (struct dirent *e; (e = readdir(entries));)
        count += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(entries);
    return count;
}

static void assert_content(const char *path, const char *wanted) {
    nerfit_error err;
    nf_file file;
    assert_ok(nf_file_open(&file, path, &err), &err);
    assert_int_equal(file.size, strlen(wanted));
    assert_memory_equal(file.data, wanted, file.size);
    nf_file_close(&file);
}

/* ---------------------------------------------------------------- reading */

static void test_open(void **state) {
    (void)state;
    nerfit_error err;
    nf_file file;
    assert_ok(nf_file_write(in_folder("empty"), NULL, 0, &err), &err);
    assert_ok(nf_file_open(&file, in_folder("empty"), &err), &err);
    assert_int_equal(file.size, 0);
    assert_non_null(file.data);
    nf_file_close(&file);
    nf_file_close(&file);
    assert_ok(nf_file_write(in_folder("text"), "a\0b\n", 4, &err), &err);
    assert_ok(nf_file_open(&file, in_folder("text"), &err), &err);
    assert_int_equal(file.size, 4);
    assert_memory_equal(file.data, "a\0b\n", 4);
    nf_file_close(&file);
}

static size_t open_descriptors(void) {
    size_t count = 0;
    DIR *own = opendir("/proc/self/fd");
    if (!own) return 0;
    while (readdir(own)) count++;
    closedir(own);
    return count;
}

/* No way through leaves a descriptor open: read, mapped, empty, refused, written, left. */
static void test_descriptors(void **state) {
    (void)state;
    nerfit_error err;
    nf_file file;
    for (int round = 0; round < 2; round++) {
        const size_t before = open_descriptors();
        assert_ok(nf_file_write(in_folder("kept"), "text", round ? 4 : 0, &err), &err);
        assert_ok(nf_file_open(&file, in_folder("kept"), &err), &err);
        nf_file_close(&file);
        assert_ok(nf_file_map(&file, in_folder("kept"), &err), &err);
        assert_int_equal(open_descriptors(), before); /* a mapped file needs none */
        nf_file_close(&file);
        assert_int_equal(nf_file_open(&file, in_folder(""), &err), NERFIT_IO);
        assert_int_equal(nf_file_open(&file, in_folder("nowhere"), &err), NERFIT_IO);
        assert_int_equal(nf_file_write(in_folder("nowhere/file"), "a", 1, &err), NERFIT_IO);
        assert_int_equal(open_descriptors(), before);
    }
}

static void test_open_refusals(void **state) {
    (void)state;
    static const struct {
        const char *path, *error;
    } cases[] = {
        {"no/such", "no/such: cannot be opened: No such file or directory"},
        {"tests", "tests: is not a regular file"},
        {"/dev/null", "/dev/null: is not a regular file"},
        {"Makefile/x", "Makefile/x: cannot be opened: Not a directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nerfit_error err = {0};
        nf_file file;
        assert_int_equal(nf_file_open(&file, cases[i].path, &err), NERFIT_IO);
        assert_string_equal(err.text, cases[i].error);
        nf_file_close(&file);
    }
    assert_true(nf_file_exists("Makefile"));
    assert_false(nf_file_exists("tests"));
    assert_false(nf_file_exists("no/such"));
    assert_true(nf_file_exists_in("tests", "test.h"));
    assert_false(nf_file_exists_in("tests", "golden"));
    assert_false(nf_file_exists_in("tests", "no"));
    assert_false(nf_file_exists_in("no", "test.h"));
    assert_false(nf_file_exists_in("Makefile", "test.h"));
    assert_true(nf_directory_exists("tests"));
    assert_false(nf_directory_exists("Makefile"));
}

/* ---------------------------------------------------------------- folders */

static void test_folders(void **state) {
    (void)state;
    nerfit_error err;
    assert_ok(nf_directory_make(in_folder("a/b/c"), &err), &err);
    assert_ok(nf_directory_make(in_folder("a/b/c/"), &err), &err);
    assert_true(nf_directory_exists(in_folder("a/b/c")));
    assert_ok(nf_file_write(in_folder("a/b/file"), "x", 1, &err), &err);
    assert_int_equal(nf_directory_make(in_folder("a/b/file/d"), &err), NERFIT_IO);
    assert_non_null(strstr(err.text, "a/b/file: folder cannot be made: File exists"));
    assert_int_equal(nf_directory_make("", &err), NERFIT_IO);

    /* what a link points to stays */
    assert_ok(nf_directory_make(in_folder("elsewhere"), &err), &err);
    assert_ok(nf_file_write(in_folder("elsewhere/kept"), "x", 1, &err), &err);
    assert_int_equal(symlink(in_folder("elsewhere"), in_folder("a/link")), 0);
    assert_int_equal(symlink("nowhere", in_folder("a/dangling")), 0);
    assert_int_equal(symlink(in_folder("elsewhere"), in_folder("link")), 0);
    assert_ok(nf_directory_remove(in_folder("link"), &err), &err);
    assert_ok(nf_directory_remove(in_folder("a"), &err), &err);
    assert_false(nf_directory_exists(in_folder("a")));
    assert_false(nf_directory_exists(in_folder("link")));
    assert_true(nf_file_exists(in_folder("elsewhere/kept")));
    assert_ok(nf_directory_remove(in_folder("a"), &err), &err); /* a missing one is fine */
    assert_int_equal(nf_directory_remove(in_folder("elsewhere/kept"), &err), NERFIT_IO);
    assert_true(nf_file_exists(in_folder("elsewhere/kept")));
}

/* ---------------------------------------------------------------- writing */

static void test_write_appears_at_commit(void **state) {
    (void)state;
    nerfit_error err;
    nf_file_writer *writer;
    const char *path = in_folder("commit");
    assert_ok(nf_file_write(path, "old", 3, &err), &err);
    assert_ok(nf_file_writer_open(&writer, path, &err), &err);
    assert_ok(nf_file_writer_write(writer, "new", 3, &err), &err);
    assert_ok(nf_file_writer_write(writer, NULL, 0, &err), &err);
    assert_ok(nf_file_writer_write(writer, "er", 2, &err), &err);
    assert_content(path, "old");
    assert_ok(nf_file_writer_commit(writer, &err), &err);
    assert_content(path, "newer");
    assert_int_equal(count_entries("commit"), 1);

    assert_ok(nf_file_writer_open(&writer, path, &err), &err);
    assert_ok(nf_file_writer_write(writer, "lost", 4, &err), &err);
    assert_int_equal(count_entries("commit"), 2);
    nf_file_writer_abort(writer);
    nf_file_writer_abort(NULL);
    assert_content(path, "newer");
    assert_int_equal(count_entries("commit"), 1);
}

static mode_t mode_of(const char *path) {
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode;
}

/* Links stay, and what they lead to is replaced; modes are kept; what is no file is written to. */
static void test_write_where_something_is(void **state) {
    (void)state;
    nerfit_error err;
    static const char *const links[][2] = {
        {"linked/link", "../linked/file"}, {"linked/dangling", "new"}, {"linked/twice", "link"}};
    assert_ok(nf_directory_make(in_folder("linked"), &err), &err);
    assert_ok(nf_file_write(in_folder("linked/file"), "old", 3, &err), &err);
    assert_int_equal(chmod(in_folder("linked/file"), 0600), 0);
    for (size_t i = 0; i < 3; i++) {
        const char *link = in_folder(links[i][0]);
        assert_int_equal(symlink(links[i][1], link), 0);
        assert_ok(nf_file_write(in_folder(links[i][0]), links[i][0], strlen(links[i][0]), &err),
                  &err);
        assert_true(S_ISLNK(mode_of(in_folder(links[i][0]))));
    }
    assert_content(in_folder("linked/file"), "linked/twice");
    assert_content(in_folder("linked/new"), "linked/dangling");
    assert_int_equal(mode_of(in_folder("linked/file")) & 07777, 0600);
    assert_int_equal(count_entries("linked"), 1);
    assert_int_equal(symlink("loop", in_folder("linked/loop")), 0);
    assert_int_equal(nf_file_write(in_folder("linked/loop"), "x", 1, &err), NERFIT_IO);
    assert_non_null(strstr(err.text, "loop: cannot be written: "));
    /* a FIFO with a reader */
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    int reader = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK);
    char got[8] = "";
    assert_ok(nf_file_write(in_folder("fifo"), "fifo", 4, &err), &err);
    assert_true(S_ISFIFO(mode_of(in_folder("fifo"))));
    assert_int_equal(read(reader, got, sizeof got), 4);
    assert_memory_equal(got, "fifo", 4);
    close(reader);
    if (mknod(in_folder("null"), S_IFCHR | 0666, makedev(1, 3)) == 0) { /* root alone may */
        assert_ok(nf_file_write(in_folder("null"), "gone", 4, &err), &err);
        assert_true(S_ISCHR(mode_of(in_folder("null"))));
    }
    /* what a descriptor is named by goes on where that one is */
    int fd = open(in_folder("by_descriptor"), O_WRONLY | O_CREAT, 0666);
    assert_int_equal(write(fd, "ab", 2), 2);
    char name[32];
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    assert_ok(nf_file_write(name, "cd", 2, &err), &err);
    assert_int_equal(write(fd, "ef", 2), 2);
    close(fd);
    assert_content(in_folder("by_descriptor"), "abcdef");
}

static void test_locks(void **state) {
    (void)state;
    nerfit_error err;
    int first, second;
    bool held;
    assert_ok(nf_directory_make(in_folder("locked"), &err), &err);
    assert_ok(nf_directory_lock(in_folder("locked"), &first, &held, &err), &err);
    assert_true(held);
    assert_ok(nf_directory_lock(in_folder("locked"), &second, &held, &err), &err);
    assert_false(held);
    assert_int_equal(second, -1);
    nf_directory_unlock(first);
    assert_ok(nf_directory_lock(in_folder("locked"), &second, &held, &err), &err);
    assert_true(held);
    nf_directory_unlock(second);
    assert_int_equal(nf_directory_lock(in_folder("absent"), &second, &held, &err), NERFIT_IO);
    nf_directory_unlock(second);
}

static void test_write_refusals(void **state) {
    (void)state;
    nerfit_error err;
    nf_file_writer *writer = (void *)1;
    assert_int_equal(nf_file_writer_open(&writer, "no/such/folder/x", &err), NERFIT_IO);
    assert_null(writer);
    assert_string_equal(err.text, "no/such/folder/x: cannot be written: No such file or directory");
    /* a folder stands where the file should be */
    assert_ok(nf_directory_make(in_folder("taken/inner"), &err), &err);
    assert_int_equal(nf_file_write(in_folder("taken"), "x", 1, &err), NERFIT_IO);
    assert_non_null(strstr(err.text, "/taken: cannot be written: Is a directory"));
    assert_int_equal(count_entries("taken"), 1);
    assert_int_equal(nf_file_rename(in_folder("absent"), in_folder("b"), &err), NERFIT_IO);
}

/* ---------------------------------------------------------------- a full disk */

/* Runs `work` in a child process; its exit status, or -signal. */
static int in_child(int (*work)(const char *path, size_t argument), const char *path,
                    size_t argument) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(work(path, argument));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Writes 100,000 bytes in pieces of `argument` where files may have 50,000. */
static int write_past_the_limit(const char *path, size_t argument) {
    static char data[100000];
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){50000, 50000});
    nerfit_error err = {0};
    nf_file_writer *writer;
    if (nf_file_writer_open(&writer, path, &err) != NERFIT_OK) return 1;
    nerfit_status status = NERFIT_OK;
    for (size_t at = 0; at < sizeof data && status == NERFIT_OK; at += argument)
        status = nf_file_writer_write(writer, data + at, argument, &err);
    if (status == NERFIT_OK)
        status = nf_file_writer_commit(writer, &err); /* frees it */
    else
        nf_file_writer_abort(writer);
    if (status != NERFIT_IO) return 2;
    return strstr(err.text, ": cannot be written: File too large") ? 0 : 3;
}

static int write_json_past_the_limit(const char *path, size_t argument) {
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){argument, argument});
    nerfit_error err = {0};
    json_t *value = json_pack("{s:s}", "a", "text");
    nerfit_status status = nf_json_save(value, path, &err);
    json_decref(value);
    return status == NERFIT_IO ? 0 : 1;
}

static void test_full_disk(void **state) {
    (void)state;
    nerfit_error err;
    const char *path = in_folder("full");
    assert_ok(nf_file_write(path, "old", 3, &err), &err);
    /* in one piece; in pieces that meet the limit in the middle; in pieces that stdio buffers */
    static const size_t pieces[] = {100000, 20000, 1000, 10};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        int result = in_child(write_past_the_limit, path, pieces[i]);
        if (result) fail_msg("pieces of %zu: the child says %d", pieces[i], result);
        assert_content(path, "old");
        assert_int_equal(count_entries("full"), 1);
    }
    /* so short that only the flush at the end notices */
    for (size_t limit = 0; limit < 10; limit += 3) {
        assert_int_equal(in_child(write_json_past_the_limit, path, limit), 0);
        assert_content(path, "old");
        assert_int_equal(count_entries("full"), 1);
    }
}

/* ---------------------------------------------------------------- kill -9 */

static void fill(char *data, size_t size, char c) {
    memset(data, c, size);
    data[size - 1] = '\n';
}

enum { SMALL = 3000, LARGE = 400000 };

/* Writes the file again and again, in turn with other contents, until it is killed. */
static int write_for_ever(const char *path, size_t argument) {
    (void)argument;
    static char data[LARGE];
    for (unsigned round = 0;; round++) {
        size_t size = round % 2 ? LARGE : SMALL;
        fill(data, size, (char)('a' + round % 26));
        nf_file_writer *writer;
        if (nf_file_writer_open(&writer, path, NULL) != NERFIT_OK) return 1;
        for (size_t at = 0; at < size; at += 1000)
            if (nf_file_writer_write(writer, data + at, 1000, NULL) != NERFIT_OK) return 2;
        if (nf_file_writer_commit(writer, NULL) != NERFIT_OK) return 3;
    }
}

static void test_kill(void **state) {
    (void)state;
    nerfit_error err;
    const char *path = in_folder("killed");
    static char data[LARGE];
    fill(data, SMALL, 'a');
    assert_ok(nf_file_write(path, data, SMALL, &err), &err);
    size_t sizes[2] = {0};
    for (int round = 0; round < 60; round++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) _exit(write_for_ever(path, 0));
        nanosleep(&(struct timespec){0, 1000000 + 173000 * round}, NULL);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        nf_file file;
        assert_ok(nf_file_open(&file, path, &err), &err);
        bool large = file.size == LARGE;
        if (!large && file.size != SMALL) fail_msg("round %d: %zu bytes", round, file.size);
        fill(data, file.size, file.data[0]);
        assert_memory_equal(file.data, data, file.size);
        sizes[large]++;
        nf_file_close(&file);
    }
    assert_true(sizes[0] + sizes[1] == 60);
}

/* Killed at the step `argument` of a save. */
static int stop_at(const char *path, size_t argument) {
    nf_file_writer *writer;
    if (argument == 0) raise(SIGKILL);
    if (nf_file_writer_open(&writer, path, NULL) != NERFIT_OK) return 1;
    if (argument == 1) raise(SIGKILL);
    if (nf_file_writer_write(writer, "new", 3, NULL) != NERFIT_OK) return 1;
    if (argument == 2) raise(SIGKILL);
    if (nf_file_writer_commit(writer, NULL) != NERFIT_OK) return 1;
    raise(SIGKILL);
    return 1;
}

static void test_kill_at_each_step(void **state) {
    (void)state;
    nerfit_error err;
    for (size_t step = 0; step <= 3; step++) {
        const char *path = in_folder("steps");
        assert_ok(nf_file_write(path, "old", 3, &err), &err);
        assert_int_equal(in_child(stop_at, path, step), -SIGKILL);
        assert_content(path, step < 3 ? "old" : "new");
    }
}

/* ---------------------------------------------------------------- JSON files */

/* ---------------------------------------------------------------- what is left */

/* A process number that no process has. */
static long dead_process(void) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, NULL, 0);
    return child;
}

static void test_remove_unfinished(void **state) {
    (void)state;
    nerfit_error err;
    long dead = dead_process(), alive = getppid();
    const struct {
        const char *name;
        long process;
        const char *end;
        bool stays;
    } cases[] = {
        {"left.json.nerfit-", dead, "-0123abcd", false},
        {"left.json.nerfit-", getpid(), "-0123abcd", false}, /* an earlier one's of that number */
        {"left.json.nerfit-", alive, "-0123abcd", true},
        {"left.json.nerfit-", dead, "-0123abcd.txt", true},
        {"left.json.nerfit-", dead, "-0123abc", true},
        {"left.json.nerfit-", dead, "", true},
        {"left.json.tmp-", dead, "", true},
        {"left.jsonl.nerfit-", dead, "-0123abcd", true},
        {"my-left.json.nerfit-", dead, "-0123abcd", true},
        {"left.json-", dead, "-0123abcd", true},
    };
    char paths[sizeof cases / sizeof *cases][256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(paths[i], sizeof *paths, "%s/%s%ld%s", folder, cases[i].name, cases[i].process,
                 cases[i].end);
        assert_ok(nf_file_write(paths[i], "x", 1, &err), &err);
    }
    const char *path = in_folder("left.json");
    assert_ok(nf_file_write(path, "whole", 5, &err), &err);
    assert_ok(nf_file_remove_unfinished(path, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (nf_file_exists(paths[i]) != cases[i].stays)
            fail_msg("%s: %s", paths[i], cases[i].stays ? "lost" : "left");
    assert_content(path, "whole");
    /* a folder too; where there is nothing, nothing is done */
    char inside[256];
    snprintf(paths[0], sizeof *paths, "%s/.left.nerfit-%ld-01234567", folder, dead);
    snprintf(inside, sizeof inside, "%s/file", paths[0]);
    assert_ok(nf_directory_make(paths[0], &err), &err);
    assert_ok(nf_file_write(inside, "x", 1, &err), &err);
    assert_ok(nf_file_remove_unfinished(in_folder(".left"), &err), &err);
    assert_false(nf_directory_exists(paths[0]));
    assert_ok(nf_file_remove_unfinished(in_folder("nowhere/left"), &err), &err);
    assert_ok(nf_file_remove(in_folder("nowhere/left"), &err), &err);
}

static void test_json_files(void **state) {
    (void)state;
    nerfit_error err;
    json_t *out, *value = json_pack("{s:s, s:[i, f]}", "größe", "a\nb", "list", 1, 0.1);
    const char *path = in_folder("value.json");
    assert_ok(nf_json_save(value, path, &err), &err);
    assert_content(path, "{\n  \"größe\": \"a\\nb\",\n  \"list\": [\n    1,\n    "
                         "0.10000000000000001\n  ]\n}\n");
    assert_ok(nf_json_load(&out, path, &err), &err);
    assert_true(json_equal(out, value));
    json_decref(out);
    json_decref(value);
    assert_ok(nf_file_write(path, "{\n\"a\": }", 8, &err), &err);
    assert_int_equal(nf_json_load(&out, path, &err), NERFIT_FORMAT);
    assert_null(out);
    assert_int_equal(err.line, 2);
    assert_string_equal(err.file, path);
    assert_non_null(
        strstr(err.text, "value.json:2:6: is not valid JSON: unexpected token near '}'"));
    assert_int_equal(nf_json_load(&out, in_folder("absent.json"), &err), NERFIT_IO);
    assert_null(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_open_refusals),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_write_appears_at_commit),
        cmocka_unit_test(test_write_refusals),
        cmocka_unit_test(test_write_where_something_is),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_kill_at_each_step),
        cmocka_unit_test(test_remove_unfinished),
        cmocka_unit_test(test_json_files),
    };
    return cmocka_run_group_tests_name("files", tests, make_folder, remove_folder);
}
