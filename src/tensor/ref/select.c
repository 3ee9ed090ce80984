#include "tensor/ref/ref.h"

nerfit_status nf_backend_ref(nf_backend **out, size_t real_size, nerfit_error *err) {
    return real_size == sizeof(double) ? nf_backend_ref_f64(out, err)
                                       : nf_backend_ref_f32(out, err);
}
