/* One encoding as a line of JSON: what `nerfit tokenize` prints. */
#include "text/tokenizer.h"

static void append_quoted(nf_str *out, const char *text) {
    nf_str_append_char(out, '"');
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\') nf_str_append_char(out, '\\');
        if (c < 0x20)
            nf_str_appendf(out, "\\u%04x", c);
        else
            nf_str_append_char(out, *p);
    }
    nf_str_append_char(out, '"');
}

nerfit_status nf_encoding_to_json(const nf_encoding *encoding, const nf_tokenizer *tokenizer,
                                  nf_str *out, nerfit_error *err) {
    nf_str_append_text(out, "{\"ids\": [");
    for (size_t i = 0; i < encoding->length; i++)
        nf_str_appendf(out, "%s%d", i ? ", " : "", encoding->ids[i]);
    nf_str_append_text(out, "], \"tokens\": [");
    for (size_t i = 0; i < encoding->length; i++) {
        const char *token = nf_tokenizer_token(tokenizer, encoding->ids[i]);
        if (i) nf_str_append_text(out, ", ");
        append_quoted(out, token ? token : "");
    }
    nf_str_append_text(out, "], \"offsets\": [");
    for (size_t i = 0; i < encoding->length; i++)
        nf_str_appendf(out, "%s[%u, %u]", i ? ", " : "", encoding->starts[i], encoding->ends[i]);
    nf_str_append_text(out, "]}");
    return out->failed ? nf_no_memory(err, out->length) : NERFIT_OK;
}
