/* The parts of the network code that need no server: digests, URLs, waits, the hub's cache,
 * providers and their answers, questions and descriptions. tests/test_net.py has the rest. */
#include "documents.h"
#include "tiny_model.h"

#include <sys/stat.h>

#include "base/digest.h"
#include "data/formats/format.h"
#include "data/describing.h"
#include "net/http.h"
#include "net/hub_cache.h"
#include "net/llm.h"

/* ---------------------------------------------------------------- digests */

/* FIPS 180-4's examples (NIST's "SHA256.pdf", "SHA1.pdf") and RFC 3174's. */
static void test_digests(void **state) {
    (void)state;
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const struct {
        const char *text;
        size_t times;
        const char *sha256, *sha1;
    } cases[] = {
        {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {two_blocks, 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
         "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int git = 0; git < 2; git++) {
            char hex[NF_DIGEST_HEX];
            nf_digest d = git ? nf_digest_sha1() : nf_digest_sha256();
            for (size_t k = 0; k < cases[i].times; k++)
                nf_digest_add(&d, cases[i].text, strlen(cases[i].text));
            nf_digest_end(&d, hex);
            assert_string_equal(hex, git ? cases[i].sha1 : cases[i].sha256);
        }
    /* in pieces of every size it is the same */
    for (size_t piece = 1; piece < 140; piece++) {
        char data[277], hex[2][NF_DIGEST_HEX];
        for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * 7);
        nf_digest whole = nf_digest_sha256(), parts = whole;
        nf_digest_add(&whole, data, sizeof data);
        for (size_t at = 0; at < sizeof data; at += piece)
            nf_digest_add(&parts, data + at, sizeof data - at < piece ? sizeof data - at : piece);
        nf_digest_end(&whole, hex[0]);
        nf_digest_end(&parts, hex[1]);
        assert_string_equal(hex[0], hex[1]);
    }
}

/* ---------------------------------------------------------------- HTTP */

static void test_urls(void **state) {
    (void)state;
    static const char *const joins[][3] = {
        {"http://h/a/b", "http://x/y", "http://x/y"},
        {"http://h/a/b?q", "/c", "http://h/c"},
        {"https://h:1/a/b", "//x/y", "https://x/y"},
        {"http://h/a/b?q/r", "c", "http://h/a/c"},
        {"http://h", "c", "http://h/c"},
        {"http://h/a?q", "?r", "http://h/a?r"},
    };
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
        nf_str out = {0};
        nf_http_url_join(&out, joins[i][0], joins[i][1]);
        assert_string_equal(nf_str_text(&out), joins[i][2]);
        nf_str_free(&out);
    }
    static const struct {
        const char *a, *b;
        bool same;
    } origins[] = {
        {"http://h/a", "http://h/b", true},
        {"http://H/a", "HTTP://h:80/b", true},
        {"https://h", "https://h:443", true},
        {"http://h", "https://h", false},
        {"http://h", "http://h:8080", false},
        {"http://h", "http://h.evil.example", false},
        {"https://hub.example", "https://hub.example@evil.example/", false},
        {"https://user:a@h/", "https://h/", true},
        {"http://[::1]/", "http://[::1]:80/", true},
        {"http://[::1]/", "http://[::2]/", false},
    };
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++)
        if (nf_http_same_origin(origins[i].a, origins[i].b) != origins[i].same)
            fail_msg("%s and %s", origins[i].a, origins[i].b);
    nf_str shown = {0};
    nf_http_url_shown(&shown, "https://user:password@h:1/a/b?key=secret#c");
    nf_str_append_char(&shown, ' ');
    nf_http_url_shown(&shown, "https://h?key=secret");
    nf_str_append_char(&shown, ' ');
    nf_http_escape(&shown, "a b/\xC3\xA9?", true);
    nf_str_append_char(&shown, ' ');
    nf_http_escape(&shown, "refs/pr/1", false);
    assert_string_equal(shown.data, "https://h:1/a/b https://h a%20b/%C3%A9%3F refs%2Fpr%2F1");
    nf_str_free(&shown);
}

static void test_waits(void **state) {
    (void)state;
    nf_http_policy policy = {0};
    const double expected[] = {0.5, 1, 2, 4, 8, 8, 8};
    for (int i = 0; i < 7; i++) {
        assert_true(nf_http_wait_of(&policy, i, -1, 0) == expected[i] / 2);
        assert_true(nf_http_wait_of(&policy, i, -1, 0.5) == expected[i] * 0.75);
    }
    policy = (nf_http_policy){.first_wait = 2, .longest_wait = 3};
    assert_true(nf_http_wait_of(&policy, 1, -1, 0) == 1.5);
    assert_true(nf_http_wait_of(&policy, 5, 17, 0.5) == 17);
    assert_true(nf_http_wait_of(&policy, 5, 0, 0.5) == 0);
    const int64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */
    static const struct {
        const char *text;
        double seconds;
    } headers[] = {{"120", 120},
                   {"0", 0},
                   {"1.5", 1.5},
                   {"-3", -1},
                   {"soon", -1},
                   {"", -1},
                   {"1e99", -1},
                   {"Sun, 06 Nov 1994 08:50:37 GMT", 60},
                   {"Sun, 06 Nov 1994 08:49:00 GMT", 0}};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (nf_http_retry_after(headers[i].text, strlen(headers[i].text), now) !=
            headers[i].seconds)
            fail_msg("%s", headers[i].text);
    assert_true(nf_http_retry_after(NULL, 0, now) == -1);
}

typedef struct waits {
    double seconds[16];
    int count, stop_at;
} waits;

static bool record(void *user, double seconds) {
    waits *w = user;
    w->seconds[w->count++] = seconds;
    return w->count != w->stop_at;
}

/* Nobody listens on port 1: with a clock of our own the waits take no time. */
static void test_retries(void **state) {
    (void)state;
    setenv("no_proxy", "*", 1);
    waits w = {.stop_at = -1};
    nf_http_policy policy = {.retries = 6, .seed = 7, .wait = record, .wait_user = &w};
    nf_http_request request = {.url = "http://user:secret@127.0.0.1:1/a?key=secret",
                               .secret = "Authorization: Bearer secret"};
    nf_http_response response;
    nerfit_error error;
    assert_int_equal(nf_http_send(&request, &policy, NULL, &response, &error), NERFIT_IO);
    assert_int_equal(w.count, 6);
    double longest = 0.5;
    for (int i = 0; i < 6; i++, longest = longest < 8 ? 2 * longest : 8)
        assert_true(w.seconds[i] >= longest / 2 && w.seconds[i] < longest);
    assert_non_null(strstr(error.text, "http://127.0.0.1:1/a: "));
    assert_null(strstr(error.text, "secret"));
    nf_http_response_free(&response);
    waits again = {.stop_at = 3};
    policy.wait_user = &again;
    assert_int_equal(nf_http_send(&request, &policy, NULL, &response, &error), NERFIT_CANCELLED);
    assert_int_equal(again.count, 3);
    assert_memory_equal(again.seconds, w.seconds, 3 * sizeof *w.seconds); /* the seed's jitter */
    nf_http_response_free(&response);
    policy = (nf_http_policy){.retries = -1, .wait = record, .wait_user = &again};
    request.url = "file:///etc/passwd";
    assert_int_equal(nf_http_send(&request, &policy, NULL, &response, &error), NERFIT_IO);
    assert_int_equal(again.count, 3);
    nf_http_response_free(&response);
}

/* ---------------------------------------------------------------- the hub's cache */

static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *reference, *id, *revision; /* id NULL: no name */
    } cases[] = {
        {"bert-base-uncased", "bert-base-uncased", "main"},
        {"acme/Model_1.5", "acme/Model_1.5", "main"},
        {"acme/m@v1.0", "acme/m", "v1.0"},
        {"acme/m@refs/pr/3", "acme/m", "refs/pr/3"},
        {"acme/m@../x", NULL, NULL},
        {"acme/m@", NULL, NULL},
        {"/acme", NULL, NULL},
        {"./acme", NULL, NULL},
        {"~/acme", NULL, NULL},
        {"../acme", NULL, NULL},
        {"a/b/c", NULL, NULL},
        {"a/", NULL, NULL},
        {"a//b", NULL, NULL},
        {"a--b", NULL, NULL},
        {"a..b", NULL, NULL},
        {"-a", NULL, NULL},
        {"a.", NULL, NULL},
        {"a b", NULL, NULL},
        {"", NULL, NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaa"
         "aa",
         NULL, NULL},
    };
    nf_arena arena = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_hub_name name;
        bool valid = nf_hub_name_parse(&arena, cases[i].reference, &name);
        if (valid != (cases[i].id != NULL)) fail_msg("%s", cases[i].reference);
        if (!valid) continue;
        assert_string_equal(name.id, cases[i].id);
        assert_string_equal(name.revision, cases[i].revision);
    }
    static const char *const bad[] = {"",   "/a",   "a/../b", "..", "a//b",
                                      "a/", "a\\b", "a\nb",   "./a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (nf_hub_file_name_valid(bad[i])) fail_msg("%s", bad[i]);
    assert_true(nf_hub_file_name_valid("1_Pooling/config.json"));
    assert_true(nf_hub_file_name_valid("..a/b..c"));
    nf_arena_free(&arena);
}

static void set_environment(const char *const pairs[][2], size_t count) {
    for (size_t i = 0; i < count; i++)
        if (pairs[i][1])
            setenv(pairs[i][0], pairs[i][1], 1);
        else
            unsetenv(pairs[i][0]);
}

static void test_cache_folders(void **state) {
    (void)state;
    nf_arena arena = {0};
    const char *set[][2] = {{"HOME", "/home/u"},
                            {"XDG_CACHE_HOME", NULL},
                            {"HF_HOME", NULL},
                            {"HUGGINGFACE_HUB_CACHE", NULL},
                            {"HF_HUB_CACHE", NULL},
                            {"HF_TOKEN", NULL},
                            {"HUGGING_FACE_HUB_TOKEN", NULL},
                            {"HF_TOKEN_PATH", NULL}};
    static const char *const expected[] = {"/home/u/.cache/huggingface/hub", "/x/huggingface/hub",
                                           "/home/u/hf/hub", "/c", "/d"};
    static const char *const values[] = {NULL, "/x", "~/hf", "/c", "/d"};
    for (size_t i = 0; i < 5; i++) { /* each later one goes before those before it */
        set[i][1] = i ? values[i] : set[i][1];
        set_environment(set, 8);
        assert_string_equal(nf_hub_cache_folder(&arena), expected[i]);
    }
    char folder[64], path[128];
    temporary_folder(folder);
    snprintf(path, sizeof path, "%s/token", folder);
    write_text(path, " hf_from_file \n");
    setenv("HF_HOME", folder, 1);
    assert_string_equal(nf_hub_token(&arena), "hf_from_file");
    setenv("HUGGING_FACE_HUB_TOKEN", "hf_old", 1);
    assert_string_equal(nf_hub_token(&arena), "hf_old");
    setenv("HF_TOKEN", "hf_new\n", 1);
    assert_string_equal(nf_hub_token(&arena), "hf_new");
    unsetenv("HF_TOKEN"), unsetenv("HUGGING_FACE_HUB_TOKEN");
    setenv("HF_TOKEN_PATH", "/nowhere", 1);
    assert_null(nf_hub_token(&arena));
    unsetenv("HF_TOKEN_PATH");
    nerfit_error error;
    assert_ok(nf_directory_remove(folder, &error), &error);
    nf_arena_free(&arena);
}

static void put(const char *folder, const char *name, const char *text) {
    char path[1200], *slash;
    nerfit_error error;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    assert_ok(nf_directory_make(path, &error), &error);
    *slash = '/';
    write_text(path, text);
}

/* What a snapshot lacks. */
static void test_states(void **state) {
    (void)state;
    static const char COMMIT[] = "0123456789abcdef0123456789abcdef01234567";
    static const struct {
        const char *name, *text;
        nf_hub_kind kind;
        bool usable, complete;
    } steps[] = {
        {"snapshots/C/config.json", "{}", NF_HUB_MODEL, false, false},
        {"snapshots/C/vocab.txt", "a", NF_HUB_TOKENIZER, true, true},
        {"snapshots/C/model.safetensors.index.json",
         "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}", NF_HUB_MODEL,
         false, false},
        {"snapshots/C/1.safetensors", "x", NF_HUB_MODEL, false, false},
        {"snapshots/C/2.safetensors", "x", NF_HUB_MODEL, true, true},
        {"snapshots/C/README.md", "x", NF_HUB_SENTENCE, true, false},
        {".no_exist/C/modules.json", "", NF_HUB_SENTENCE, true, true},
        {"snapshots/C/modules.json",
         "[{\"type\": \"a.Transformer\", \"path\": \"\"}, {\"type\": \"a.Pooling\", \"path\": "
         "\"1_P\"}, "
         "{\"type\": \"a.Normalize\", \"path\": \"2_N\"}]",
         NF_HUB_SENTENCE, false, false},
        {"snapshots/C/1_P/config.json", "{}", NF_HUB_SENTENCE, true, true},
    };
    char cache[64], model[128], path[256];
    nf_arena arena = {0};
    nerfit_error error;
    nf_hub_name name;
    nf_hub_paths paths;
    temporary_folder(cache);
    snprintf(model, sizeof model, "%s/models--acme--m", cache);
    assert_true(nf_hub_name_parse(&arena, "acme/m", &name));
    assert_ok(nf_hub_paths_find(&paths, &arena, cache, &name, &error), &error);
    assert_string_equal(paths.model, model);
    assert_null(paths.snapshot);
    put(model, "refs/main", "../../../etc");
    assert_ok(nf_hub_paths_find(&paths, &arena, cache, &name, &error), &error);
    assert_null(paths.snapshot);
    put(model, "refs/main", COMMIT);
    assert_ok(nf_hub_paths_find(&paths, &arena, cache, &name, &error), &error);
    assert_string_equal(paths.commit, COMMIT);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const char *c = strstr(steps[i].name, "/C/");
        snprintf(path, sizeof path, "%.*s/%s%s", (int)(c - steps[i].name), steps[i].name, COMMIT,
                 c + 2);
        put(model, path, steps[i].text);
        nf_hub_state s = nf_hub_state_of(&arena, &paths, steps[i].kind);
        if (s.usable != steps[i].usable || s.complete != steps[i].complete)
            fail_msg("%s: usable %d, complete %d", steps[i].name, s.usable, s.complete);
    }
    /* links */
    put(model, "blobs/abc", "content");
    assert_ok(nf_hub_link(&arena, &paths, "1_P/deep/x.json", "abc", &error), &error);
    assert_ok(nf_hub_link(&arena, &paths, "1_P/deep/x.json", "abc", &error), &error); /* again */
    snprintf(path, sizeof path, "%s/1_P/deep/x.json", paths.snapshot);
    char target[64] = {0};
    assert_true(readlink(path, target, sizeof target - 1) > 0);
    assert_string_equal(target, "../../../../blobs/abc");
    assert_true(nf_file_exists(path));
    assert_ok(nf_directory_remove(cache, &error), &error);
    nf_arena_free(&arena);
}

static bool give_up(void *user) {
    return --*(int *)user > 0;
}

static void test_locks(void **state) {
    (void)state;
    char folder[64], path[128];
    int first, second, patience = 3;
    nerfit_error error;
    temporary_folder(folder);
    snprintf(path, sizeof path, "%s/a.lock", folder);
    assert_ok(nf_hub_lock(&first, path, give_up, &patience, &error), &error);
    assert_int_equal(nf_hub_lock(&second, path, give_up, &patience, &error), NERFIT_CANCELLED);
    assert_int_equal(patience, 0);
    unlink(path); /* as filelock may do: a new file is a new lock */
    assert_ok(nf_hub_lock(&second, path, give_up, &patience, &error), &error);
    nf_hub_unlock(first);
    nf_hub_unlock(second);
    assert_ok(nf_directory_remove(folder, &error), &error);
}

/* ---------------------------------------------------------------- providers */

static void test_providers(void **state) {
    (void)state;
    static const struct {
        const char *name, *variable, *value, *url, *model, *key; /* the key's variable */
    } cases[] = {
        {"gpt-4o-mini", "OPENAI_BASE_URL", NULL, "https://api.openai.com/v1/chat/completions",
         "gpt-4o-mini", "OPENAI_API_KEY"},
        {"o3-mini", "OPENAI_BASE_URL", "http://h/v1/chat/completions",
         "http://h/v1/chat/completions", "o3-mini", "OPENAI_API_KEY"},
        {"claude-3-5-haiku-latest", "ANTHROPIC_API_BASE", NULL,
         "https://api.anthropic.com/v1/messages", "claude-3-5-haiku-latest", "ANTHROPIC_API_KEY"},
        {"anthropic/claude", "ANTHROPIC_API_BASE", "http://h/v1/messages", "http://h/v1/messages",
         "claude", "ANTHROPIC_API_KEY"},
        {"gemini/gemini-2.0-flash", "GEMINI_API_BASE", NULL,
         "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
         "gemini-2.0-flash", "GOOGLE_API_KEY"},
        {"azure/a b", "AZURE_API_BASE", "https://x.openai.azure.com/",
         "https://x.openai.azure.com/openai/deployments/a%20b/chat/"
         "completions?api-version=2024-10-21",
         "a b", "AZURE_API_KEY"},
        {"ollama/llama3.2", "OLLAMA_API_BASE", NULL, "http://localhost:11434/v1/chat/completions",
         "llama3.2", NULL},
        {"ollama/llama3.2", "OLLAMA_API_BASE", "http://h:1/v1/", "http://h:1/v1/chat/completions",
         "llama3.2", NULL},
        {"groq/llama", "GROQ_API_BASE", NULL, "https://api.groq.com/openai/v1/chat/completions",
         "llama", "GROQ_API_KEY"},
        {"huggingface/acme/m", "HUGGINGFACE_API_BASE", NULL,
         "https://router.huggingface.co/v1/chat/completions", "acme/m", "HF_TOKEN"},
        {"huggingface/together/acme/m", "HUGGINGFACE_API_BASE", NULL,
         "https://router.huggingface.co/v1/chat/completions", "acme/m:together", "HF_TOKEN"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_arena arena = {0};
        nf_llm llm;
        nerfit_error error;
        if (cases[i].value)
            setenv(cases[i].variable, cases[i].value, 1);
        else
            unsetenv(cases[i].variable);
        if (cases[i].key) {
            unsetenv(cases[i].key);
            assert_int_equal(nf_llm_open(&llm, &arena, cases[i].name, &error), NERFIT_ARGUMENT);
            assert_non_null(strstr(error.text, cases[i].key));
            setenv(cases[i].key, "k\n", 1);
        }
        assert_ok(nf_llm_open(&llm, &arena, cases[i].name, &error), &error);
        assert_string_equal(llm.url, cases[i].url);
        assert_string_equal(llm.model, cases[i].model);
        if (cases[i].key)
            assert_string_equal(llm.key, "k");
        else
            assert_null(llm.secret);
        if (cases[i].key) unsetenv(cases[i].key);
        unsetenv(cases[i].variable);
        nf_arena_free(&arena);
    }
}

static void test_answers(void **state) {
    (void)state;
    static const struct {
        const char *llm, *answer, *expected;
    } cases[] = {
        {"ollama/x", "{\"choices\": [{\"message\": {\"content\": \" a \\n\"}}]}", "a"},
        {"ollama/x",
         "{\"choices\": [{\"message\": {\"content\": [{\"type\": \"text\", \"text\": \"a\"}, "
         "{\"type\": "
         "\"image\"}, {\"text\": \"b\"}]}, \"finish_reason\": \"stop\"}]}",
         "ab"},
        {"ollama/x",
         "{\"choices\": [{\"message\": {\"content\": null}, \"finish_reason\": \"length\"}]}",
         "llm: ollama/x: the answer was cut off"},
        {"ollama/x", "{\"choices\": [{\"message\": {}}]}",
         "llm: ollama/x: the answer is not of the form"},
        {"ollama/x", "{\"choices\": 3}", "llm: ollama/x: the answer is not of the form"},
        {"ollama/x", "{\"choices\": [{\"message\": {\"content\": \"\\u0000\"}}]}",
         "llm: ollama/x: the answer:1:"},
        {"claude-x",
         "{\"content\": [{\"type\": \"thinking\", \"text\": \"hm\"}, {\"type\": \"text\", "
         "\"text\": \"a\"}], \"stop_reason\": \"end_turn\"}",
         "a"},
    /* reasoning models think aloud first */
#define SAYS(text) "{\"choices\": [{\"message\": {\"content\": \"" text "\"}}]}"
        {"ollama/x", SAYS("<think>\\nOkay, the user.\\n</think>\\n\\nA moment."), "A moment."},
        {"ollama/x", SAYS("Okay, the user.\\n</think>\\n\\nA moment."), "A moment."},
        {"ollama/x", SAYS("<THINKING>a</Thinking><think></think> A <b>moment</b>."),
         "A <b>moment</b>."},
        {"ollama/x", SAYS("<think>\\nOkay, the user wants"),
         "llm: ollama/x: the answer is thinking alone"},
        {"ollama/x", SAYS("<think>x</think>"), "llm: ollama/x: the answer is empty but"},
        {"ollama/x", SAYS("A thought: <think> of it"), "A thought: <think> of it"},
        {"ollama/x", SAYS("```\\nA moment.\\n```"), "A moment."},
        {"ollama/x", SAYS("```json\\n{\\\"description\\\": \\\"A moment.\\\"}\\n```"), "A moment."},
        {"ollama/x", SAYS("{\\\"time\\\": \\\"A moment.\\\"}"), "A moment."},
        {"ollama/x", SAYS("\\\"A moment.\\\""), "A moment."},
        {"ollama/x", SAYS("“A moment.”"), "A moment."},
        {"ollama/x", SAYS("\\\"now\\\" or \\\"then\\\""), "\"now\" or \"then\""},
        {"ollama/x", SAYS("<think>hm</think>```text\\n'A moment.'\\n```"), "A moment."},
        {"ollama/x", SAYS("a\\u001b[2Jb\\u009bc"), "a [2Jb c"},
        /* errors as if all were well */
        {"ollama/x", "{\"error\": {\"message\": \"no \\u001b[1mmodel\"}}",
         "llm: ollama/x: the provider says: no  [1mmodel"},
        {"ollama/x", "{\"error\": \"overloaded\"}", "llm: ollama/x: the provider says: overloaded"},
        {"ollama/x", "[{\"error\": {\"message\": \"m\"}}]", "llm: ollama/x: the provider says: m"},
        {"ollama/x", "{\"detail\": \"Not Found\"}", "llm: ollama/x: the provider says: Not Found"},
        /* the key is shown to nobody */
        {"claude-x", "{\"type\": \"error\", \"error\": {\"message\": \"bad s3cret-key!\"}}",
         "llm: claude-x: the provider says: bad (key)!"},
        {"claude-x",
         "{\"content\": [{\"type\": \"text\", \"text\": \"it is s3cret-key\"}], \"stop_reason\": "
         "\"end_turn\"}",
         "it is (key)"},
        {"ollama/x",
         "{\"choices\": [{\"message\": {\"content\": null, \"refusal\": \"no\\u0007\"}}]}",
         "llm: ollama/x: the provider filtered or refused the answer (no )"},
        {"claude-x", "{\"content\": []}", "llm: claude-x: the answer is empty"},
        {"claude-x", "{\"choices\": []}", "llm: claude-x: the answer is not of the form"},
        {"claude-x", "7", "llm: claude-x: the answer is not of the form"},
    };
    setenv("ANTHROPIC_API_KEY", "s3cret-key", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_arena arena = {0};
        nf_llm llm;
        nerfit_error error = {0};
        char *text;
        assert_ok(nf_llm_open(&llm, &arena, cases[i].llm, &error), &error);
        nerfit_status status =
            nf_llm_read(&llm, cases[i].answer, strlen(cases[i].answer), &text, &error);
        const char *got = status == NERFIT_OK ? text : error.text;
        if (strncmp(got, cases[i].expected, strlen(cases[i].expected)) != 0 ||
            (status == NERFIT_OK && strlen(got) != strlen(cases[i].expected)))
            fail_msg("%s: %s (expected %s)", cases[i].answer, got, cases[i].expected);
        free(text);
        nf_arena_free(&arena);
    }
    unsetenv("ANTHROPIC_API_KEY");
}

/* ---------------------------------------------------------------- descriptions */

static void test_question(void **state) {
    (void)state;
    static const char lines[] = "[a : x] and [a : y z], [b : b]\n[b : only b]\n[a : x] again\n"
                                "[a : x] and [a : y z], [b : b]\n";
    nf_corpus corpus = {0};
    nf_str out = {0};
    nerfit_error error;
    assert_ok(
        nf_annotations_parse(&corpus, lines, strlen(lines), "t", &nf_format_brackets, NULL, &error),
        &error);
    const nf_corpus *corpora[] = {NULL, &corpus, &corpus};
    assert_ok(nf_describing_question(&out, corpora, 3, "a", 1, &error), &error);
    const char *samples = strstr(out.data, "Samples:\n");
    assert_non_null(samples);
    assert_string_equal(samples, "Samples:\n* x and y z, b (\"x\", \"y z\")\n* x again (\"x\")\n");
    assert_non_null(strstr(out.data, "label \"a\""));
    nf_str_free(&out);
    nf_corpus_free(&corpus);
}

static void test_writing(void **state) {
    (void)state;
    static const char *const texts[] = {
        "plain",
        "42",
        "null",
        "a: b # c",
        "two\nlines",
        "\"q\" 'r'",
        "- list",
        "\xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x98\x80",
        "tab\there",
        "a very long text, a very long text, a very long "
        "text, a very long text, a very long text, a very long text",
        "{x}",
        "end\n\nagain",
        "\x01 control"};
    static const char *const names[] = {"d.yaml", "d.json", "d.txt"};
    static const char *const befores[] = {NULL, "# mine\nfirst: my own\n", "{first: my own}",
                                          "- [first, my own]\n", "first: my own\n..."};
    char folder[64], path[128];
    nerfit_error error;
    temporary_folder(folder);
    for (size_t n = 0; n < 3; n++)
        for (size_t b = 0; b < 5; b++) {
            if (befores[b] && strcmp(names[n], "d.json") == 0) continue;
            nf_descriptions d = {0}, read = {0};
            snprintf(path, sizeof path, "%s/%s", folder, names[n]);
            unlink(path);
            if (befores[b]) {
                write_text(path, befores[b]);
                assert_ok(nf_descriptions_add(&d, "first", "my own", &error), &error);
            }
            for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
                char label[32];
                snprintf(label, sizeof label, i % 2 ? "%zu" : "label: %zu", i);
                assert_ok(nf_descriptions_add(&d, label, texts[i], &error), &error);
                assert_ok(nf_descriptions_write(&d, path, "A heading", &error), &error);
            }
            assert_ok(nf_descriptions_read(&read, path, &error), &error);
            assert_int_equal(read.count, d.count);
            for (size_t i = 0; i < d.count; i++) {
                size_t k = nf_descriptions_find(&read, d.labels[i]);
                assert_true(k < read.count);
                assert_string_equal(read.texts[k], d.texts[i]);
            }
            nf_file file;
            assert_ok(nf_file_open(&file, path, &error), &error);
            const char *begin = b == 1                       ? befores[1]
                                : strcmp(names[n], "d.json") ? "# A heading"
                                                             : "{";
            if (b < 2) assert_memory_equal(file.data, begin, strlen(begin));
            nf_file_close(&file);
            nf_descriptions_free(&d);
            nf_descriptions_free(&read);
        }
    assert_ok(nf_directory_remove(folder, &error), &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests),   cmocka_unit_test(test_urls),
        cmocka_unit_test(test_waits),     cmocka_unit_test(test_retries),
        cmocka_unit_test(test_names),     cmocka_unit_test(test_cache_folders),
        cmocka_unit_test(test_states),    cmocka_unit_test(test_locks),
        cmocka_unit_test(test_providers), cmocka_unit_test(test_answers),
        cmocka_unit_test(test_question),  cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
