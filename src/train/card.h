/* The model card: README.md of the folder that training leaves. */
#ifndef NF_TRAIN_CARD_H
#define NF_TRAIN_CARD_H

#include "data/labels.h"
#include "train/options.h"

/* `report` may be NULL; `report_of`: "test" or "validation". */
nerfit_status nf_model_card_write(const char *folder, const nf_train_options *options,
                                  const nf_label_set *labels, const json_t *report,
                                  const char *report_of, nerfit_error *err);

#endif
