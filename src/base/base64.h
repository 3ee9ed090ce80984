/* Base64 (RFC 4648), with padding. */
#ifndef NF_BASE_BASE64_H
#define NF_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* `out` has room for length / 4 * 3 bytes. False if the text is not base64. */
bool nf_base64_decode(const char *text, size_t length, unsigned char *out, size_t *size);
/* `out` has room for (size + 2) / 3 * 4 + 1 bytes; NUL-terminated. */
void nf_base64_encode(const unsigned char *bytes, size_t size, char *out);

#endif
