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
    size_t weights_size; /* of the encoder's model.safetensors */
    uint64_t checksum;
    const char *config, *config_end, *adapter, *adapter_end, *head, *head_end;
};

static const nf_builtin builtins[] = {
    {"all-MiniLM-L6-v2-general", 90868376, 0xE14E1E98DF430188u, minilm_config_data,
     minilm_config_end, minilm_adapter_data, minilm_adapter_end, minilm_head_data, minilm_head_end},
    {"multilingual-e5-small-general", 470045904, 0xE3D38750ECA05BFAu, e5_config_data, e5_config_end,
     e5_adapter_data, e5_adapter_end, e5_head_data, e5_head_end},
};
enum { N_BUILTINS = sizeof builtins / sizeof *builtins };

uint64_t nf_builtin_checksum(const void *data, size_t size) {
    return nf_hash_words(data, size);
}

const nf_builtin *nf_builtin_find(const char *encoder) {
    const nf_builtin *found = NULL;
    nf_arena arena = {0};
    nf_file file;
    const char *path = nf_path_join(&arena, encoder, "model.safetensors");
    if (path && nf_file_exists(path) && nf_file_open(&file, path, NULL) == NERFIT_OK) {
        for (size_t i = 0; i < N_BUILTINS && !found; i++)
            if (file.size == builtins[i].weights_size &&
                nf_builtin_checksum(file.data, file.size) == builtins[i].checksum)
                found = &builtins[i];
        nf_file_close(&file);
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
