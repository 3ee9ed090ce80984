#include "base/script.h"

#include <stddef.h>

static const struct {
    uint32_t first, last;
} ranges[] = {
    {0x0E01, 0x0E3A},   /* Thai letters and vowels, and from 0E40 on */
    {0x0E40, 0x0E4E},   /* */
    {0x0E81, 0x0ECE},   /* Lao */
    {0x0EDC, 0x0EDF},   /* Lao ligatures */
    {0x1000, 0x103F},   /* Myanmar */
    {0x1050, 0x108F},   /* Myanmar for other languages */
    {0x109A, 0x109F},   /* */
    {0x1780, 0x17D3},   /* Khmer */
    {0x17D7, 0x17D7},   /* Khmer sign that repeats a word */
    {0x17DC, 0x17DD},   /* */
    {0x3005, 0x3007},   /* Han iteration mark, closing mark, zero */
    {0x3040, 0x30FF},   /* Hiragana, Katakana */
    {0x31F0, 0x31FF},   /* Katakana phonetic extensions */
    {0x3400, 0x4DBF},   /* Han extension A */
    {0x4E00, 0x9FFF},   /* Han */
    {0xA9E0, 0xA9EF},   /* Myanmar extended B, without its digits */
    {0xA9FA, 0xA9FE},   /* */
    {0xAA60, 0xAA7F},   /* Myanmar extended A */
    {0xF900, 0xFAFF},   /* Han compatibility */
    {0xFF66, 0xFF9F},   /* half-width Katakana */
    {0x1B000, 0x1B16F}, /* Kana supplement and extensions */
    {0x20000, 0x3FFFF}, /* Han extensions B and later */
};

bool nf_is_spaceless(uint32_t c) {
    if (c < ranges[0].first) return false;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c <= ranges[i].last) return c >= ranges[i].first;
    return false;
}
