#include "serve/body.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/number.h"
#include "serve/server.h"
#include "serve/stream.h"

enum { PIECE = 64 << 10, GZIP_WINDOW = 15 + 16, LEVEL = 1 };

/* Whether a list such as "gzip, deflate;q=0.5" has gzip, and not with q=0. */
static bool accepts_gzip(const char *list) {
    for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        while (nf_ascii_is_space(*at)) at++;
        bool any = *at == '*';
        if (!any && !nf_ascii_same_n(at, "gzip", 4)) continue;
        at += any ? 1 : 4;
        while (nf_ascii_is_space(*at)) at++;
        if (*at == ',' || *at == '\0') return true;
        if (*at != ';') continue;
        const char *q = strchr(at, '=');
        return q && nf_number_read(q + 1, NULL) > 0.0;
    }
    return false;
}

void nf_body_begin(nf_request *r) {
    r->accepts_gzip = accepts_gzip(nf_request_header(r, "Accept-Encoding"));
}

static size_t limit_of(const nf_request *r, bool stream) {
    const nf_serve_options *o = &r->server->options;
    if (stream) return o->stream_limit;
    if (!(r->route->flags & NF_ROUTE_FILE)) return o->payload_limit;
    return o->stream_limit < o->memory_limit / 4 ? o->stream_limit : o->memory_limit / 4;
}

static bool too_large(nf_request *r, size_t limit) {
    nf_request_fail(r, NF_FAILURE_TOO_LARGE, "the body has more than %zu bytes", limit);
    return false;
}

static bool begin_inflate(nf_request *r) {
    r->inflate = calloc(1, sizeof *r->inflate);
    if (r->inflate && inflateInit2(r->inflate, GZIP_WINDOW) == Z_OK) return true;
    free(r->inflate);
    r->inflate = NULL;
    nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
    return false;
}

bool nf_body_fits(nf_request *r, bool stream) {
    const char *encoding = nf_request_header(r, "Content-Encoding");
    const char *length = nf_request_header(r, "Content-Length"), *end;
    size_t limit = limit_of(r, stream);
    uint64_t size = 0;
    if (length && !nf_whole_read(length, UINT64_MAX, &size, &end)) size = UINT64_MAX;
    if (size > limit) return too_large(r, limit);
    if (!encoding || nf_ascii_same(encoding, "identity")) return true;
    if (nf_ascii_same(encoding, "gzip")) return begin_inflate(r);
    nf_request_fail(r, NF_FAILURE_MEDIA, "Content-Encoding %s is not known; expected gzip",
                    encoding);
    return false;
}

/* Plain bytes; `size` of them count against the limits. */
static bool take_plain(nf_request *r, const char *data, size_t size) {
    size_t limit = limit_of(r, r->stream != NULL);
    if (r->stream) return nf_stream_take(r, data, size);
    if (size > limit - r->body.length) return too_large(r, limit);
    if (!nf_request_hold(r, (ptrdiff_t)size)) {
        nf_request_fail(r, NF_FAILURE_OVERLOADED, "Model is overloaded: bodies hold %zu bytes",
                        r->server->options.memory_limit);
        return false;
    }
    if (nf_str_append(&r->body, data, size)) return true;
    nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
    return false;
}

static bool broken_gzip(nf_request *r) {
    nf_request_fail(r, NF_FAILURE_REQUEST, "the body is not valid gzip");
    return false;
}

/* Inflates what has come; `all`: there is no more. */
static bool take_packed(nf_request *r, const char *data, size_t *size, bool all) {
    char piece[PIECE];
    z_stream *z = r->inflate;
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)*size;
    *size = 0;
    for (;;) {
        if (r->unpacked && z->avail_in == 0) return true;
        /* gzip files may stand one behind another (RFC 1952, 2.2) */
        if (r->unpacked && inflateReset(z) != Z_OK) return broken_gzip(r);
        r->unpacked = false;
        z->next_out = (Bytef *)piece;
        z->avail_out = sizeof piece;
        int status = inflate(z, Z_NO_FLUSH);
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return broken_gzip(r);
        r->unpacked = status == Z_STREAM_END;
        if (!take_plain(r, piece, sizeof piece - z->avail_out)) return false;
        if (z->avail_in && r->stream && nf_stream_is_full(r)) {
            *size = z->avail_in;
            return true;
        }
        if (z->avail_out && !z->avail_in) break;
        if (status == Z_BUF_ERROR && z->avail_out) return broken_gzip(r);
    }
    return !all || r->unpacked || broken_gzip(r);
}

bool nf_body_take(nf_request *r, const char *data, size_t *size) {
    bool taken;
    if (r->inflate) {
        taken = take_packed(r, data, size, false);
    } else {
        taken = take_plain(r, data, *size);
        *size = 0;
    }
    if (taken && r->stream) nf_stream_wait_for_room(r);
    return taken;
}

bool nf_body_complete(nf_request *r) {
    size_t none = 0;
    if (!r->inflate || (r->n_received == 0 && !r->body.length)) return true;
    return take_packed(r, "", &none, true);
}

void nf_body_pack(nf_request *r, size_t least) {
    nf_reply *reply = &r->reply;
    z_stream z = {0};
    nf_str out = {0};
    if (reply->packed || reply->fixed || reply->file || !r->accepts_gzip ||
        reply->body.length < least)
        return;
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) return;
    uLong bound = deflateBound(&z, reply->body.length);
    if (nf_str_reserve(&out, bound)) {
        z.next_in = (Bytef *)reply->body.data;
        z.avail_in = (uInt)reply->body.length;
        z.next_out = (Bytef *)out.data;
        z.avail_out = (uInt)bound;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
            out.length = bound - z.avail_out;
            nf_str plain = reply->body;
            reply->body = out;
            out = plain;
            reply->packed = true;
        }
    }
    deflateEnd(&z);
    nf_str_free(&out);
}

void nf_body_end(nf_request *r) {
    if (r->inflate) inflateEnd(r->inflate);
    free(r->inflate);
    r->inflate = NULL;
}
