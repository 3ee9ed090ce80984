/* What the files behind nerfit.h share about models. */
#ifndef NF_API_BACKEND_H
#define NF_API_BACKEND_H

#include "tensor/backend.h"

/* In a model's folder: what nerfit_model_quantize has measured. */
#define NF_INT8_FILE "int8.json"

/* The backend that the options name; *be is NULL on failure. */
nerfit_status nf_backend_named(nf_backend **be, const nerfit_model_options *options,
                               nerfit_error *error);

#endif
