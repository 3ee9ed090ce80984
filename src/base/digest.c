#include "base/digest.h"

#include <stdio.h>
#include <string.h>

static uint32_t left(uint32_t x, int n) {
    return x << n | x >> (32 - n);
}
static uint32_t right(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

static uint32_t word_at(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sha256_block(uint32_t *state, const unsigned char *block) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++) w[i] = word_at(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (right(a, 7) ^ right(a, 18) ^ a >> 3) + w[i - 7] +
               (right(b, 17) ^ right(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t t1 = s[7] + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) +
                      ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
        uint32_t t2 =
            (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

static void sha1_block(uint32_t *state, const unsigned char *block) {
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++) w[i] = word_at(block + 4 * i);
    for (int i = 16; i < 80; i++) w[i] = left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (b & c) | (~b & d)
                     : i < 40 ? b ^ c ^ d
                     : i < 60 ? (b & c) | (b & d) | (c & d)
                              : b ^ c ^ d;
        uint32_t t = left(a, 5) + f + e + k[i / 20] + w[i];
        e = d;
        d = c;
        c = left(b, 30);
        b = a;
        a = t;
    }
    const uint32_t sum[5] = {a, b, c, d, e};
    for (int i = 0; i < 5; i++) state[i] += sum[i];
}

nf_digest nf_digest_sha256(void) {
    return (nf_digest){.block = sha256_block,
                       .n_words = 8,
                       .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

nf_digest nf_digest_sha1(void) {
    return (nf_digest){.block = sha1_block,
                       .n_words = 5,
                       .state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

void nf_digest_add(nf_digest *d, const void *data, size_t size) {
    const unsigned char *at = data;
    size_t held = d->length % 64;
    d->length += size;
    if (held) {
        size_t taken = size < 64 - held ? size : 64 - held;
        memcpy(d->buffer + held, at, taken);
        at += taken;
        size -= taken;
        if (held + taken < 64) return;
        d->block(d->state, d->buffer);
    }
    for (; size >= 64; at += 64, size -= 64) d->block(d->state, at);
    if (size) memcpy(d->buffer, at, size);
}

void nf_digest_end(nf_digest *d, char hex[NF_DIGEST_HEX]) {
    uint64_t bits = 8 * d->length;
    unsigned char tail[72] = {0x80}; /* a one bit, zeros up to 8 bytes before a block's end */
    size_t held = d->length % 64, zeros = (held < 56 ? 56 : 120) - held;
    for (int i = 0; i < 8; i++) tail[zeros + i] = (unsigned char)(bits >> (56 - 8 * i));
    nf_digest_add(d, tail, zeros + 8);
    for (size_t i = 0; i < d->n_words; i++) snprintf(hex + 8 * i, 9, "%08x", d->state[i]);
}
