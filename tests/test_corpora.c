/* The evaluation corpora, read by content alone, against what seqeval, Python's json and the
 * original's parser make of them (tools/golden/annotations.py): every text and every entity. */
#include "test.h"

#include "data/formats/format.h"

static const struct {
    const char *path;
    size_t n_documents, n_entities;
    uint64_t digest;
} corpora[] = {
#include "golden/corpora.h"
};
enum { N_CORPORA = sizeof corpora / sizeof *corpora };

static uint64_t hash(uint64_t value, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) value = (value ^ (unsigned char)text[i]) * 0x100000001B3u;
    return value;
}

static uint64_t digest(const nf_corpus *corpus) {
    uint64_t value = 0xCBF29CE484222325u;
    char line[512];
    for (size_t i = 0; i < corpus->n_documents; i++) {
        const nf_document *d = &corpus->documents[i];
        value = hash(hash(value, d->text, d->text_size), "\n", 1);
        for (size_t k = 0; k < d->n_spans; k++) {
            const nf_span *s = &d->spans[k];
            int size = snprintf(line, sizeof line, "%u %u %s\n", s->start, s->end, s->label);
            value = hash(value, line, (size_t)size);
        }
    }
    return value;
}

static void read_corpora(void **state) {
    (void)state;
    const char *folder = test_data_folder();
    if (!folder) {
        print_message("no evaluation data: set NERFIT_TEST_DATA\n");
        skip();
    }
    size_t failed = 0;
    for (size_t i = 0; i < N_CORPORA; i++) {
        char path[4096];
        nf_corpus corpus = {0};
        nerfit_error error;
        snprintf(path, sizeof path, "%s/%s", folder, corpora[i].path);
        if (nf_annotations_read(&corpus, path, NULL, NULL, &error) != NERFIT_OK) {
            print_error("%s: %s\n", corpora[i].path, error.text);
            failed++;
        } else if (corpus.n_documents != corpora[i].n_documents ||
                   corpus.n_spans != corpora[i].n_entities ||
                   digest(&corpus) != corpora[i].digest) {
            print_error("%s: %zu documents, %zu entities, digest %016llx; expected %zu, %zu, "
                        "%016llx\n",
                        corpora[i].path, corpus.n_documents, corpus.n_spans,
                        (unsigned long long)digest(&corpus), corpora[i].n_documents,
                        corpora[i].n_entities, (unsigned long long)corpora[i].digest);
            failed++;
        }
        nf_corpus_free(&corpus);
    }
    assert_int_equal(failed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(read_corpora)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
