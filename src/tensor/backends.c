#include "tensor/backends.h"

#include <string.h>

#include "base/str.h"

static bool probe_ref(void) {
    return true;
}

static nerfit_status create_ref(nf_backend **out, const nf_backend_options *options,
                                nerfit_error *err) {
    if (options->precision != NF_PRECISION_AUTO && options->precision != NF_PRECISION_F32) {
        *out = NULL;
        return nf_fail(err, NERFIT_UNSUPPORTED,
                       "precision %s: the backend ref has f32 alone; use auto or f32",
                       nf_precision_name(options->precision));
    }
    return nf_backend_ref(out, sizeof(float), err);
}

static bool probe_cpu(void) {
    return true; /* kernels for the plainest instruction set are always built */
}

static nerfit_status create_cpu(nf_backend **out, const nf_backend_options *options,
                                nerfit_error *err) {
    return nf_backend_cpu(out, options->precision, options->threads, err);
}

static const nf_backend_kind kinds[] = {
#define KIND(name, description) {#name, description, probe_##name, create_##name},
    NF_BACKENDS(KIND)
#undef KIND
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const nf_backend_kind *nf_backend_kind_at(size_t index) {
    return index < N_KINDS ? &kinds[index] : NULL;
}

nerfit_status nf_backend_create(nf_backend **out, const char *name,
                                const nf_backend_options *options, nerfit_error *err) {
    bool any = !name || strcmp(name, "auto") == 0;
    *out = NULL;
    for (size_t i = 0; i < N_KINDS; i++)
        if (any ? kinds[i].probe() : strcmp(name, kinds[i].name) == 0)
            return kinds[i].create(out, options, err);
    nf_str known = {0};
    for (size_t i = 0; i < N_KINDS; i++) nf_str_appendf(&known, ", %s", kinds[i].name);
    nerfit_status status = nf_fail(err, NERFIT_ARGUMENT, "backend \"%s\" is not one of auto%s",
                                   name, nf_str_text(&known));
    nf_str_free(&known);
    return status;
}

static const char *const precisions[] = {[NF_PRECISION_AUTO] = "auto",
                                         [NF_PRECISION_F32] = "f32",
                                         [NF_PRECISION_BF16] = "bf16",
                                         [NF_PRECISION_INT8] = "int8"};

bool nf_precision_find(const char *name, nf_precision *out) {
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
        if (strcmp(name, precisions[i]) == 0) return *out = (nf_precision)i, true;
    return false;
}

const char *nf_precision_name(nf_precision precision) {
    return precisions[precision];
}
