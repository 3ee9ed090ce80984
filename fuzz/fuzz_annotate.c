/* Fuzz target: what language models answer, and where it stands in a text. The input up to the first NUL
 * is an answer, what follows is the text. Every place must be one of whole characters in the text, and
 * an exact one must hold the answer. */
#include <stdlib.h>
#include <string.h>

#include "annotate/align.h"
#include "annotate/answer.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

static void check_place(const char *text, size_t size, const nf_aligned *a) {
    size_t length = nf_utf8_count(text, size);
    if (a->how > NF_COUNT_REPEATED) return;
    REQUIRE(a->start < a->end && a->end <= length);
    size_t from = nf_utf8_offset(text, size, a->start), to = nf_utf8_offset(text, size, a->end);
    REQUIRE(from < to && to <= size);
    if (a->how == NF_COUNT_EXACT)
        REQUIRE(to - from == strlen(a->text) && memcmp(text + from, a->text, to - from) == 0);
}

static void place(const char *text, size_t size, const nf_answer *answer, bool nested) {
    nf_arena arena = {0};
    nf_align_text t;
    nf_aligned *list = nf_arena_calloc(&arena, answer->count + 1, sizeof *list), *more;
    size_t n_more;
    nerfit_error error;
    const nf_align_options options = {true, nested};
    REQUIRE(list);
    for (size_t i = 0; i < answer->count; i++)
        list[i] = (nf_aligned){.text = answer->items[i].text, .label = (int32_t)(i % 3)};
    REQUIRE(nf_align_text_make(&t, text, size, &arena, &error) == NERFIT_OK);
    REQUIRE(nf_align(&t, list, answer->count, &options, &more, &n_more, &arena, &error) ==
            NERFIT_OK);
    for (size_t i = 0; i < answer->count; i++) check_place(text, size, &list[i]);
    for (size_t i = 0; i < n_more; i++) check_place(text, size, &more[i]);
    for (size_t i = 0; i < answer->count && !nested; i++)
        for (size_t k = 0; k < i; k++)
            REQUIRE(list[i].how > NF_COUNT_REPEATED || list[k].how > NF_COUNT_REPEATED ||
                    list[i].end <= list[k].start || list[k].end <= list[i].start);
    nf_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"person", "city", "a"}, *const none[] = {"", "", ""};
    static const char usual[] = "Ada Lovelace's \xE2\x80\x9C"
                                "Caf\xC3\xA9\xE2\x80\x9D in \xE5\x8C\x97\xE4\xBA\xAC";
    const nf_job_labels labels = {names, none, NULL, 3};
    nf_answer_labels known;
    if (size > 600) return 0; /* long ones only take long */
    REQUIRE(nf_answer_labels_make(&known, &labels, NULL) == NERFIT_OK);
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    copy[size] = '\0';
    size_t length = strlen(copy);
    bool own = length < size && nf_utf8_valid(copy + length + 1, size - length - 1, NULL) &&
               !memchr(copy + length + 1, '\0', size - length - 1);
    const char *text = own ? copy + length + 1 : usual;
    for (int bare = 0; bare < 2; bare++) {
        nf_arena arena = {0};
        nf_answer answer;
        bool no_memory;
        if (nf_answer_read(&answer, copy, bare ? NULL : &known, bare, &arena, &no_memory)) {
            bool valid = true;
            for (size_t i = 0; i < answer.count; i++)
                valid &= nf_utf8_valid(answer.items[i].text, strlen(answer.items[i].text), NULL);
            if (valid) place(text, strlen(text), &answer, bare);
        }
        REQUIRE(!no_memory);
        nf_arena_free(&arena);
    }
    nf_answer_labels_free(&known);
    free(copy);
    return 0;
}
