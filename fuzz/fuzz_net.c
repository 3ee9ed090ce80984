/* Fuzz target: what comes over the network or lies in the hub's cache. The first byte chooses:
 * answers of language models, URLs and redirects, names. */
#include <stdlib.h>
#include <string.h>

#include "net/http.h"
#include "net/hub_cache.h"
#include "net/llm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

static void read_answer(const char *text, size_t size, const char *name) {
    nf_arena arena = {0};
    nerfit_error error;
    nf_llm llm;
    char *answer;
    REQUIRE(nf_llm_open(&llm, &arena, name, &error) == NERFIT_OK);
    if (nf_llm_read(&llm, text, size, &answer, &error) == NERFIT_OK)
        REQUIRE(answer[0]);
    else
        REQUIRE(!answer && error.text[0]);
    free(answer);
    nf_arena_free(&arena);
}

static void read_url(const char *text) {
    nf_str out = {0};
    const char *slash = strchr(text, '\n');
    if (!slash) return;
    char *base = strndup(text, (size_t)(slash - text));
    nf_http_url_join(&out, base, slash + 1);
    nf_http_url_shown(&out, slash + 1);
    nf_http_escape(&out, base, true);
    REQUIRE(nf_http_same_origin(base, base));
    nf_http_same_origin(base, slash + 1);
    nf_http_retry_after(text, strlen(text), 1000000000);
    nf_str_free(&out);
    free(base);
}

static void read_name(const char *text) {
    nf_arena arena = {0};
    nf_hub_name name;
    if (nf_hub_name_parse(&arena, text, &name)) {
        REQUIRE(!strstr(name.id, "..") && !strstr(name.id, "--") && name.id[0] != '/');
        REQUIRE(nf_hub_file_name_valid(name.revision));
    }
    if (nf_hub_file_name_valid(text)) REQUIRE(text[0] != '/' && !strstr(text, "/../"));
    nf_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    char *text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    setenv("ANTHROPIC_API_KEY", "k", 1);
    switch (data[0] % 4) {
    case 0:
        read_answer(text, size - 1, "ollama/x");
        break;
    case 1:
        read_answer(text, size - 1, "claude-x");
        break;
    case 2:
        read_url(text);
        break;
    default:
        read_name(text);
        break;
    }
    free(text);
    return 0;
}
