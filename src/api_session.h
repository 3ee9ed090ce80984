/* What nerfit.h's models and sessions are. */
#ifndef NF_API_SESSION_H
#define NF_API_SESSION_H

#include "base/log.h"
#include "infer/lists.h"
#include "infer/tagger.h"

struct nerfit_model {
    nf_backend *be;
    nf_model *model;
    nf_decode decode;
    nf_calibration calibration;
    nf_log log;
};

struct nerfit_session {
    const nerfit_model *model;
    nf_backend *be; /* this thread's */
    nf_tagger *tagger;
    nf_rules rules;  /* of calls that bring none of their own */
    nf_lists *lists; /* theirs; NULL: none */
    nf_arena arena;  /* of the last predictions */
};

/* nerfit_encode with vectors [count, size] of unit length. */
nerfit_status nf_encoder_encode_unit(nerfit_encoder *encoder, const char *const *texts,
                                     size_t count, float *vectors, nerfit_error *error);

#endif
