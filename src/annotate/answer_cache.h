/* Answers of language models on disk: JSON lines, added to as they come, so that a run that was killed
 * goes on where it stopped and pays for nothing twice. A line has a digest of what was asked (model,
 * question, pass) and the answer; no key, no address. A last line that is cut off is passed over.
 * Threads may use it at the same time; processes may not. */
#ifndef NF_ANNOTATE_ANSWER_CACHE_H
#define NF_ANNOTATE_ANSWER_CACHE_H

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"

typedef struct nf_answer_cache nf_answer_cache;

typedef struct nf_cached_answer {
    const char *text; /* the cache's */
    bool truncated;
    uint64_t tokens_in, tokens_out;
} nf_cached_answer;

/* path NULL: in memory alone. A file that is no cache is an error that names the line. */
nerfit_status nf_answer_cache_open(nf_answer_cache **out, const char *path, const nf_log *log,
                                   nerfit_error *err);
void nf_answer_cache_close(nf_answer_cache *cache);
/* False: it is not there. */
bool nf_answer_cache_get(nf_answer_cache *cache, const char key[NF_DIGEST_HEX],
                         nf_cached_answer *out);
/* Adds and writes an answer; text is copied. */
nerfit_status nf_answer_cache_put(nf_answer_cache *cache, const char key[NF_DIGEST_HEX],
                                  const nf_cached_answer *answer, nerfit_error *err);

#endif
