/* Memory that runs out: for every n, the n-th allocation of a reading and all later ones fail. The
 * status must say so, and nothing may be lost or used after it was freed. Not under sanitizers,
 * which have an allocator of their own. */
#include "documents.h"

#include "data/annotations.h"
#include "data/descriptions.h"
#include "data/document_stream.h"
#include "data/words.h"

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
extern void *__libc_memalign(size_t align, size_t size);
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
EVERYWHERE void *aligned_alloc(size_t align, size_t size) {
    return allocation_fails() ? NULL : __libc_memalign(align, size);
}

static const char *const inputs[] = {
    "{\"text\": \"a b c\", \"entities\": [[0, 2, \" x\"], [2, 3, \"y\"], [2, 3, "
    "\"y\"]]}\n{\"text\": 1}\n",
    "[{\"text\": \"\xC3\xA9 b\", \"entities\": [{\"start\": 0, \"end\": 1, \"label\": \"x\"}]}]",
    "at [time : \xC3\xA9 five] in [place: New York] [x : y",
    "EU\tB-ORG\nsays\tI-ORG\nno\tI-X\n\nyes\tO\n",
};
static const struct {
    const char *name, *text;
} descriptions[] = {
    {"d.json", "{\"x\": \"d\", \"y\": \"e\"}"},
    {"d.yaml", "x: d\ny: e\n"},
    {"d.yaml", "- [x, d]\n- [x, e]\n"},
};

typedef nerfit_status (*attempt)(size_t input, nerfit_error *error);

static nerfit_status read_input(size_t input, nerfit_error *error) {
    nf_annotation_report report = {0};
    nf_annotation_options options = {
        .overlap = NF_OVERLAP_KEEP_LONGEST, .report = &report, .max_errors = 5};
    nf_corpus corpus = {0};
    nerfit_status status = nf_annotations_parse_with(&corpus, inputs[input], strlen(inputs[input]),
                                                     "input", &options, error);
    nf_corpus_free(&corpus);
    nf_annotation_report_free(&report);
    return status == NERFIT_FORMAT ? NERFIT_OK : status;
}

static nf_corpus written; /* made before memory runs out */

static nerfit_status write_document(size_t format, nerfit_error *error) {
    static const nf_format formats[] = {NF_FORMAT_JSONL, NF_FORMAT_BRACKETS, NF_FORMAT_CONLL,
                                        NF_FORMAT_TEXT};
    nf_str out = {0};
    nerfit_status status =
        nf_annotations_write(&out, &written.documents[0], formats[format], error);
    nf_str_free(&out);
    return status;
}

static nerfit_status read_descriptions(size_t input, nerfit_error *error) {
    nf_descriptions d = {0};
    nerfit_status status =
        nf_descriptions_parse(&d, descriptions[input].text, strlen(descriptions[input].text),
                              descriptions[input].name, error);
    nf_descriptions_free(&d);
    return status == NERFIT_FORMAT ? NERFIT_OK : status;
}

static ptrdiff_t read_once(void *user, char *buffer, size_t size) {
    const char **text = user;
    size_t length = strlen(*text);
    assert_true(length <= size);
    memcpy(buffer, *text, length);
    *text += length;
    return (ptrdiff_t)length;
}

static nerfit_status read_stream(size_t input, nerfit_error *error) {
    static const nf_format formats[] = {NF_FORMAT_JSONL, NF_FORMAT_TEXT, NF_FORMAT_BRACKETS,
                                        NF_FORMAT_CONLL};
    const char *text = inputs[input];
    nf_document_source source = {.read = read_once,
                                 .user = &text,
                                 .name = "input",
                                 .format = formats[input],
                                 .with_spans = true};
    nf_document_stream *stream = NULL;
    nf_corpus corpus = {0};
    bool more = true;
    nerfit_status status = nf_document_stream_open(&stream, &source, error);
    while (more && status == NERFIT_OK) {
        status = nf_document_stream_next(stream, &corpus, &more, error);
        if (status == NERFIT_FORMAT) status = NERFIT_OK, more = true;
    }
    nf_document_stream_close(stream);
    nf_corpus_free(&corpus);
    return status;
}

static const struct {
    const char *name;
    attempt run;
    size_t n_inputs;
} attempts[] = {
    {"reading", read_input, sizeof inputs / sizeof *inputs},
    {"writing", write_document, 4},
    {"descriptions", read_descriptions, sizeof descriptions / sizeof *descriptions},
    {"streams", read_stream, sizeof inputs / sizeof *inputs},
};

static void check_attempts(void **state) {
    (void)state;
    nerfit_error error;
    assert_ok(nf_annotations_parse(&written, inputs[2], strlen(inputs[2]), "input",
                                   NF_FORMAT_BRACKETS, NULL, &error),
              &error);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        for (size_t k = 0; k < attempts[i].n_inputs; k++) {
            nerfit_status status = NERFIT_NO_MEMORY;
            long n = 0;
            for (; n < 2000 && status == NERFIT_NO_MEMORY; n++) {
                error = (nerfit_error){0};
                allocations_left = n;
                status = attempts[i].run(k, &error);
                allocations_left = -1;
                if (status == NERFIT_NO_MEMORY) assert_int_equal(error.code, NERFIT_NO_MEMORY);
            }
            if (status != NERFIT_OK)
                fail_msg("%s %zu, allocation %ld: status %d (%s)", attempts[i].name, k, n, status,
                         error.text);
            if (n <= 1) fail_msg("%s %zu: nothing failed (%s)", attempts[i].name, k, error.text);
        }
    nf_corpus_free(&written);
}
#else
static void check_attempts(void **state) {
    (void)state;
    print_message("not with this allocator\n");
    skip();
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_attempts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
