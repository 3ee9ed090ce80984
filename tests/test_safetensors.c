/* safetensors: files of the Python package read and written again byte for byte (golden files from
 * tools/golden/safetensors_files.py), broken files refused with the exact message
 * (tools/golden/invalid_safetensors.py), conversions, and saving that leaves no half file. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "tensor/safetensors.h"

#define GOLDEN "tests/golden/safetensors"
#define INVALID "tests/invalid/safetensors"

static char folder[] = "/tmp/nerfit-test-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return nf_directory_remove(folder, NULL) == NERFIT_OK ? 0 : -1;
}

static const char *in_folder(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static bool same_double(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* ---------------------------------------------------------------- reading */

static int64_t integer_at(const nf_stored *t, size_t i) {
    union {
        int64_t i64;
        int32_t i32;
        int16_t i16;
        int8_t i8;
        uint8_t u8;
    } raw = {0};
    size_t size = nf_stored_type_size(t->type);
    memcpy(&raw, (const char *)t->data + i * size, size);
    switch (t->type) {
    case NF_STORED_I64:
        return raw.i64;
    case NF_STORED_I32:
        return raw.i32;
    case NF_STORED_I16:
        return raw.i16;
    case NF_STORED_I8:
        return raw.i8;
    default:
        return raw.u8;
    }
}

static void check_tensor(const nf_stored *t, const char *name, const json_t *wanted) {
    nerfit_error err;
    const json_t *shape = json_object_get(wanted, "shape");
    const json_t *values = json_object_get(wanted, "values");
    if (!t) fail_msg("tensor \"%s\" is missing", name);
    assert_string_equal(t->name, name);
    assert_string_equal(nf_stored_type_name(t->type),
                        json_string_value(json_object_get(wanted, "dtype")));
    assert_int_equal(t->n_dims, json_array_size(shape));
    for (int i = 0; i < t->n_dims; i++)
        assert_int_equal(t->dims[i], json_integer_value(json_array_get(shape, (size_t)i)));
    assert_int_equal(t->count, json_array_size(values));
    assert_int_equal(t->size, t->count * nf_stored_type_size(t->type));
    double *wide = calloc(t->count + 1, sizeof *wide);
    float *single = calloc(t->count + 1, sizeof *single);
    bool floating = t->type <= NF_STORED_BF16;
    if (floating) {
        assert_ok(nf_stored_to_f64(t, wide, &err), &err);
        assert_ok(nf_stored_to_f32(t, single, &err), &err);
    }
    for (size_t i = 0; i < t->count; i++) {
        const json_t *value = json_array_get(values, i);
        if (!floating) {
            assert_int_equal(integer_at(t, i), json_integer_value(value));
            continue;
        }
        double expected = strtod(json_string_value(value), NULL);
        if (!same_double(wide[i], expected) || !same_double(single[i], (float)expected))
            fail_msg("%s[%zu]: %a as double, %a as float, expected %a", name, i, wide[i],
                     (double)single[i], expected);
    }
    free(wide);
    free(single);
}

/* Opens `path` and compares it with the values listed under `key`. */
static void check_file(const char *path, const char *key) {
    nerfit_error err;
    json_t *values;
    nf_safetensors *file;
    assert_ok(nf_json_load(&values, GOLDEN "/values.json", &err), &err);
    assert_ok(nf_safetensors_open(&file, path, &err), &err);
    const json_t *wanted = json_object_get(values, key);
    assert_int_equal(nf_safetensors_count(file), json_object_size(wanted));
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)wanted, name, value)
        check_tensor(nf_safetensors_find(file, name), name, value);
    assert_null(nf_safetensors_find(file, "no such tensor"));
    assert_string_equal(nf_safetensors_metadata(file, "format"), "pt");
    assert_null(nf_safetensors_metadata(file, "no such key"));
    nf_safetensors_close(file);
    json_decref(values);
}

static void test_read(void **state) {
    (void)state;
    check_file(GOLDEN "/all.safetensors", "all");
}

static void test_read_shards(void **state) {
    (void)state;
    check_file(GOLDEN "/sharded/model.safetensors.index.json", "sharded");
    check_file(GOLDEN "/sharded", "sharded");
    nerfit_error err;
    nf_safetensors *file;
    assert_ok(nf_safetensors_open(&file, GOLDEN "/sharded", &err), &err);
    static const char *const order[] = {"b.bias", "b.weight", "a.weight"};
    for (size_t i = 0; i < 3; i++) assert_string_equal(nf_safetensors_at(file, i)->name, order[i]);
    assert_string_equal(nf_safetensors_path(file), GOLDEN "/sharded/model.safetensors.index.json");
    nf_safetensors_close(file);
}

static void test_order_is_the_data_s(void **state) {
    (void)state;
    nerfit_error err;
    nf_safetensors *file;
    assert_ok(nf_safetensors_open(&file, GOLDEN "/all.safetensors", &err), &err);
    for (size_t i = 1; i < nf_safetensors_count(file); i++) {
        const nf_stored *before = nf_safetensors_at(file, i - 1), *now = nf_safetensors_at(file, i);
        assert_ptr_equal((const char *)before->data + before->size, now->data);
    }
    nf_safetensors_close(file);
}

static void test_missing(void **state) {
    (void)state;
    nerfit_error err;
    nf_safetensors *file = (void *)1;
    assert_int_equal(nf_safetensors_open(&file, "tests/no-such-file", &err), NERFIT_IO);
    assert_null(file);
    assert_string_equal(err.text,
                        "tests/no-such-file: cannot be opened: No such file or directory");
    assert_int_equal(nf_safetensors_open(&file, "tests", &err), NERFIT_IO);
    assert_string_equal(
        err.text, "tests: holds neither model.safetensors nor pytorch_model.bin, nor the index of "
                  "either's parts");
}

/* ---------------------------------------------------------------- broken files */

static bool read_text(char *out, size_t size, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    size_t length = fread(out, 1, size - 1, file);
    fclose(file);
    while (length && out[length - 1] == '\n') length--;
    out[length] = '\0';
    return true;
}

static void test_invalid(void **state) {
    (void)state;
    DIR *cases = opendir(INVALID);
    assert_non_null(cases);
    size_t n_cases = 0, n_failed = 0;
    for (struct dirent *entry; (entry = readdir(cases));) {
        char path[4096], wanted[2048], *ending = strrchr(entry->d_name, '.');
        if (!ending || strcmp(ending, ".error") != 0) continue;
        snprintf(path, sizeof path, INVALID "/%s", entry->d_name);
        assert_true(read_text(wanted, sizeof wanted, path));
        size_t stem = strlen(path) - strlen(".error");
        strcpy(path + stem, ".safetensors");
        if (!nf_file_exists(path)) strcpy(path + stem, ".index.json");
        nerfit_error err = {0};
        nf_safetensors *file;
        nerfit_status status = nf_safetensors_open(&file, path, &err);
        bool unsupported = strstr(wanted, "support") && !strstr(wanted, "JSON");
        bool missing = strstr(wanted, "cannot be opened");
        nerfit_status expected = unsupported ? NERFIT_UNSUPPORTED
                                 : missing   ? NERFIT_IO
                                             : NERFIT_FORMAT;
        if (status != expected || strcmp(err.text, wanted) != 0 || file) {
            print_error("%s:\n  got      %d %s\n  expected %d %s\n", entry->d_name, status,
                        status ? err.text : "success", expected, wanted);
            n_failed++;
        }
        nf_safetensors_close(file);
        n_cases++;
    }
    closedir(cases);
    assert_true(n_cases >= 58);
    assert_int_equal(n_failed, 0);
}

/* Every file cut off at every length must be refused. */
static void test_cut_off_anywhere(void **state) {
    (void)state;
    nerfit_error err;
    nf_file whole;
    assert_ok(nf_file_open(&whole, GOLDEN "/all.safetensors", &err), &err);
    const char *path = in_folder("cut.safetensors");
    for (size_t size = 0; size < whole.size; size++) {
        FILE *out = fopen(path, "wb");
        assert_int_equal(fwrite(whole.data, 1, size, out), size);
        fclose(out);
        nf_safetensors *file;
        if (nf_safetensors_open(&file, path, &err) != NERFIT_FORMAT)
            fail_msg("the first %zu of %zu bytes were not refused", size, whole.size);
    }
    nf_file_close(&whole);
}

/* ---------------------------------------------------------------- conversions */

static void test_f16_all_values(void **state) {
    (void)state;
    nerfit_error err;
    uint16_t *raw = malloc(65536 * sizeof *raw);
    double *wide = malloc(65536 * sizeof *wide);
    float *single = malloc(65536 * sizeof *single);
    for (uint32_t i = 0; i < 65536; i++) raw[i] = (uint16_t)i;
    nf_stored t = {"x", NF_STORED_F16, 1, {65536}, 65536, raw, 131072};
    assert_ok(nf_stored_to_f32(&t, single, &err), &err);
    assert_ok(nf_stored_to_f64(&t, wide, &err), &err);
    for (uint32_t i = 0; i < 65536; i++) {
        /* the definition of IEEE 754 binary16 */
        int exponent = i >> 10 & 31, mantissa = i & 1023;
        double expected = exponent == 31 ? (mantissa ? NAN : INFINITY)
                          : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                         : ldexp(mantissa, -24);
        if (i & 0x8000) expected = -expected;
        if (!same_double(wide[i], expected) || !same_double(single[i], expected))
            fail_msg("f16 %04x: %a and %a, expected %a", i, wide[i], (double)single[i], expected);
    }
    free(raw);
    free(wide);
    free(single);
}

static void test_unaligned(void **state) {
    (void)state;
    static const double values[] = {1.5, -2.25, 1e30};
    static const struct {
        nf_stored_type type;
        const char *bytes;
    } cases[] = {
        {NF_STORED_F64, "\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\x02\xc0\xea\x8c\xa0\x39\x59\x3e\x29\x46"},
        {NF_STORED_F32, "\0\0\xc0\x3f\0\0\x10\xc0\xca\xf2\x49\x71"},
        {NF_STORED_BF16, "\xc0\x3f\x10\xc0\x4a\x71"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char memory[64];
        size_t size = 3 * nf_stored_type_size(cases[c].type);
        memcpy(memory + 1, cases[c].bytes, size); /* the array is aligned to 1 at best */
        nf_stored t = {"x", cases[c].type, 1, {3}, 3, memory + 1, size};
        double wide[3];
        float single[3];
        nerfit_error err;
        assert_ok(nf_stored_to_f64(&t, wide, &err), &err);
        assert_ok(nf_stored_to_f32(&t, single, &err), &err);
        for (size_t i = 0; i < 3; i++) {
            double tolerance = cases[c].type == NF_STORED_BF16 ? 1e-2 : 1e-7;
            if (fabs(wide[i] - values[i]) > tolerance * fabs(values[i]) ||
                single[i] != (float)wide[i])
                fail_msg("%s[%zu]: %g and %g, expected %g", nf_stored_type_name(cases[c].type), i,
                         wide[i], (double)single[i], values[i]);
        }
    }
}

static void test_no_floats(void **state) {
    (void)state;
    nerfit_error err;
    float out[2];
    double wide[2];
    nf_stored t = {"ids", NF_STORED_I64, 1, {2}, 2, "0123456789abcdef", 16};
    assert_int_equal(nf_stored_to_f32(&t, out, &err), NERFIT_FORMAT);
    assert_string_equal(err.text,
                        "tensor \"ids\" holds I64; expected a floating type (F64, F32, F16 "
                        "or BF16)");
    assert_int_equal(nf_stored_to_f64(&t, wide, &err), NERFIT_FORMAT);
}

/* ---------------------------------------------------------------- writing */

static nf_to_store to_store(const nf_stored *t) {
    nf_to_store out = {t->name, t->type, t->n_dims, {0}, t->data};
    memcpy(out.dims, t->dims, sizeof out.dims);
    return out;
}

static void assert_same_bytes(const char *a, const char *b) {
    nerfit_error err;
    nf_file x, y;
    assert_ok(nf_file_open(&x, a, &err), &err);
    assert_ok(nf_file_open(&y, b, &err), &err);
    if (x.size != y.size || memcmp(x.data, y.data, x.size) != 0)
        fail_msg("%s (%zu bytes) and %s (%zu bytes) differ", a, x.size, b, y.size);
    nf_file_close(&x);
    nf_file_close(&y);
}

/* The package's file, read and written (from the last tensor to the first), has the same bytes. */
static void test_write_as_the_package_does(void **state) {
    (void)state;
    nerfit_error err;
    nf_safetensors *file;
    assert_ok(nf_safetensors_open(&file, GOLDEN "/all.safetensors", &err), &err);
    size_t count = nf_safetensors_count(file);
    nf_to_store *tensors = calloc(count, sizeof *tensors);
    for (size_t i = 0; i < count; i++)
        tensors[count - 1 - i] = to_store(nf_safetensors_at(file, i));
    static const char *const metadata[] = {"format", "pt", NULL};
    const char *kept = getenv("NERFIT_TEST_KEEP");
    char path[4096];
    snprintf(path, sizeof path, "%s/all.safetensors", kept ? kept : folder);
    assert_ok(nf_safetensors_save(path, tensors, count, metadata, &err), &err);
    assert_same_bytes(path, GOLDEN "/all.safetensors");
    free(tensors);
    nf_safetensors_close(file);
}

static void test_write_nothing(void **state) {
    (void)state;
    nerfit_error err;
    nf_safetensors *file;
    assert_ok(nf_safetensors_save(in_folder("none.safetensors"), NULL, 0, NULL, &err), &err);
    assert_ok(nf_safetensors_open(&file, in_folder("none.safetensors"), &err), &err);
    assert_int_equal(nf_safetensors_count(file), 0);
    assert_null(nf_safetensors_metadata(file, "format"));
    nf_safetensors_close(file);
}

static void test_write_refusals(void **state) {
    (void)state;
    static const float data[4];
    static const struct {
        const char *name, *error;
        nf_to_store tensors[2];
        const char *metadata[3];
    } cases[] = {
        {"name twice",
         "tensor \"a\" is there twice",
         {{"a", NF_STORED_F32, 1, {1}, data}, {"a", NF_STORED_U8, 1, {1}, data}},
         {NULL}},
        {"reserved",
         "tensor \"__metadata__\" cannot be saved: the format reserves its name",
         {{"__metadata__", NF_STORED_F32, 1, {1}, data}, {"b", NF_STORED_F32, 1, {1}, data}},
         {NULL}},
        {"not UTF-8",
         "tensor \"\xff\" has a name that is not UTF-8",
         {{"\xff", NF_STORED_F32, 1, {1}, data}, {"b", NF_STORED_F32, 1, {1}, data}},
         {NULL}},
        {"negative",
         "tensor \"a\" has a shape that cannot be saved",
         {{"a", NF_STORED_F32, 2, {2, -1}, data}, {"b", NF_STORED_F32, 1, {1}, data}},
         {NULL}},
        {"overflow",
         "tensor \"a\" has a shape that cannot be saved",
         {{"a", NF_STORED_F32, 2, {1ll << 31, 1ll << 31}, data},
          {"b", NF_STORED_F32, 1, {1}, data}},
         {NULL}},
        {"together too large",
         "tensor \"b\" makes the file too large",
         {{"a", NF_STORED_U8, 1, {1ll << 62}, data}, {"b", NF_STORED_U8, 1, {1ll << 62}, data}},
         {NULL}},
        {"too many dims",
         "tensor \"a\" has too many dimensions to be saved (at most 8)",
         {{"a", NF_STORED_F32, 9, {1}, data}, {"b", NF_STORED_F32, 1, {1}, data}},
         {NULL}},
        {"metadata",
         "metadata \"k\" has no value or is not UTF-8",
         {{"a", NF_STORED_F32, 1, {1}, data}, {"b", NF_STORED_F32, 1, {1}, data}},
         {"k", "\xc0", NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nerfit_error err = {0};
        const char *path = in_folder("refused.safetensors");
        nerfit_status status =
            nf_safetensors_save(path, cases[i].tensors, 2, cases[i].metadata, &err);
        char wanted[4096];
        snprintf(wanted, sizeof wanted, "%s: %s", path, cases[i].error);
        if (status != NERFIT_ARGUMENT || strcmp(err.text, wanted) != 0)
            fail_msg("%s:\n  got      %d %s\n  expected %s", cases[i].name, status, err.text,
                     wanted);
        assert_false(nf_file_exists(path));
    }
}

/* A failing save leaves the old file as it was, and nothing beside it. */
static void test_write_failure_keeps_the_old_file(void **state) {
    (void)state;
    static const float data[2] = {1, 2};
    nerfit_error err;
    nf_to_store good = {"a", NF_STORED_F32, 1, {2}, data},
                bad = {"a", NF_STORED_F32, 1, {-2}, data};
    const char *path = in_folder("kept.safetensors");
    assert_ok(nf_safetensors_save(path, &good, 1, NULL, &err), &err);
    assert_int_equal(nf_safetensors_save(path, &bad, 1, NULL, &err), NERFIT_ARGUMENT);
    nf_safetensors *file;
    assert_ok(nf_safetensors_open(&file, path, &err), &err);
    assert_memory_equal(nf_safetensors_find(file, "a")->data, data, sizeof data);
    nf_safetensors_close(file);
}

/* The real thing: the demo's encoder. */
static void test_read_encoder(void **state) {
    (void)state;
    const char *encoder = test_encoder_folder();
    if (!encoder) {
        print_message("NERFIT_TEST_ENCODER: no encoder there; skipped\n");
        skip();
    }
    nerfit_error err;
    nf_safetensors *file;
    assert_ok(nf_safetensors_open(&file, encoder, &err), &err);
    const nf_stored *words = nf_safetensors_find(file, "embeddings.word_embeddings.weight");
    assert_non_null(words);
    assert_int_equal(words->n_dims, 2);
    assert_int_equal(words->dims[1], 384);
    assert_int_equal((uintptr_t)words->data % 4, 0);
    nf_safetensors_close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_shards),
        cmocka_unit_test(test_order_is_the_data_s),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_f16_all_values),
        cmocka_unit_test(test_unaligned),
        cmocka_unit_test(test_no_floats),
        cmocka_unit_test(test_write_as_the_package_does),
        cmocka_unit_test(test_write_nothing),
        cmocka_unit_test(test_write_refusals),
        cmocka_unit_test(test_write_failure_keeps_the_old_file),
        cmocka_unit_test(test_read_encoder),
    };
    return cmocka_run_group_tests_name("safetensors", tests, make_folder, remove_folder);
}
