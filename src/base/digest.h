/* Digests that files are checked with: SHA-256, and SHA-1 as git names its blobs with. Neither is
 * used to keep a secret. */
#ifndef NF_BASE_DIGEST_H
#define NF_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { NF_DIGEST_HEX = 65 }; /* room for either as hexadecimal digits and a NUL */

/* FIPS 180-4, sections 6.1 and 6.2. */
typedef struct nf_digest {
    void (*block)(uint32_t *state, const unsigned char *block);
    uint32_t state[8];
    size_t n_words; /* of the result: 5 or 8 */
    uint64_t length;
    unsigned char buffer[64];
} nf_digest;

nf_digest nf_digest_sha256(void);
nf_digest nf_digest_sha1(void);
void nf_digest_add(nf_digest *digest, const void *data, size_t size);
/* Ends the digest; `hex` receives 64 or 40 small hexadecimal digits. */
void nf_digest_end(nf_digest *digest, char hex[NF_DIGEST_HEX]);

#endif
