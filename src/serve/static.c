/* Files that are inside the program: the assembler's .incbin puts them there, whose paths count from
 * the repository's root, where make runs. A file more is an EMBED, a row of `files` and one of
 * nf_static_routes. */
#include <string.h>

#include "base/ascii.h"
#include "base/error.h"
#include "serve/routes.h"
#include "serve/server.h"

/* name_data, name_end: the file's bytes */
#define EMBED(name, path)                                                                          \
    __asm__(".pushsection .rodata\n" #name "_data:\n.incbin \"src/serve/static/" path "\"\n" #name \
            "_end:\n.byte 0\n.popsection\n");                                                      \
    extern const char name##_data[] __attribute__((visibility("hidden")));                         \
    extern const char name##_end[] __attribute__((visibility("hidden")))

EMBED(openapi, "openapi.json");
EMBED(docs_page, "docs.html");
EMBED(docs_style, "docs.css");
EMBED(docs_script, "docs.js");

static const struct {
    const char *path, *type, *data, *end;
} files[] = {
    {"/openapi.json", "application/json", openapi_data, openapi_end},
    {"/docs", "text/html; charset=utf-8", docs_page_data, docs_page_end},
    {"/docs.css", "text/css; charset=utf-8", docs_style_data, docs_style_end},
    {"/docs.js", "text/javascript; charset=utf-8", docs_script_data, docs_script_end},
};

/* Scripts and styles come from here alone, none stand in the page, and no other page frames it. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void send_file(nf_request *r) {
    for (size_t i = 0; i < NF_COUNT(files); i++) {
        if (strcmp(files[i].path, r->path) != 0) continue;
        r->reply.content_type = files[i].type;
        r->reply.fixed = files[i].data;
        r->reply.fixed_size = (size_t)(files[i].end - files[i].data);
        nf_request_set_header(r, "Cache-Control", "no-cache");
        if (nf_ascii_same_n(files[i].type, "text/html", 9)) {
            nf_request_set_header(r, "Content-Security-Policy", "%s", policy);
            nf_request_set_header(r, "Referrer-Policy", "no-referrer");
        }
        return;
    }
}

const nf_route nf_static_routes[] = {
    {"GET", "/openapi.json", NF_ROUTE_OPEN, send_file},
    {"GET", "/docs", NF_ROUTE_OPEN, send_file},
    {"GET", "/docs.css", NF_ROUTE_OPEN, send_file},
    {"GET", "/docs.js", NF_ROUTE_OPEN, send_file},
    {NULL, NULL, 0, NULL},
};
