#include "model/builtin.h"

#include <string.h>

#include "base/embed.h"
#include "base/file.h"
#include "base/fnv.h"
#include "model/adapter.h"

NF_EMBED(minilm_config, "adapters/all-MiniLM-L6-v2-general/adapter_config.json");
NF_EMBED(minilm_adapter, "adapters/all-MiniLM-L6-v2-general/adapter_model.safetensors");
NF_EMBED(minilm_head, "adapters/all-MiniLM-L6-v2-general/description_head.safetensors");
NF_EMBED(e5_config, "adapters/multilingual-e5-small-general/adapter_config.json");
NF_EMBED(e5_adapter, "adapters/multilingual-e5-small-general/adapter_model.safetensors");
NF_EMBED(e5_head, "adapters/multilingual-e5-small-general/description_head.safetensors");

struct nf_builtin {
    const char *name;
    size_t weights_size; /* bytes of the encoder's tensors */
    uint64_t checksum;
    const char *config, *config_end, *adapter, *adapter_end, *head, *head_end;
};

static const nf_builtin builtins[] = {
    {"all-MiniLM-L6-v2-general", 90856960, 0x2976B7A837AD79E7u, minilm_config_data,
     minilm_config_end, minilm_adapter_data, minilm_adapter_end, minilm_head_data, minilm_head_end},
    {"multilingual-e5-small-general", 470023680, 0x52121768CC372823u, e5_config_data, e5_config_end,
     e5_adapter_data, e5_adapter_end, e5_head_data, e5_head_end},
};
enum { N_BUILTINS = sizeof builtins / sizeof *builtins };

/* What is read of a tensor: its first and its last block, and one of every STRIDE bytes between. */
enum { BLOCK = 4096, STRIDE = 8 << 20 };

static uint64_t of_block(uint64_t hash, const void *data, size_t size) {
    return (hash ^ nf_hash_words(data, size)) * NF_HASH_PRIME;
}

static uint64_t of_tensor(uint64_t hash, const nf_stored *tensor) {
    const char *data = tensor->data;
    size_t n = tensor->size;
    hash = of_block(hash, tensor->name, strlen(tensor->name));
    hash = of_block(hash, &(uint64_t){n}, sizeof(uint64_t));
    for (size_t i = 0; i < n; i += STRIDE)
        hash = of_block(hash, data + i, n - i < BLOCK ? n - i : BLOCK);
    return n > BLOCK ? of_block(hash, data + n - BLOCK, BLOCK) : hash;
}

uint64_t nf_builtin_checksum(const nf_safetensors *weights) {
    uint64_t hash = NF_HASH_START;
    for (size_t i = 0; i < nf_safetensors_count(weights); i++)
        hash = of_tensor(hash, nf_safetensors_at(weights, i));
    return hash;
}

static size_t size_of(const nf_safetensors *weights) {
    size_t size = 0;
    for (size_t i = 0; i < nf_safetensors_count(weights); i++)
        size += nf_safetensors_at(weights, i)->size;
    return size;
}

static const nf_builtin *of_weights(const nf_safetensors *weights) {
    size_t size = size_of(weights);
    for (size_t i = 0; i < N_BUILTINS; i++)
        if (size == builtins[i].weights_size &&
            nf_builtin_checksum(weights) == builtins[i].checksum)
            return &builtins[i];
    return NULL;
}

const nf_builtin *nf_builtin_find(const char *encoder) {
    const nf_builtin *found = NULL;
    nf_arena arena = {0};
    nf_safetensors *weights;
    const char *path = nf_path_join(&arena, encoder, "model.safetensors");
    if (path && nf_file_exists(path) && nf_safetensors_open(&weights, path, NULL) == NERFIT_OK) {
        found = of_weights(weights);
        nf_safetensors_close(weights);
    }
    nf_arena_free(&arena);
    return found;
}

const char *nf_builtin_name(const nf_builtin *builtin) {
    return builtin->name;
}

nerfit_status nf_builtin_adapter(const nf_builtin *b, nf_model *model, nerfit_error *err) {
    return nf_adapter_load_memory(model, b->config, (size_t)(b->config_end - b->config), b->adapter,
                                  (size_t)(b->adapter_end - b->adapter), b->name, err);
}

nerfit_status nf_builtin_head(const nf_builtin *b, nf_safetensors **out, nerfit_error *err) {
    return nf_safetensors_open_memory(out, b->head, (size_t)(b->head_end - b->head), b->name, err);
}
