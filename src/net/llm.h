/* Language models by litellm's names ("gpt-4o-mini", "anthropic/claude-...", "ollama/llama3"), with
 * the environment variables that litellm reads. Three forms of request: OpenAI's chat completions,
 * which most providers offer, Azure's way to them, and Anthropic's messages. */
#ifndef NF_NET_LLM_H
#define NF_NET_LLM_H

#include <jansson.h>

#include "base/arena.h"
#include "base/error.h"
#include "net/http.h"

typedef enum nf_llm_form { NF_LLM_OPENAI, NF_LLM_AZURE, NF_LLM_ANTHROPIC } nf_llm_form;

/* Whether a provider takes the form that an answer must have. */
typedef enum nf_llm_structure {
    NF_LLM_SCHEMA,      /* a JSON schema; Anthropic: a tool with one */
    NF_LLM_JSON_OBJECT, /* only that it is JSON */
    NF_LLM_PLAIN,       /* not at all */
} nf_llm_structure;

enum { NF_LLM_NAMES = 4 };

typedef struct nf_llm_provider {
    const char *name; /* before the slash */
    nf_llm_form form;
    const char *keys[NF_LLM_NAMES];  /* variables, the first that is set counts */
    const char *bases[NF_LLM_NAMES]; /* variables of the address */
    const char *base;                /* the address without them; NULL: one must be set */
    const char *path;                /* from the address to the requests' place */
    bool key_optional;
    nf_llm_structure structure;
} nf_llm_provider;

/* The provider of a name and the model's name there, or an error that lists what is known. */
nerfit_status nf_llm_provider_find(const nf_llm_provider **provider, const char **model,
                                   const char *name, nerfit_error *err);

/* A model that can be asked. The key stays in `secret`, a header. */
typedef struct nf_llm {
    const char *name; /* litellm's */
    const nf_llm_provider *provider;
    const char *model, *url;
    const char *key, *secret; /* NULL: none */
    nf_http_policy policy;
} nf_llm;

/* From the environment; a key that is missing is an error that says which variable to set. */
nerfit_status nf_llm_open(nf_llm *llm, nf_arena *arena, const char *name, nerfit_error *err);

typedef struct nf_llm_question {
    const char *system, *text;
    const char
        *schema; /* a JSON schema of the answer, where the provider takes one; NULL: any text */
    bool warm;   /* whether `temperature` is sent; else the model has its own */
    double temperature;
} nf_llm_question;

typedef struct nf_llm_answer {
    char *text;                     /* as it came; freed by the caller */
    bool truncated;                 /* at the model's limit of tokens */
    char reason[24];                /* the provider's word for that */
    uint64_t tokens_in, tokens_out; /* as the provider counts them; 0: it does not say */
    long http_status;               /* 0: none came */
} nf_llm_answer;

/* The request's body, freed by the caller; NULL when out of memory. */
char *nf_llm_body(const nf_llm *llm, const nf_llm_question *question);
/* An answer's bytes [size]. One that is filtered, refused or empty is an error. */
nerfit_status nf_llm_answer_read(const nf_llm *llm, const char *bytes, size_t size,
                                 nf_llm_answer *answer, nerfit_error *err);
/* Asks, with retries. http_status is filled on errors, too. Threads may ask at the same time, once
 * one has asked, or called nf_http_prepare. */
nerfit_status nf_llm_ask_with(const nf_llm *llm, const nf_llm_question *question,
                              const nf_http_watch *watch, nf_llm_answer *answer, nerfit_error *err);

/* The one text that an answer is meant to be: without thinking, fence and quotes; freed by the caller.
 * One that was cut off is an error. */
nerfit_status nf_llm_description(const nf_llm *llm, const nf_llm_answer *answer, char **text,
                                 nerfit_error *err);
/* Both of an answer's bytes, and with asking. */
nerfit_status nf_llm_read(const nf_llm *llm, const char *bytes, size_t size, char **text,
                          nerfit_error *err);
nerfit_status nf_llm_ask(const nf_llm *llm, const char *system, const char *question,
                         const nf_http_watch *watch, char **text, nerfit_error *err);

/* A provider's own words, at most so many bytes, without the key and without what a terminal obeys. */
void nf_llm_append_shown(nf_str *out, const nf_llm *llm, const char *words, size_t most);
/* Those on an error, {"error": {"message": ...}} and its like; NULL: none. */
const char *nf_llm_words_on_error(const json_t *json);

#endif
