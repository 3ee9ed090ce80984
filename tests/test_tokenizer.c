/* Tokenizers: ids, offsets and word ids against Hugging Face `tokenizers` and transformers (small
 * tokenizers and their answers in tests/golden/tokenizers, by tools/golden/tokenizer_cases.py), the
 * interface, broken files with their exact errors, and memory that runs out.
 *
 * The same comparison over real vocabularies and texts is tools/tokenizers_compare.py. */
#include "test.h"

#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

#define GOLDEN "tests/golden/tokenizers/"
#define SENTENCEPIECE "tests/golden/sentencepiece/"
#define INVALID "tests/invalid/tokenizer/"

/* ---- memory that runs out: the n-th allocation from now on fails (not under sanitizers, which
 * have an allocator of their own) */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define CAN_FAIL_ALLOCATIONS 1
static long allocations_left = -1;

static bool allocation_fails(void) {
    if (allocations_left < 0) return false;
    if (allocations_left == 0) return true;
    allocations_left--;
    return false;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
#define EVERYWHERE __attribute__((visibility("default"))) /* for the shared libraries, too */
EVERYWHERE void *malloc(size_t size) {
    return allocation_fails() ? NULL : __libc_malloc(size);
}
EVERYWHERE void *calloc(size_t count, size_t size) {
    return allocation_fails() ? NULL : __libc_calloc(count, size);
}
EVERYWHERE void *realloc(void *old, size_t size) {
    return allocation_fails() ? NULL : __libc_realloc(old, size);
}
#endif

static nf_tokenizer *load(const char *path) {
    nf_tokenizer *tokenizer;
    nerfit_error err = {0};
    assert_ok(nf_tokenizer_load(&tokenizer, path, &err), &err);
    return tokenizer;
}

/* ---- golden cases */

static void print_row(const char *name, const int64_t *row, size_t count) {
    printf("  %s:", name);
    for (size_t i = 0; i < count; i++) printf(" %lld", (long long)row[i]);
    printf("\n");
}

/* Whether ids, offsets and words equal the expected arrays; prints both if not. */
static bool equal(const nf_encoding *e, const json_t *row, const char *model) {
    const json_t *ids = json_array_get(row, 1), *offsets = json_array_get(row, 2);
    const json_t *words = json_array_get(row, 3);
    size_t count = json_array_size(ids), width = count > e->length ? count : e->length;
    int64_t *got = calloc(width * 4 + 1, sizeof *got), *want = calloc(width * 4 + 1, sizeof *want);
    for (size_t i = 0; i < count; i++) {
        want[i * 4] = json_integer_value(json_array_get(ids, i));
        want[i * 4 + 1] = json_integer_value(json_array_get(offsets, i * 2));
        want[i * 4 + 2] = json_integer_value(json_array_get(offsets, i * 2 + 1));
        want[i * 4 + 3] = json_integer_value(json_array_get(words, i));
    }
    bool special = true;
    for (size_t i = 0; i < e->length; i++) {
        got[i * 4] = e->ids[i];
        got[i * 4 + 1] = e->starts[i];
        got[i * 4 + 2] = e->ends[i];
        got[i * 4 + 3] = e->words[i];
        special &= (e->words[i] == -1) == (e->special[i] == 1);
    }
    bool same = special && count == e->length && memcmp(got, want, count * 4 * sizeof *got) == 0;
    if (!same) {
        char *text = json_dumps(json_array_get(row, 0), JSON_ENCODE_ANY);
        printf("%s: %s (id, start, end, word of each token)\n", model, text);
        free(text);
        print_row("expected", want, count * 4);
        print_row("got     ", got, e->length * 4);
    }
    free(got);
    free(want);
    return same;
}

static size_t check_case(const char *folder, const json_t *item) {
    const char *model = json_string_value(json_object_get(item, "model"));
    bool special = json_is_true(json_object_get(item, "special"));
    char path[256];
    snprintf(path, sizeof path, "%s%s", folder, model);
    nf_tokenizer *tokenizer = load(path);
    assert_int_equal(nf_tokenizer_vocabulary_size(tokenizer),
                     json_integer_value(json_object_get(item, "size")));
    nf_tokenizer_scratch *scratch = nf_tokenizer_scratch_new();
    nf_encoding once = {0}, again = {0};
    nerfit_error err = {0};
    size_t i, wrong = 0;
    json_t *row;
    /* Twice with the scratch: what it remembers must not change anything. */
    for (int round = 0; round < 2; round++)
        json_array_foreach(json_object_get(item, "texts"), i, row) {
            const json_t *text = json_array_get(row, 0);
            const char *bytes = json_string_value(text);
            size_t size = json_string_length(text);
            assert_ok(nf_tokenizer_encode(tokenizer, bytes, size, special, &once, &err), &err);
            assert_ok(
                nf_tokenizer_encode_with(tokenizer, scratch, bytes, size, special, &again, &err),
                &err);
            wrong += !equal(&once, row, model);
            wrong += !equal(&again, row, model);
        }
    nf_encoding_free(&once);
    nf_encoding_free(&again);
    nf_tokenizer_scratch_free(scratch);
    nf_tokenizer_free(tokenizer);
    return wrong;
}

static size_t check_cases(const char *folder, size_t at_least) {
    char path[256];
    snprintf(path, sizeof path, "%scases.json", folder);
    nerfit_error err = {0};
    json_t *root, *item;
    assert_ok(nf_json_load(&root, path, &err), &err);
    size_t i, wrong = 0;
    json_array_foreach(json_object_get(root, "cases"), i, item) wrong += check_case(folder, item);
    assert_true(i >= at_least);
    json_decref(root);
    return wrong;
}

static void test_golden(void **state) {
    (void)state;
    assert_int_equal(check_cases(GOLDEN, 50), 0);
}

static void test_golden_sentencepiece(void **state) {
    (void)state;
    assert_int_equal(check_cases(SENTENCEPIECE, 50), 0);
}

/* Many texts with one scratch, so that the cache of words comes into play; against a fresh scratch
 * for each. */
static void check_word_cache(const char *path) {
    nf_tokenizer *tokenizer = load(path);
    nf_tokenizer_scratch *scratch = nf_tokenizer_scratch_new();
    nf_encoding a = {0}, b = {0};
    nerfit_error err = {0};
    for (int i = 0; i < 6000; i++) {
        char text[64];
        /* The last one has a character that Unigram does not know. */
        int size = snprintf(text, sizeof text, "wrd%d xy%dzz q\xC3\xA9%d\xE4\xB8\x80", i % 700,
                            i % 13, i % 2900);
        assert_ok(nf_tokenizer_encode_with(tokenizer, scratch, text, (size_t)size, true, &a, &err),
                  &err);
        assert_ok(nf_tokenizer_encode(tokenizer, text, (size_t)size, true, &b, &err), &err);
        assert_int_equal(a.length, b.length);
        assert_memory_equal(a.ids, b.ids, a.length * sizeof *a.ids);
        assert_memory_equal(a.starts, b.starts, a.length * sizeof *a.starts);
        assert_memory_equal(a.ends, b.ends, a.length * sizeof *a.ends);
    }
    nf_encoding_free(&a);
    nf_encoding_free(&b);
    nf_tokenizer_scratch_free(scratch);
    nf_tokenizer_free(tokenizer);
}

static void test_word_cache(void **state) {
    (void)state;
    check_word_cache(GOLDEN "roberta.json");
    check_word_cache(SENTENCEPIECE "xlm-roberta");
    check_word_cache(SENTENCEPIECE "any-bytes");
}

/* ---- interface */

static void test_interface(void **state) {
    (void)state;
    nf_tokenizer *t = load(GOLDEN "folder-gpt2");
    size_t before, after;
    nf_tokenizer_special_counts(t, &before, &after);
    assert_int_equal(before, 1);
    assert_int_equal(after, 0);
    int32_t pad = nf_tokenizer_pad_id(t);
    assert_int_equal(pad, nf_tokenizer_vocabulary_size(t) - 1); /* added behind the vocabulary */
    assert_string_equal(nf_tokenizer_token(t, pad), "<pad>");
    assert_int_equal(nf_tokenizer_id(t, "<pad>"), pad);
    assert_int_equal(nf_tokenizer_id(t, "<|endoftext|>"), 0);
    assert_int_equal(nf_tokenizer_id(t, "no such token"), -1);
    assert_null(nf_tokenizer_token(t, -1));
    assert_null(nf_tokenizer_token(t, pad + 1));
    nf_tokenizer_free(t);

    t = load(GOLDEN "bert.json");
    nf_tokenizer_special_counts(t, &before, &after);
    assert_int_equal(before, 1);
    assert_int_equal(after, 1);
    assert_int_equal(nf_tokenizer_pad_id(t), 0);
    nf_tokenizer_free(t);

    t = load(GOLDEN "bpe-unknown.json");
    nf_tokenizer_special_counts(t, &before, &after);
    assert_int_equal(before + after, 0);
    assert_int_equal(nf_tokenizer_pad_id(t), -1);
    nf_tokenizer_free(t);
    nf_tokenizer_free(NULL);
}

static void test_text_must_be_utf8(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        size_t size;
        const char *error;
    } cases[] = {
        {"a lone continuation", "ab\x80", 3, "the text is not valid UTF-8 (byte 3)"},
        {"a cut code point", "\xE6\x9D", 2, "the text is not valid UTF-8 (byte 1)"},
        {"a surrogate", "a\xED\xA0\x80", 4, "the text is not valid UTF-8 (byte 2)"},
        {"too large", "\xF4\x90\x80\x80", 4, "the text is not valid UTF-8 (byte 1)"},
    };
    nf_tokenizer *t = load(GOLDEN "bert.json");
    nf_encoding e = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nerfit_error err = {0};
        print_message("%s\n", cases[i].name);
        assert_int_equal(nf_tokenizer_encode(t, cases[i].text, cases[i].size, true, &e, &err),
                         NERFIT_FORMAT);
        assert_string_equal(err.text, cases[i].error);
    }
    /* NUL is a control character like others. */
    nerfit_error err = {0};
    assert_ok(nf_tokenizer_encode(t, "th\0e", 4, false, &e, &err), &err);
    assert_int_equal(e.length, 1);
    assert_int_equal(e.ids[0], nf_tokenizer_id(t, "the"));
    assert_int_equal(e.starts[0], 0);
    assert_int_equal(e.ends[0], 4);
    nf_encoding_free(&e);
    nf_tokenizer_free(t);
}

static void test_json(void **state) {
    (void)state;
    nf_tokenizer *t = load(GOLDEN "roberta.json");
    nf_encoding e = {0};
    nf_str out = {0};
    nerfit_error err = {0};
    assert_ok(nf_tokenizer_encode(t, " \"\\", 3, true, &e, &err), &err);
    assert_ok(nf_encoding_to_json(&e, t, &out, &err), &err);
    json_t *json;
    assert_ok(nf_json_parse(&json, nf_str_text(&out), out.length, NULL, 0, &err), &err);
    char *tokens = json_dumps(json_object_get(json, "tokens"), 0);
    char *offsets = json_dumps(json_object_get(json, "offsets"), 0);
    assert_string_equal(tokens, "[\"<s>\", \"\u0120\", \"\\\"\", \"\\\\\", \"</s>\"]");
    assert_string_equal(offsets, "[[0, 0], [1, 1], [1, 2], [2, 3], [0, 0]]");
    assert_int_equal(json_array_size(json_object_get(json, "ids")), 5);
    free(tokens);
    free(offsets);
    json_decref(json);
    nf_str_free(&out);
    nf_encoding_free(&e);
    nf_tokenizer_free(t);
}

static void check_saved(const char *from, const char *text) {
    char folder[] = "/tmp/nerfit-tokenizer-XXXXXX";
    assert_non_null(mkdtemp(folder));
    nerfit_error err = {0};
    nf_tokenizer *t = load(from);
    assert_ok(nf_tokenizer_save(t, folder, &err), &err);
    nf_tokenizer *saved = load(folder);
    nf_encoding a = {0}, b = {0};
    assert_ok(nf_tokenizer_encode(t, text, strlen(text), true, &a, &err), &err);
    assert_ok(nf_tokenizer_encode(saved, text, strlen(text), true, &b, &err), &err);
    assert_true(a.length > 3);
    assert_int_equal(a.length, b.length);
    assert_memory_equal(a.ids, b.ids, a.length * sizeof *a.ids);
    assert_int_equal(nf_tokenizer_pad_id(t), nf_tokenizer_pad_id(saved));
    nf_encoding_free(&a);
    nf_encoding_free(&b);
    nf_tokenizer_free(t);
    nf_tokenizer_free(saved);
    assert_ok(nf_directory_remove(folder, &err), &err);
}

static void test_save(void **state) {
    (void)state;
    check_saved(GOLDEN "bert-added.json", "the newtoken Zo\u00eb sat");
    check_saved(GOLDEN "folder-bert-cased", "the newtoken Zo\u00eb sat");
    check_saved(GOLDEN "folder-roberta-map", "the <mask> Zo\u00eb sat");
    check_saved(SENTENCEPIECE "t5", "the <extra_id_1> Zo\u00eb sat");
}

/* One tokenizer, two threads. */
static void *encode_often(void *argument) {
    const nf_tokenizer *t = argument;
    nf_tokenizer_scratch *scratch = nf_tokenizer_scratch_new();
    nf_encoding e = {0};
    nerfit_error err = {0};
    size_t sum = 0;
    for (int i = 0; i < 2000; i++) {
        static const char text[] = "Set an alarm for two hours from now, please. xyzzy na\u00efve";
        if (nf_tokenizer_encode_with(t, scratch, text, sizeof text - 1, true, &e, &err) !=
            NERFIT_OK)
            sum += 1000000;
        for (size_t k = 0; k < e.length; k++) sum += (size_t)e.ids[k];
    }
    nf_encoding_free(&e);
    nf_tokenizer_scratch_free(scratch);
    return (void *)sum;
}

static void test_threads(void **state) {
    (void)state;
    nf_tokenizer *t = load(GOLDEN "roberta.json");
    pthread_t threads[2];
    void *sums[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_often, t), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], &sums[i]);
    assert_ptr_equal(sums[0], sums[1]);
    assert_ptr_equal(sums[0], encode_often(t));
    nf_tokenizer_free(t);
}

/* ---- broken files */

static void test_invalid(void **state) {
    (void)state;
    DIR *folder = opendir(INVALID);
    assert_non_null(folder);
    size_t count = 0, wrong = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        size_t length = strlen(entry->d_name);
        if (length < 7 || strcmp(entry->d_name + length - 6, ".error") != 0) continue;
        count++;
        char path[512], want[2048] = "";
        snprintf(path, sizeof path, INVALID "%s", entry->d_name);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        want[fread(want, 1, sizeof want - 1, file)] = '\0';
        fclose(file);
        want[strcspn(want, "\n")] = '\0';
        /* CASE.error goes with CASE.json, or with the folder CASE. */
        snprintf(path, sizeof path, INVALID "%.*s.json", (int)length - 6, entry->d_name);
        if (!nf_file_exists(path))
            snprintf(path, sizeof path, INVALID "%.*s", (int)length - 6, entry->d_name);
        nf_tokenizer *t = NULL;
        nerfit_error err = {0};
        nerfit_status status = nf_tokenizer_load(&t, path, &err);
        if (status == NERFIT_OK) { /* then encoding must fail */
            nf_encoding e = {0};
            static const char text[] = "the zzz";
            status = nf_tokenizer_encode(t, text, sizeof text - 1, true, &e, &err);
            nf_encoding_free(&e);
            nf_tokenizer_free(t);
        }
        if (status == NERFIT_OK || strcmp(err.text, want) != 0) {
            printf("%s\n  expected: %s\n  got:      %s\n", path, want,
                   status == NERFIT_OK ? "no error" : err.text);
            wrong++;
        }
    }
    closedir(folder);
    assert_true(count >= 30);
    assert_int_equal(wrong, 0);
}

static void test_missing(void **state) {
    (void)state;
    nf_tokenizer *t;
    nerfit_error err = {0};
    assert_int_equal(nf_tokenizer_load(&t, "tests/golden/no-such-folder", &err), NERFIT_IO);
    assert_null(t);
    assert_int_equal(nf_tokenizer_load(&t, "tests/golden/tokenizers", &err), NERFIT_IO);
    assert_string_equal(err.text,
                        "tests/golden/tokenizers: no tokenizer here: neither tokenizer.json, "
                        "nor vocab.txt, nor vocab.json with merges.txt, nor a SentencePiece model "
                        "(sentencepiece.bpe.model, spm.model, spiece.model, tokenizer.model)");
}

static void test_out_of_memory(void **state) {
    (void)state;
#ifdef CAN_FAIL_ALLOCATIONS
    static const char *const paths[] = {GOLDEN "bert-added.json",    GOLDEN "roberta-added.json",
                                        GOLDEN "folder-roberta-map", GOLDEN "folder-bert-cased",
                                        SENTENCEPIECE "albert",      SENTENCEPIECE "any-bpe",
                                        SENTENCEPIECE "edits.json"};
    static const char text[] =
        "  the <l> newtoken xyzzyplugh e\u0301\u0323 \u0dd9\u0dca\u0dcf "
        "I\u0307 \u6771\u4eac\1 <mask> aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        bool done = false;
        long n = 0;
        for (; !done; n++) {
            nf_tokenizer *t = NULL;
            nf_encoding e = {0};
            nf_str out = {0};
            nerfit_error err = {0};
            allocations_left = n;
            done = nf_tokenizer_load(&t, paths[i], &err) == NERFIT_OK &&
                   nf_tokenizer_encode(t, text, sizeof text - 1, true, &e, &err) == NERFIT_OK &&
                   nf_encoding_to_json(&e, t, &out, &err) == NERFIT_OK;
            nf_str_free(&out);
            nf_encoding_free(&e);
            nf_tokenizer_free(t);
            allocations_left = -1;
            if (!done) assert_int_not_equal(err.code, NERFIT_OK);
            /* Loading makes thousands of allocations that are all alike (the JSON text). */
            if (n > 300 && !done) n += n / 50;
        }
        assert_true(n > 100);
    }
#else
    skip();
#endif
}

/* ---- real data */

/* The published ids of tokenizers/golden, and that the offsets of real texts lie in order. */
static void test_published(void **state) {
    (void)state;
    const char *data = test_data_folder();
    if (!data) {
        print_message("no real data: set NERFIT_TEST_DATA\n");
        skip();
    }
    char path[4096];
    nerfit_error err = {0};
    json_t *root, *item, *id;
    snprintf(path, sizeof path, "%s/tokenizers/golden/golden.json", data);
    assert_ok(nf_json_load(&root, path, &err), &err);
    size_t i, k, done = 0;
    json_array_foreach(json_object_get(root, "cases"), i, item) {
        const char *name = json_string_value(json_object_get(item, "tokenizer"));
        nf_tokenizer *t;
        err = (nerfit_error){0};
        snprintf(path, sizeof path, "%s/tokenizers/%s/DERIVED-tokenizer.json", data, name);
        if (!nf_file_exists(path)) snprintf(path, sizeof path, "%s/tokenizers/%s", data, name);
        nerfit_status status = nf_tokenizer_load(&t, path, &err);
        /* Other models, and those of which only a sentencepiece file is there. */
        if (status == NERFIT_UNSUPPORTED || status == NERFIT_IO) continue;
        assert_ok(status, &err);
        nf_encoding e = {0};
        const char *text = json_string_value(json_object_get(item, "text"));
        assert_ok(nf_tokenizer_encode(t, text, strlen(text), true, &e, &err), &err);
        json_array_foreach(json_object_get(item, "ids"), k,
                           id) if (k >= e.length || e.ids[k] != json_integer_value(id))
            fail_msg("%s: \"%s\": id %zu is %d, published is %lld", name, text, k,
                     k < e.length ? e.ids[k] : -1, (long long)json_integer_value(id));
        assert_int_equal(e.length, k);
        nf_encoding_free(&e);
        nf_tokenizer_free(t);
        done++;
    }
    json_decref(root);
    assert_true(done >= 5);
}

/* ---- the tables */

static void test_unicode(void **state) {
    (void)state;
    uint32_t out[NF_UNICODE_MAX_DECOMPOSITION];
    assert_int_equal(nf_unicode_to_lower('A', out), 1);
    assert_int_equal(out[0], 'a');
    assert_int_equal(nf_unicode_to_lower(0x130, out), 2);
    assert_int_equal(out[1], 0x307);
    assert_int_equal(nf_unicode_decompose(0xAC01, false, out), 3);
    assert_int_equal(out[2], 0x11A8);
    assert_int_equal(nf_unicode_decompose(0xFDFA, true, out), 18);
    assert_int_equal(nf_unicode_decompose(0xFDFA, false, out), 1);
    assert_int_equal(nf_unicode_compose_pair('e', 0x301), 0xE9);
    assert_int_equal(nf_unicode_compose_pair(0xAC00, 0x11A7), 0);
    assert_int_equal(nf_unicode_compose_pair(0xAC00, 0x11A8), 0xAC01);
    assert_int_equal(nf_unicode_combining_class(0x323), 220);
    assert_int_equal(nf_unicode_combining_class('a'), 0);
    /* What a pair composes to decomposes to the pair. */
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c >= 0xD800 && c < 0xE000) continue;
        if (!(nf_unicode_flags_of(c) & NF_UNICODE_HAS_NFD) ||
            nf_unicode_decompose(c, false, out) != 2)
            continue;
        uint32_t again[NF_UNICODE_MAX_DECOMPOSITION];
        uint32_t composed = nf_unicode_compose_pair(out[0], out[1]);
        if (!composed) continue;
        if (nf_unicode_decompose(composed, false, again) != 2 || again[0] != out[0] ||
            again[1] != out[1])
            fail_msg("U+%04X composes to U+%04X, which decomposes to others", c, composed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_golden_sentencepiece),
        cmocka_unit_test(test_word_cache),
        cmocka_unit_test(test_interface),
        cmocka_unit_test(test_text_must_be_utf8),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_save),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_unicode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
