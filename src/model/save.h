/* What writing whole models and writing adapters share. */
#ifndef NF_MODEL_SAVE_H
#define NF_MODEL_SAVE_H

#include "model/model.h"

/* config.json: the one that was loaded, with this model's labels and class. */
nerfit_status nf_save_config(const nf_model *model, const char *folder, nerfit_error *err);

#endif
