/* Missing memory in the network code, as far as it needs no server: see oom.h. */
#include "oom.h"

#include <unistd.h>

#include "base/file.h"
#include "data/formats/format.h"
#include "data/describing.h"
#include "net/hub_cache.h"
#include "net/llm.h"

static char folder[64], path[128];

static nerfit_status ask(nerfit_error *error) {
    static const char answer[] = "{\"choices\": [{\"message\": {\"content\": \" a text \"}}]}";
    static const nf_llm_question question = {
        .system = "s", .text = "q", .schema = "{\"type\": \"object\"}", .warm = true};
    nf_arena arena = {0};
    nf_llm llm;
    char *body = NULL, *text = NULL;
    nerfit_status status = nf_llm_open(&llm, &arena, "huggingface/p/a/b", error);
    if (status == NERFIT_OK && !(body = nf_llm_body(&llm, &question)))
        status = nf_no_memory(error, 0);
    if (status == NERFIT_OK) status = nf_llm_read(&llm, answer, sizeof answer - 1, &text, error);
    free(body);
    free(text);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status describe(nerfit_error *error) {
    static const char lines[] = "[a : x] y\nz [a : y] [b : z]\n";
    nf_corpus corpus = {0};
    nf_descriptions d = {0};
    nf_str question = {0};
    const nf_corpus *corpora[] = {&corpus};
    nerfit_status status = nf_annotations_parse(&corpus, lines, sizeof lines - 1, "t",
                                                &nf_format_brackets, NULL, error);
    if (status == NERFIT_OK) status = nf_describing_question(&question, corpora, 1, "a", 1, error);
    for (int i = 0; i < 3 && status == NERFIT_OK; i++) {
        char label[] = {(char)('a' + i), 0};
        status = nf_descriptions_add(&d, label, "words: words", error);
        if (status == NERFIT_OK) status = nf_descriptions_write(&d, path, "heading", error);
    }
    unlink(path);
    nf_str_free(&question);
    nf_descriptions_free(&d);
    nf_corpus_free(&corpus);
    return status;
}

static nerfit_status look_up(nerfit_error *error) {
    nf_arena arena = {0};
    nf_hub_name name;
    nf_hub_paths paths;
    nerfit_status status = NERFIT_OK;
    const char *cache = nf_hub_cache_folder(&arena);
    nf_hub_token(&arena);
    if (!nf_hub_name_parse(&arena, "acme/m", &name) || !cache || !name.id || !name.revision)
        status = nf_no_memory(error, 0);
    if (status == NERFIT_OK) status = nf_hub_paths_find(&paths, &arena, folder, &name, error);
    if (status == NERFIT_OK)
        status = nf_hub_paths_set_commit(&paths, &arena, "0123456789abcdef0123456789abcdef01234567",
                                         error);
    if (status == NERFIT_OK) nf_hub_state_of(&arena, &paths, NF_HUB_SENTENCE);
    if (status == NERFIT_OK) status = nf_hub_link(&arena, &paths, "a/b.json", "abc", error);
    nf_arena_free(&arena);
    return status;
}

static void test_net(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/nerfit-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/d.yaml", folder);
    setenv("HF_TOKEN", "hf_x", 1);
    unsetenv("HUGGINGFACE_API_KEY");
    unsetenv("HUGGINGFACE_API_BASE");
    unsetenv("HF_API_BASE");
    assert_true(oom_try_all("a language model", ask, OOM_IN_PARSER) > 10);
    assert_true(oom_try_all("descriptions", describe, OOM_MAY_BE_SILENT) > 20);
    assert_true(oom_try_all("the cache", look_up, OOM_MAY_BE_SILENT) > 3);
    nerfit_error error;
    assert_ok(nf_directory_remove(folder, &error), &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_net)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
