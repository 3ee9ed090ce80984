/* A table of embeddings of word shapes (text/word_shapes.h), added to what the encoder's first
 * layer sees: an uncased encoder learns from it what capitals tell. It is no part of transformers'
 * models, so that it is kept in a file of its own beside them, word_shape.safetensors (tensor
 * "word_shape.weight" [10, E], f32); software that does not read it runs the model without the
 * table. */
#ifndef NF_MODEL_WORD_SHAPE_H
#define NF_MODEL_WORD_SHAPE_H

#include "model/model.h"

/* A table of zeros, to be trained; nothing if the model has one. */
nerfit_status nf_word_shape_add(nf_model *model, nerfit_error *err);
/* Nothing without a table. */
nerfit_status nf_word_shape_save(const nf_model *model, const char *folder, nerfit_error *err);
bool nf_word_shape_in(const char *folder);
/* Gives the model the folder's table, if it has one; the values are copied. */
nerfit_status nf_word_shape_load(nf_model *model, const char *folder, nerfit_error *err);

#endif
