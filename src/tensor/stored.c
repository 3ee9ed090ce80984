/* Element types of safetensors files and their conversion to floats. Data in a mapping need not be
 * aligned to its type, so that every element is copied out before use. */
#include "tensor/stored.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is little-endian");

/* A row for each nf_stored_type, in its order. */
static const struct {
    const char *name;
    size_t size;
} types[] = {
    [NF_STORED_F64] = {"F64", 8},   [NF_STORED_F32] = {"F32", 4}, [NF_STORED_F16] = {"F16", 2},
    [NF_STORED_BF16] = {"BF16", 2}, [NF_STORED_I64] = {"I64", 8}, [NF_STORED_I32] = {"I32", 4},
    [NF_STORED_I16] = {"I16", 2},   [NF_STORED_I8] = {"I8", 1},   [NF_STORED_U8] = {"U8", 1},
    [NF_STORED_BOOL] = {"BOOL", 1},
};
enum { N_TYPES = sizeof types / sizeof *types };

const char *nf_stored_type_name(nf_stored_type type) {
    return types[type].name;
}

size_t nf_stored_type_size(nf_stored_type type) {
    return types[type].size;
}

bool nf_stored_type_find(const char *name, nf_stored_type *type) {
    for (size_t i = 0; i < N_TYPES; i++) {
        if (strcmp(types[i].name, name) != 0) continue;
        *type = (nf_stored_type)i;
        return true;
    }
    return false;
}

static inline float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* In integers only, so that a processor set to flush subnormal floats to zero gives the same. */
static float f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 0x1Fu,
             mantissa = h & 0x3FFu;
    if (exponent == 0x1F) return float_of_bits(sign | 0x7F800000u | mantissa << 13);
    if (exponent) return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    if (!mantissa) return float_of_bits(sign);
    exponent = 113; /* subnormal: shift the leading one into place */
    while (!(mantissa & 0x400u)) {
        mantissa <<= 1;
        exponent--;
    }
    return float_of_bits(sign | exponent << 23 | (mantissa & 0x3FFu) << 13);
}

#define CONVERT_EACH(raw_type, expression)                                                         \
    for (size_t i = 0; i < tensor->count; i++) {                                                   \
        raw_type raw;                                                                              \
        memcpy(&raw, (const char *)tensor->data + i * sizeof raw, sizeof raw);                     \
        out[i] = (expression);                                                                     \
    }                                                                                              \
    return NERFIT_OK

static nerfit_status not_floats(const nf_stored *tensor, nerfit_error *err) {
    return nf_fail(err, NERFIT_FORMAT,
                   "tensor \"%s\" holds %s; expected a floating type (F64, F32, F16 or BF16)",
                   tensor->name, nf_stored_type_name(tensor->type));
}

nerfit_status nf_stored_to_f32(const nf_stored *tensor, float *out, nerfit_error *err) {
    switch (tensor->type) {
    case NF_STORED_F32:
        if (tensor->size) memcpy(out, tensor->data, tensor->size);
        return NERFIT_OK;
    case NF_STORED_F64:
        CONVERT_EACH(double, (float)raw);
    case NF_STORED_F16:
        CONVERT_EACH(uint16_t, f16_to_f32(raw));
    case NF_STORED_BF16:
        CONVERT_EACH(uint16_t, nf_bf16_to_f32(raw));
    default:
        return not_floats(tensor, err);
    }
}

nerfit_status nf_stored_to_f64(const nf_stored *tensor, double *out, nerfit_error *err) {
    switch (tensor->type) {
    case NF_STORED_F64:
        if (tensor->size) memcpy(out, tensor->data, tensor->size);
        return NERFIT_OK;
    case NF_STORED_F32:
        CONVERT_EACH(float, (double)raw);
    case NF_STORED_F16:
        CONVERT_EACH(uint16_t, (double)f16_to_f32(raw));
    case NF_STORED_BF16:
        CONVERT_EACH(uint16_t, (double)nf_bf16_to_f32(raw));
    default:
        return not_floats(tensor, err);
    }
}
