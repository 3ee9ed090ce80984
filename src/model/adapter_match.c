/* Python's re.fullmatch and re.match are had of the tokenizers' matcher by anchors around the
 * pattern. A construct that it does not know ((?P<name>...)) is an error that names it. */
#include "model/adapter_match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/number.h"
#include "base/str.h"

static nerfit_status matcher_compile(nf_adapter_matcher *m, nf_regex **out, const char *before,
                                     const char *pattern, const char *after, const char *path,
                                     const char *key, nerfit_error *err) {
    nf_str whole = {0};
    nf_str_appendf(&whole, "\\A%s(?:%s)%s\\z", before, pattern, after);
    nerfit_status status = whole.failed
                               ? nf_no_memory(err, strlen(pattern))
                               : nf_regex_compile(out, whole.data, &m->arena, path, key, err);
    nf_str_free(&whole);
    return status;
}

static nerfit_status matcher_patterns(nf_adapter_matcher *m, nf_regex ***out,
                                      const nf_adapter_pattern *patterns, size_t count,
                                      const char *path, const char *key, nerfit_error *err) {
    *out = nf_arena_calloc(&m->arena, count + 1, sizeof **out);
    if (!*out) return nf_no_memory(err, count * sizeof **out);
    for (size_t i = 0; i < count; i++)
        NF_TRY(
            matcher_compile(m, &(*out)[i], "(?:.*\\.)?", patterns[i].pattern, "", path, key, err));
    return NERFIT_OK;
}

static nerfit_status matcher_build(nf_adapter_matcher *m, const char *path, nerfit_error *err) {
    const nf_adapter_config *c = m->config;
    m->target_used = nf_arena_calloc(&m->arena, c->n_target_modules + 1, sizeof *m->target_used);
    m->layers_pattern =
        nf_arena_calloc(&m->arena, c->n_layers_pattern + 1, sizeof *m->layers_pattern);
    if (!m->target_used || !m->layers_pattern) return nf_no_memory(err, c->n_target_modules);
    if (c->target_regex)
        NF_TRY(matcher_compile(m, &m->target, "", c->target_modules[0], "", path, "target_modules",
                               err));
    if (c->exclude_regex)
        NF_TRY(matcher_compile(m, &m->exclude, "", c->exclude_modules[0], "", path,
                               "exclude_modules", err));
    NF_TRY(matcher_patterns(m, &m->ranks, c->ranks, c->n_ranks, path, "rank_pattern", err));
    NF_TRY(matcher_patterns(m, &m->alphas, c->alphas, c->n_alphas, path, "alpha_pattern", err));
    for (size_t i = 0; i < c->n_layers_pattern; i++)
        NF_TRY(matcher_compile(m, &m->layers_pattern[i], "(?:.*\\.)?", c->layers_pattern[i], "",
                               path, "layers_pattern", err));
    return NERFIT_OK;
}

nerfit_status nf_adapter_matcher_new(nf_adapter_matcher *out, const nf_adapter_config *config,
                                     const char *path, nerfit_error *err) {
    *out = (nf_adapter_matcher){.config = config};
    nerfit_status status = matcher_build(out, path, err);
    if (status != NERFIT_OK) nf_adapter_matcher_free(out);
    return status;
}

void nf_adapter_matcher_free(nf_adapter_matcher *m) {
    nf_regex_scratch_free(&m->scratch);
    nf_arena_free(&m->arena);
    *m = (nf_adapter_matcher){0};
}

static nerfit_status matcher_full(nf_adapter_matcher *m, const nf_regex *regex, const char *name,
                                  size_t length, bool *matched, nerfit_error *err) {
    nf_regex_search search = {
        .regex = regex, .scratch = &m->scratch, .text = name, .length = length};
    size_t start, end;
    switch (nf_regex_next(&search, &start, &end)) {
    case NF_REGEX_FOUND:
        *matched = true;
        return NERFIT_OK;
    case NF_REGEX_END:
        *matched = false;
        return NERFIT_OK;
    case NF_REGEX_NO_MEMORY:
        return nf_no_memory(err, length);
    default:
        return nf_fail(err, NERFIT_UNSUPPORTED,
                       "a pattern of the adapter's configuration takes too long on \"%s\"", name);
    }
}

bool nf_module_is(const char *name, const char *wanted) {
    size_t length = strlen(name), size = strlen(wanted);
    if (length < size || strcmp(name + length - size, wanted) != 0) return false;
    return length == size || name[length - size - 1] == '.';
}

static bool matches_any(const char *name, char *const *wanted, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (nf_module_is(name, wanted[i])) return true;
    return false;
}

/* Whether a module is, or stands inside, one that is saved whole: an adapter never goes there. */
static bool inside_saved(const nf_adapter_config *config, const char *name) {
    for (size_t i = 0; i < config->n_modules_to_save; i++) {
        const char *module = config->modules_to_save[i];
        size_t size = strlen(module);
        for (const char *at = name; (at = strstr(at, module)); at++)
            if ((at == name || at[-1] == '.') && (at[size] == '\0' || at[size] == '.')) return true;
    }
    return false;
}

bool nf_adapter_saves(const nf_adapter_config *config, const char *module) {
    return matches_any(module, config->modules_to_save, config->n_modules_to_save);
}

/* The number of the layer that a module is in: the first whole number among the name's parts, with
 * two parts before it and one behind, or one that stands behind a layers_pattern. -1: none. */
static nerfit_status layer_of(nf_adapter_matcher *m, const char *name, long *layer,
                              nerfit_error *err) {
    const nf_adapter_config *c = m->config;
    size_t n_patterns = c->n_layers_pattern ? c->n_layers_pattern : 1;
    *layer = -1;
    for (size_t k = 0; k < n_patterns; k++) {
        const char *part = name;
        for (size_t i = 0; part; i++) {
            size_t digits = strspn(part, "0123456789");
            bool found = digits > 0 && part[digits] == '.';
            if (found && c->n_layers_pattern && i > 0)
                NF_TRY(matcher_full(m, m->layers_pattern[k], name, (size_t)(part - name) - 1,
                                    &found, err));
            else
                found = found && !c->n_layers_pattern && i >= 2;
            if (found) {
                uint64_t number;
                const char *end;
                if (nf_whole_read(part, 1000000, &number, &end)) *layer = (long)number;
                return NERFIT_OK;
            }
            part = strchr(part, '.');
            if (part) part++;
        }
    }
    return NERFIT_OK;
}

static nerfit_status in_layers(nf_adapter_matcher *m, const char *name, bool *in,
                               nerfit_error *err) {
    const nf_adapter_config *c = m->config;
    long layer;
    NF_TRY(layer_of(m, name, &layer, err));
    *in = false;
    for (size_t i = 0; i < c->n_layers; i++)
        if (layer >= 0 && layer == c->layers[i]) *in = true;
    return NERFIT_OK;
}

static nerfit_status is_target(nf_adapter_matcher *m, const char *name, bool *is,
                               nerfit_error *err) {
    const nf_adapter_config *c = m->config;
    size_t length = strlen(name);
    *is = false;
    if (m->exclude) {
        NF_TRY(matcher_full(m, m->exclude, name, length, is, err));
        if (*is) {
            *is = false;
            return NERFIT_OK;
        }
    } else if (matches_any(name, c->exclude_modules, c->n_exclude_modules)) {
        return NERFIT_OK;
    }
    if (inside_saved(c, name)) return NERFIT_OK;
    if (m->target) return matcher_full(m, m->target, name, length, is, err);
    if (c->n_target_modules == 1 && nf_ascii_same(c->target_modules[0], "all-linear")) {
        *is = m->target_used[0] = true;
        return NERFIT_OK;
    }
    for (size_t i = 0; i < c->n_target_modules; i++)
        if (nf_module_is(name, c->target_modules[i])) *is = m->target_used[i] = true;
    return *is && c->n_layers ? in_layers(m, name, is, err) : NERFIT_OK;
}

/* The first pattern that the name's end matches. */
static nerfit_status pattern_value(nf_adapter_matcher *m, nf_regex *const *compiled,
                                   const nf_adapter_pattern *patterns, size_t count,
                                   const char *name, double *value, nerfit_error *err) {
    for (size_t i = 0; i < count; i++) {
        bool matched;
        NF_TRY(matcher_full(m, compiled[i], name, strlen(name), &matched, err));
        if (!matched) continue;
        *value = patterns[i].value;
        return NERFIT_OK;
    }
    return NERFIT_OK;
}

nerfit_status nf_adapter_match(nf_adapter_matcher *m, const char *name, bool *adapted, size_t *rank,
                               double *alpha, nerfit_error *err) {
    const nf_adapter_config *c = m->config;
    double r = (double)c->r;
    *alpha = c->lora_alpha;
    NF_TRY(is_target(m, name, adapted, err));
    NF_TRY(pattern_value(m, m->ranks, c->ranks, c->n_ranks, name, &r, err));
    NF_TRY(pattern_value(m, m->alphas, c->alphas, c->n_alphas, name, alpha, err));
    *rank = (size_t)r;
    return NERFIT_OK;
}
