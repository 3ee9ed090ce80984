/* Language models by litellm's names ("gpt-4o-mini", "anthropic/claude-...", "ollama/llama3"), with
 * the environment variables that litellm reads. Three forms of request: OpenAI's chat completions,
 * which most providers offer, Azure's way to them, and Anthropic's messages. */
#ifndef NF_NET_LLM_H
#define NF_NET_LLM_H

#include "base/arena.h"
#include "base/error.h"
#include "net/http.h"

typedef enum nf_llm_form { NF_LLM_OPENAI, NF_LLM_AZURE, NF_LLM_ANTHROPIC } nf_llm_form;

enum { NF_LLM_NAMES = 4 };

typedef struct nf_llm_provider {
    const char *name; /* before the slash */
    nf_llm_form form;
    const char *keys[NF_LLM_NAMES];  /* variables, the first that is set counts */
    const char *bases[NF_LLM_NAMES]; /* variables of the address */
    const char *base;                /* the address without them; NULL: one must be set */
    const char *path;                /* from the address to the requests' place */
    bool key_optional;
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
/* The request's body, freed by the caller; NULL when out of memory. */
char *nf_llm_body(const nf_llm *llm, const char *system, const char *question);
/* The text of an answer [size], stripped; freed by the caller. One that was cut off, filtered,
 * refused or is empty is an error. */
nerfit_status nf_llm_read(const nf_llm *llm, const char *answer, size_t size, char **text,
                          nerfit_error *err);
/* Asks, with retries. *text is freed by the caller. */
nerfit_status nf_llm_ask(const nf_llm *llm, const char *system, const char *question,
                         const nf_http_watch *watch, char **text, nerfit_error *err);

#endif
