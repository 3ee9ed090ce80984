/* Files for browsers, which are inside the program. A file more is a row of FILES. */
#include <string.h>

#include "base/ascii.h"
#include "base/embed.h"
#include "base/error.h"
#include "serve/routes.h"
#include "serve/server.h"

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define JS "text/javascript; charset=utf-8"
#define JSON "application/json"

/* X(path, content type, a name for the assembler, the file in src/) */
#define FILES(X)                                                                                   \
    X("/page", HTML, page_html, "serve/static/page/page.html")                                     \
    X("/page/page.css", CSS, page_css, "serve/static/page/page.css")                               \
    X("/page/entities.css", CSS, entities_css, "base/entity_look.css")                             \
    X("/page/main.js", JS, page_main, "serve/static/page/main.js")                                 \
    X("/page/api.js", JS, page_api, "serve/static/page/api.js")                                    \
    X("/page/dom.js", JS, page_dom, "serve/static/page/dom.js")                                    \
    X("/page/text.js", JS, page_text, "serve/static/page/text.js")                                 \
    X("/page/store.js", JS, page_store, "serve/static/page/store.js")                              \
    X("/page/editor.js", JS, page_editor, "serve/static/page/editor.js")                           \
    X("/page/list.js", JS, page_list, "serve/static/page/list.js")                                 \
    X("/page/labels.js", JS, page_labels, "serve/static/page/labels.js")                           \
    X("/page/annotate.js", JS, page_annotate, "serve/static/page/annotate.js")                     \
    X("/page/charts.js", JS, page_charts, "serve/static/page/charts.js")                           \
    X("/page/train.js", JS, page_train, "serve/static/page/train.js")                              \
    X("/page/see.js", JS, page_see, "serve/static/page/see.js")                                    \
    X("/page/data.js", JS, page_data, "serve/static/page/data.js")                                 \
    X("/docs", HTML, docs_html, "serve/static/docs.html")                                          \
    X("/docs.css", CSS, docs_css, "serve/static/docs.css")                                         \
    X("/docs.js", JS, docs_js, "serve/static/docs.js")                                             \
    X("/openapi.json", JSON, openapi, "serve/static/openapi.json")

#define EMBED_FILE(path, type, name, file) NF_EMBED(name, "src/" file);
FILES(EMBED_FILE)

#define ROW(path, type, name, file) {path, type, name##_data, name##_end},
static const struct { const char *path, *type, *data, *end; } files[] = {FILES(ROW)};

/* Scripts and styles come from here alone, none stand in the page, and no other page frames it. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void send_path(nf_request *r, const char *path) {
    for (size_t i = 0; i < NF_COUNT(files); i++) {
        if (strcmp(files[i].path, path) != 0) continue;
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

static void send_file(nf_request *r) {
    send_path(r, r->path);
}

void nf_route_root(nf_request *r) {
    if (r->server->project)
        send_path(r, "/page");
    else
        nf_route_health(r);
}

#define ROUTE(path, type, name, file) {"GET", path, NF_ROUTE_OPEN, send_file},
const nf_route nf_static_routes[] = {FILES(ROUTE){NULL, NULL, 0, NULL}};
