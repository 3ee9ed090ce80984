/* Nmt (what sentencepiece's nmt_nfkc does before its own map: control characters go, odd white
 * space becomes a blank) and ByteLevel (each byte becomes a character of the byte-level alphabet).
 */
#include "text/byte_level.h"
#include "text/normalizer.h"
#include "text/unicode.h"

static bool is_dropped(uint32_t c) {
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
           c == 0x8F || c == 0x9F;
}

static uint32_t blank_or_same(uint32_t c) {
    switch (c) {
    case 0x09:
    case 0x0A:
    case 0x0C:
    case 0x0D:
    case 0x1680:
    case 0x200B:
    case 0x200C:
    case 0x200D:
    case 0x200E:
    case 0x200F:
    case 0x2028:
    case 0x2029:
    case 0x2581:
    case 0xFEFF:
    case 0xFFFD:
        return ' ';
    default:
        return c;
    }
}

static bool nmt_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                      size_t end, nf_text *to) {
    (void)self, (void)work;
    uint32_t c, kept = 0;
    size_t i = start, size;
    bool changes = false;
    for (; i < end && !changes; i += size) {
        size = nf_utf8_next(from->bytes + i, &c);
        changes = is_dropped(c) || blank_or_same(c) != c;
    }
    if (!changes) return nf_text_append(to, from, start, end);
    for (i = start; i < end; i += size) { /* what is dropped at the beginning */
        size = nf_utf8_next(from->bytes + i, &kept);
        if (!is_dropped(kept)) break;
    }
    if (i == end) return true;
    nf_rewrite rewrite;
    if (!nf_rewrite_begin(&rewrite, from, start, end, i - start, to)) return false;
    i += nf_utf8_next(from->bytes + i, &kept);
    long dropped = 0;
    while (i < end) {
        i += nf_utf8_next(from->bytes + i, &c);
        if (is_dropped(c)) {
            dropped++;
            continue;
        }
        if (!nf_rewrite_emit(&rewrite, blank_or_same(kept), -dropped)) return false;
        kept = c;
        dropped = 0;
    }
    return nf_rewrite_emit(&rewrite, blank_or_same(kept), -dropped);
}

nerfit_status nf_normalizer_nmt_load(void **out, const json_t *json, nf_load *load) {
    (void)json;
    NF_TRY(nf_component_new(out, sizeof(nf_normalizer), load));
    ((nf_normalizer *)*out)->apply = nmt_apply;
    return NERFIT_OK;
}

static bool byte_level_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                             size_t end, nf_text *to) {
    (void)self, (void)work;
    return start == end || nf_byte_level_write(from, start, end, to);
}

nerfit_status nf_normalizer_byte_level_load(void **out, const json_t *json, nf_load *load) {
    (void)json;
    NF_TRY(nf_component_new(out, sizeof(nf_normalizer), load));
    ((nf_normalizer *)*out)->apply = byte_level_apply;
    return NERFIT_OK;
}
