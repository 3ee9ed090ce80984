#include "tensor/backend.h"
nerfit_status nf_backend_cpu(nf_backend **out, nf_precision p, int t,nerfit_error *err){(void)p;(void)t;return nf_backend_ref(out,4,err);}
