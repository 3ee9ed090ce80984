#include "model/adapter_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/config_reader.h"

typedef struct reader {
    nf_config_reader fields;
    nf_arena *arena; /* of names and lists */
} reader;

/* What becomes of a key. */
typedef enum key_use {
    READ,    /* below */
    OF_NOTE, /* says something about the adapter, not about numbers */
    OF_INIT, /* options of a beginning, which its name, init_lora_weights, stands for */
    REFUSED, /* changes numbers, and is not implemented: anything but an empty value is an error */
} key_use;

/* All keys of LoraConfig of PEFT 0.21.2. */
static const struct {
    const char *key;
    key_use use;
} keys[] = {
    {"r", READ},
    {"lora_alpha", READ},
    {"lora_dropout", READ},
    {"use_dora", READ},
    {"use_rslora", READ},
    {"inference_mode", READ},
    {"target_modules", READ},
    {"exclude_modules", READ},
    {"modules_to_save", READ},
    {"rank_pattern", READ},
    {"alpha_pattern", READ},
    {"layers_to_transform", READ},
    {"layers_pattern", READ},
    {"bias", READ},
    {"init_lora_weights", READ},
    {"peft_type", READ},
    {"lora_bias", READ},               /* adapter_fold.c */
    {"trainable_token_indices", READ}, /* adapter_fold.c */
    {"base_model_name_or_path", OF_NOTE},
    {"revision", OF_NOTE}, /* of the base model, on the hub: api_net.c */
    {"task_type", OF_NOTE},
    {"auto_mapping", OF_NOTE},
    {"peft_version", OF_NOTE},
    {"runtime_config", OF_NOTE},
    {"fan_in_fan_out", OF_NOTE}, /* PEFT sets it to false itself where a layer is torch's Linear */
    {"megatron_core", OF_NOTE},
    {"qalora_group_size", OF_NOTE},
    {"ensure_weight_tying", OF_NOTE}, /* of input and output embeddings; an encoder has no latter */
    {"loftq_config", OF_INIT},
    {"eva_config", OF_INIT},
    {"corda_config", OF_INIT},
    {"lora_ga_config", OF_INIT},
    {"layer_replication", REFUSED},
    {"target_parameters", REFUSED},
    {"megatron_config", REFUSED},
    {"use_qalora", REFUSED},
    {"use_bdlora", REFUSED},
    {"velora_config", REFUSED},
    {"alora_invocation_tokens", REFUSED},
    {"monteclora_config", REFUSED},
    {"arrow_config", REFUSED},
    {"kasa_config", REFUSED},
};
enum { N_KEYS = sizeof keys / sizeof *keys };

static void *reader_memory(reader *in, size_t count, size_t size) {
    void *memory =
        in->fields.status == NERFIT_OK ? nf_arena_calloc(in->arena, count + 1, size) : NULL;
    if (!memory && in->fields.status == NERFIT_OK)
        in->fields.status = nf_no_memory(in->fields.err, count * size);
    return memory;
}

static char *reader_text(reader *in, const char *text) {
    char *copy = nf_arena_strdup(in->arena, text);
    if (!copy && in->fields.status == NERFIT_OK)
        in->fields.status = nf_no_memory(in->fields.err, strlen(text));
    return copy;
}

/* A list of names, or one name. */
static void read_names(reader *in, const char *key, char ***names, size_t *count) {
    const json_t *value = nf_config_get(&in->fields, key);
    *names = NULL;
    *count = 0;
    if (!value) return;
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    *names = reader_memory(in, n, sizeof **names);
    for (size_t i = 0; i < n && in->fields.status == NERFIT_OK; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(item))
            nf_config_wrong(&in->fields, key, "a name or a list of names");
        else
            (*names)[(*count)++] = reader_text(in, json_string_value(item));
    }
}

/* Names, of which a single text is a regular expression. */
static void read_modules(reader *in, const char *key, char ***names, size_t *count, bool *regex) {
    read_names(in, key, names, count);
    *regex = json_is_string(nf_config_get(&in->fields, key)) && *count == 1 &&
             !nf_ascii_same((*names)[0], "all-linear");
}

/* {"pattern": number}; whole: a rank. */
static void read_patterns(reader *in, const char *key, bool whole, nf_adapter_pattern **patterns,
                          size_t *count) {
    json_t *value = json_object_get(in->fields.config, key), *number;
    const char *pattern;
    *patterns = NULL;
    *count = 0;
    if (!value || json_is_null(value)) return;
    if (!json_is_object(value))
        nf_config_wrong(&in->fields, key, "an object of patterns and numbers");
    *patterns = reader_memory(in, json_object_size(value), sizeof **patterns);
    json_object_foreach(value, pattern, number) {
        double n = json_number_value(number);
        if (!json_is_number(number) || (whole && (n < 1 || n > 65536 || n != floor(n))))
            nf_config_wrong(&in->fields, key,
                            whole ? "an object of patterns and ranks, whole numbers from 1"
                                  : "an object of patterns and numbers");
        if (in->fields.status != NERFIT_OK) return;
        (*patterns)[*count].pattern = reader_text(in, pattern);
        (*patterns)[(*count)++].value = n;
    }
}

static void read_layers(reader *in, nf_adapter_config *config) {
    const json_t *value = nf_config_get(&in->fields, "layers_to_transform");
    if (!value) return;
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    config->layers = reader_memory(in, n, sizeof *config->layers);
    for (size_t i = 0; i < n && in->fields.status == NERFIT_OK; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        json_int_t layer = json_integer_value(item);
        if (!json_is_integer(item) || layer < -1000000 || layer > 1000000)
            nf_config_wrong(&in->fields, "layers_to_transform",
                            "a layer's number or a list of them");
        config->layers[config->n_layers++] = (int)layer;
    }
    if (config->n_layers && config->target_regex)
        nf_config_wrong(&in->fields, "target_modules",
                        "a list where there is \"layers_to_transform\"");
}

static nf_adapter_bias read_bias(reader *in) {
    static const char *const names[] = {"none", "all", "lora_only"};
    const json_t *value = nf_config_get(&in->fields, "bias");
    const char *given = value ? json_string_value(value) : names[0];
    for (int i = 0; i < 3; i++)
        if (given && strcmp(given, names[i]) == 0) return (nf_adapter_bias)i;
    nf_config_wrong(&in->fields, "bias", "\"none\", \"all\" or \"lora_only\"");
    return NF_ADAPTER_BIAS_NONE;
}

/* Beginnings: those that leave the base weights alone, those that PEFT takes out of them at every
 * load, and those whose share of the base weights an adapter's folder does not hold. */
static nf_adapter_init read_init(reader *in) {
    static const struct {
        const char *name;
        nf_adapter_init init;
    } known[] = {
        {"gaussian", NF_ADAPTER_INIT_PLAIN},   {"eva", NF_ADAPTER_INIT_PLAIN},
        {"orthogonal", NF_ADAPTER_INIT_PLAIN}, {"mica", NF_ADAPTER_INIT_PLAIN},
        {"pissa", NF_ADAPTER_INIT_PISSA},      {"olora", NF_ADAPTER_INIT_OLORA},
    };
    const json_t *value = nf_config_get(&in->fields, "init_lora_weights");
    const char *name = json_string_value(value);
    if (!value || json_is_boolean(value)) return NF_ADAPTER_INIT_PLAIN;
    for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
        if (nf_ascii_same(name, known[i].name)) return known[i].init;
    if (in->fields.status != NERFIT_OK) return NF_ADAPTER_INIT_PLAIN;
    static const struct {
        const char *name, *why;
    } changed[] = {
        {"pissa_niter_",
         "PEFT takes a product out of the base weights that it draws at random at every "
         "load"},
        {"loftq", "its base weights are quantized, and not in the folder"},
        {"corda", "its base weights are made of texts that are not in the folder"},
        {"lora_ga", "its base weights are made of gradients that are not in the folder"},
    };
    const char *why = NULL;
    for (size_t i = 0; name && i < sizeof changed / sizeof *changed; i++)
        if (nf_ascii_same_n(name, changed[i].name, strlen(changed[i].name))) why = changed[i].why;
    in->fields.status = nf_fail_at(in->fields.err, NERFIT_UNSUPPORTED, in->fields.path, 0, 0,
                                   "\"init_lora_weights\": \"%s\" is not supported%s%s%s",
                                   name ? name : "(not text)", why ? ": " : "", why ? why : "",
                                   why ? "; PEFT makes a plain adapter of it (save_pretrained with "
                                         "path_initial_model_for_weight_conversion)"
                                       : "");
    return NF_ADAPTER_INIT_PLAIN;
}

static bool says_nothing(const json_t *value) {
    return !value || json_is_null(value) || json_is_false(value) ||
           (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

static const int KEY_UNKNOWN = -1;

static int key_find(const char *name) {
    for (int i = 0; i < N_KEYS; i++)
        if (strcmp(keys[i].key, name) == 0) return i;
    return KEY_UNKNOWN;
}

static void check_keys(reader *in, const nf_log *log) {
    const char *type = json_string_value(json_object_get(in->fields.config, "peft_type")), *name;
    if (!type || strcmp(type, "LORA") != 0)
        in->fields.status =
            nf_fail_at(in->fields.err, NERFIT_UNSUPPORTED, in->fields.path, 0, 0,
                       "\"peft_type\" is %s; only LORA is supported", type ? type : "missing");
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)in->fields.config, name, value) {
        int key = key_find(name);
        if (in->fields.status != NERFIT_OK || says_nothing(value)) continue;
        if (key == KEY_UNKNOWN)
            nf_log_warning(log,
                           "%s: \"%s\" is no setting of PEFT 0.21's LoRA; the adapter is computed "
                           "without it",
                           in->fields.path, name);
        else if (keys[key].use == REFUSED)
            in->fields.status = nf_fail_at(
                in->fields.err, NERFIT_UNSUPPORTED, in->fields.path, 0, 0,
                json_is_true(value) ? "\"%s\": true is not supported" : "\"%s\" is not supported",
                name);
    }
}

nerfit_status nf_adapter_config_read(nf_adapter_config *config, const json_t *json,
                                     const char *path, nf_arena *arena, const nf_log *log,
                                     nerfit_error *err) {
    reader in = {{json, path, err, NERFIT_OK}, arena};
    check_keys(&in, log);
    double r = nf_config_number(&in.fields, "r", 8);
    if (r < 1 || r > 65536 || r != floor(r))
        nf_config_wrong(&in.fields, "r", "a whole number from 1 to 65536");
    *config = (nf_adapter_config){
        .r = r >= 1 && r <= 65536 ? (size_t)r : 1,
        .lora_alpha = nf_config_number(&in.fields, "lora_alpha", 8),
        .lora_dropout = nf_config_number(&in.fields, "lora_dropout", 0),
        .use_dora = nf_config_bool(&in.fields, "use_dora", false),
        .use_rslora = nf_config_bool(&in.fields, "use_rslora", false),
        .inference_mode = nf_config_bool(&in.fields, "inference_mode", false),
        .bias = read_bias(&in),
        .init = read_init(&in),
    };
    if (!(config->lora_dropout >= 0.0 && config->lora_dropout < 1.0))
        nf_config_wrong(&in.fields, "lora_dropout", "a number from 0 to below 1");
    read_modules(&in, "target_modules", &config->target_modules, &config->n_target_modules,
                 &config->target_regex);
    read_modules(&in, "exclude_modules", &config->exclude_modules, &config->n_exclude_modules,
                 &config->exclude_regex);
    read_names(&in, "modules_to_save", &config->modules_to_save, &config->n_modules_to_save);
    read_names(&in, "layers_pattern", &config->layers_pattern, &config->n_layers_pattern);
    read_patterns(&in, "rank_pattern", true, &config->ranks, &config->n_ranks);
    read_patterns(&in, "alpha_pattern", false, &config->alphas, &config->n_alphas);
    read_layers(&in, config);
    return in.fields.status;
}

/* ---------------------------------------------------------------- writing */

json_t *nf_names_to_json(char *const *names, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count && list; i++) json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *modules_to_json(char *const *names, size_t count, bool regex) {
    bool text = regex || (count == 1 && nf_ascii_same(names[0], "all-linear"));
    return count == 0 ? json_null() : text ? json_string(names[0]) : nf_names_to_json(names, count);
}

static json_t *patterns_to_json(const nf_adapter_pattern *patterns, size_t count, bool whole) {
    json_t *table = json_object();
    for (size_t i = 0; i < count && table; i++)
        json_object_set_new(table, patterns[i].pattern,
                            whole ? json_integer((json_int_t)patterns[i].value)
                                  : json_real(patterns[i].value));
    return table;
}

static json_t *layers_to_json(const nf_adapter_config *config) {
    if (config->n_layers == 0) return json_null();
    json_t *list = json_array();
    for (size_t i = 0; i < config->n_layers && list; i++)
        json_array_append_new(list, json_integer(config->layers[i]));
    return list;
}

json_t *nf_adapter_config_write(const nf_adapter_config *c) {
    static const char *const biases[] = {"none", "all", "lora_only"};
    static const char *const inits[] = {NULL, "pissa", "olora"};
    return json_pack(
        "{s:s, s:s, s:b, s:b, s:i, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}",
        "peft_type", "LORA", "bias", biases[c->bias], "fan_in_fan_out", 0, "inference_mode", 1, "r",
        (int)c->r, "lora_alpha", c->lora_alpha, "lora_dropout", c->lora_dropout, "target_modules",
        modules_to_json(c->target_modules, c->n_target_modules, c->target_regex), "exclude_modules",
        modules_to_json(c->exclude_modules, c->n_exclude_modules, c->exclude_regex), "rank_pattern",
        patterns_to_json(c->ranks, c->n_ranks, true), "alpha_pattern",
        patterns_to_json(c->alphas, c->n_alphas, false), "layers_to_transform", layers_to_json(c),
        "layers_pattern", modules_to_json(c->layers_pattern, c->n_layers_pattern, false),
        "use_dora", (int)c->use_dora, "use_rslora", (int)c->use_rslora, "init_lora_weights",
        inits[c->init] ? json_string(inits[c->init]) : json_true());
}
