/* The table of providers, and names without one. */
#include <string.h>

#include "net/llm.h"

/* Addresses and variables as litellm has them (get_llm_provider_logic.py, main.py, llms/); Gemini
 * is asked through Google's OpenAI-style address, Ollama through its own of that kind. An address
 * that ends with the path, or with its first part (such as /v1), is taken as it is. */
static const char CHAT[] = "/chat/completions", V1_CHAT[] = "/v1/chat/completions";

/* clang-format off */
static const nf_llm_provider providers[] = {
    {"openai", NF_LLM_OPENAI, {"OPENAI_API_KEY"}, {"OPENAI_BASE_URL", "OPENAI_API_BASE"},
     "https://api.openai.com/v1", CHAT, false, NF_LLM_SCHEMA},
    {"anthropic", NF_LLM_ANTHROPIC, {"ANTHROPIC_API_KEY"},
     {"ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"}, "https://api.anthropic.com", "/v1/messages", false, NF_LLM_SCHEMA},
    {"azure", NF_LLM_AZURE, {"AZURE_API_KEY", "AZURE_OPENAI_API_KEY"}, {"AZURE_API_BASE"}, NULL,
     CHAT, false, NF_LLM_SCHEMA},
    {"gemini", NF_LLM_OPENAI, {"GEMINI_API_KEY", "GOOGLE_API_KEY"}, {"GEMINI_API_BASE"},
     "https://generativelanguage.googleapis.com", "/v1beta/openai/chat/completions", false, NF_LLM_SCHEMA},
    {"mistral", NF_LLM_OPENAI, {"MISTRAL_API_KEY", "MISTRAL_AZURE_API_KEY"},
     {"MISTRAL_API_BASE", "MISTRAL_AZURE_API_BASE"}, "https://api.mistral.ai", V1_CHAT, false, NF_LLM_SCHEMA},
    {"groq", NF_LLM_OPENAI, {"GROQ_API_KEY"}, {"GROQ_API_BASE"}, "https://api.groq.com/openai/v1",
     CHAT, false, NF_LLM_SCHEMA},
    {"openrouter", NF_LLM_OPENAI, {"OPENROUTER_API_KEY", "OR_API_KEY"}, {"OPENROUTER_API_BASE"},
     "https://openrouter.ai/api/v1", CHAT, false, NF_LLM_SCHEMA},
    {"deepseek", NF_LLM_OPENAI, {"DEEPSEEK_API_KEY"}, {"DEEPSEEK_API_BASE"},
     "https://api.deepseek.com/beta", CHAT, false, NF_LLM_JSON_OBJECT},
    {"together_ai", NF_LLM_OPENAI,
     {"TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"},
     {"TOGETHER_AI_API_BASE"}, "https://api.together.xyz/v1", CHAT, false, NF_LLM_SCHEMA},
    {"fireworks_ai", NF_LLM_OPENAI,
     {"FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"},
     {"FIREWORKS_API_BASE"}, "https://api.fireworks.ai/inference/v1", CHAT, false, NF_LLM_SCHEMA},
    {"xai", NF_LLM_OPENAI, {"XAI_API_KEY"}, {"XAI_API_BASE"}, "https://api.x.ai", V1_CHAT, false, NF_LLM_SCHEMA},
    {"perplexity", NF_LLM_OPENAI, {"PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"},
     {"PERPLEXITY_API_BASE"}, "https://api.perplexity.ai", CHAT, false, NF_LLM_SCHEMA},
    {"deepinfra", NF_LLM_OPENAI, {"DEEPINFRA_API_KEY"}, {"DEEPINFRA_API_BASE"},
     "https://api.deepinfra.com/v1/openai", CHAT, false, NF_LLM_SCHEMA},
    {"cerebras", NF_LLM_OPENAI, {"CEREBRAS_API_KEY"}, {"CEREBRAS_API_BASE"},
     "https://api.cerebras.ai/v1", CHAT, false, NF_LLM_SCHEMA},
    {"nvidia_nim", NF_LLM_OPENAI, {"NVIDIA_NIM_API_KEY"}, {"NVIDIA_NIM_API_BASE"},
     "https://integrate.api.nvidia.com/v1", CHAT, false, NF_LLM_PLAIN},
    {"huggingface", NF_LLM_OPENAI, {"HUGGINGFACE_API_KEY", "HF_TOKEN"},
     {"HUGGINGFACE_API_BASE", "HF_API_BASE"}, "https://router.huggingface.co/v1", CHAT, false, NF_LLM_SCHEMA},
    {"ollama", NF_LLM_OPENAI, {"OLLAMA_API_KEY"}, {"OLLAMA_API_BASE"}, "http://localhost:11434",
     V1_CHAT, true, NF_LLM_SCHEMA},
    {"ollama_chat", NF_LLM_OPENAI, {"OLLAMA_API_KEY"}, {"OLLAMA_API_BASE"}, "http://localhost:11434",
     V1_CHAT, true, NF_LLM_SCHEMA},
    {"hosted_vllm", NF_LLM_OPENAI, {"HOSTED_VLLM_API_KEY"}, {"HOSTED_VLLM_API_BASE"}, NULL, CHAT, true, NF_LLM_SCHEMA},
    {"lm_studio", NF_LLM_OPENAI, {"LM_STUDIO_API_KEY"}, {"LM_STUDIO_API_BASE"}, NULL, CHAT, true, NF_LLM_SCHEMA},
    {"litellm_proxy", NF_LLM_OPENAI, {"LITELLM_PROXY_API_KEY"}, {"LITELLM_PROXY_API_BASE"}, NULL, CHAT,
     true, NF_LLM_SCHEMA},
};
/* clang-format on */
enum { N_PROVIDERS = sizeof providers / sizeof *providers };

/* Names without a provider; litellm has lists of models, here the beginning tells. */
static const struct {
    const char *beginning, *provider;
} bare_names[] = {{"gpt-", "openai"},       {"chatgpt-", "openai"}, {"o1", "openai"},
                  {"o3", "openai"},         {"o4", "openai"},       {"ft:gpt-", "openai"},
                  {"claude-", "anthropic"}, {"gemini-", "gemini"}};

static const nf_llm_provider *by_name(const char *name, size_t size) {
    for (size_t i = 0; i < N_PROVIDERS; i++)
        if (strlen(providers[i].name) == size && memcmp(providers[i].name, name, size) == 0)
            return &providers[i];
    return NULL;
}

static nerfit_status unknown(const char *name, nerfit_error *err) {
    nf_str known = {0};
    for (size_t i = 0; i < N_PROVIDERS; i++)
        nf_str_appendf(&known, "%s%s/", i ? ", " : "", providers[i].name);
    nf_fail(
        err, NERFIT_ARGUMENT,
        "llm: \"%s\" is no model that is known here; expected gpt-..., claude-..., gemini-..., or "
        "a model after one of %s",
        name, nf_str_text(&known));
    nf_str_free(&known);
    return NERFIT_ARGUMENT;
}

nerfit_status nf_llm_provider_find(const nf_llm_provider **provider, const char **model,
                                   const char *name, nerfit_error *err) {
    size_t prefix = strcspn(name, "/");
    *provider = NULL;
    *model = name;
    if (name[prefix] == '/' && name[prefix + 1]) {
        *provider = by_name(name, prefix);
        *model = name + prefix + 1;
    } else if (!name[prefix]) {
        for (size_t i = 0; i < sizeof bare_names / sizeof *bare_names && !*provider; i++)
            if (strncmp(name, bare_names[i].beginning, strlen(bare_names[i].beginning)) == 0)
                *provider = by_name(bare_names[i].provider, strlen(bare_names[i].provider));
    }
    return *provider ? NERFIT_OK : unknown(name, err);
}
