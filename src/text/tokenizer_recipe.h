/* How folders without tokenizer.json become tokenizers: each class of transformers is a recipe,
 * which makes a description in tokenizer.json's layout. The recipes' table stands in
 * tokenizer_folder_vocabulary.c; those over SentencePiece files are made in
 * tokenizer_folder_sentencepiece.c. */
#ifndef NF_TEXT_TOKENIZER_RECIPE_H
#define NF_TEXT_TOKENIZER_RECIPE_H

#include "text/sentencepiece.h"
#include "text/tokenizer_folder.h"

typedef struct nf_recipe nf_recipe;
struct nf_recipe {
    const char *files; /* what it is made from: a file's name, or a description for messages */
    const char *defaults[NF_NAMED_TOKENS];
    /* Fills the description, which has a "model", and folder->tables unless they come from
     * vocab.txt or vocab.json and merges.txt: then they are full. */
    nerfit_status (*parts)(const nf_tokenizer_folder *folder, json_t *description,
                           nerfit_error *err);
    bool sentencepiece; /* folder->pieces is read before */
    bool mask_strips;   /* a mask token given as text takes the blanks before it along */
    bool extra_ids;     /* T5's <extra_id_0> … */
};

extern const nf_recipe nf_recipe_xlm_roberta, nf_recipe_camembert, nf_recipe_deberta_v2,
    nf_recipe_albert, nf_recipe_t5, nf_recipe_llama, nf_recipe_sentencepiece;

/* Reads the .model file; folder->pieces points to the result. */
nerfit_status nf_recipe_read_pieces(const nf_recipe *recipe, nf_tokenizer_folder *folder,
                                    nerfit_error *err);
/* Fills folder->brought: the special tokens that the .model file and the class bring along. */
nerfit_status nf_recipe_bring_tokens(const nf_recipe *recipe, nf_tokenizer_folder *folder,
                                     nerfit_error *err);

/* ---- what recipes share */

/* Whether an option of tokenizer_config.json is true; `fallback` if it says nothing. */
bool nf_recipe_option(const nf_tokenizer_folder *folder, const char *name, bool fallback);
/* Sets a new value; NULL stands for no memory. */
nerfit_status nf_recipe_put(json_t *description, const char *key, json_t *value, nerfit_error *err);
/* TemplateProcessing: special tokens around the text (either may be NULL). */
json_t *nf_recipe_template(const nf_tokenizer_folder *folder, const char *before,
                           const char *after);

#endif
