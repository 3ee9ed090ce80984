/* All routes. A new one is a row of a table here, or of a table that another file has (static.c,
 * label_studio.c) and `tables` names. */
#include <string.h>

#include "base/error.h"
#include "serve/label_studio.h"
#include "serve/predict.h"
#include "serve/project/routes.h"
#include "serve/routes.h"

static const nf_route service_routes[] = {
    {"POST", "/predict", NF_ROUTE_WAITS, nf_route_predict},
    {"POST", "/embed", NF_ROUTE_WAITS, nf_route_embed},
    {"POST", "/tokenize", NF_ROUTE_ASIDE, nf_route_tokenize},
    {"GET", "/info", NF_ROUTE_QUICK, nf_route_info},
    {"GET", "/health", NF_ROUTE_OPEN, nf_route_health},
    {"GET", "/", NF_ROUTE_OPEN, nf_route_root},
    {"GET", "/metrics", NF_ROUTE_OPEN, nf_route_metrics},
    {"GET", "/token", NF_ROUTE_QUICK, nf_route_token},
    {NULL, NULL, 0, NULL},
};

static const nf_route *const tables[] = {service_routes, nf_project_routes, nf_label_studio_routes,
                                         nf_static_routes};

static bool is_path(const nf_route *route, const char *path) {
    size_t size = strlen(route->path);
    bool prefix = size > 1 && route->path[size - 1] == '/';
    return prefix ? strncmp(route->path, path, size) == 0 : strcmp(route->path, path) == 0;
}

const nf_route *nf_route_find(const char *method, const char *path, nf_str *allow) {
    for (size_t t = 0; t < NF_COUNT(tables); t++)
        for (const nf_route *route = tables[t]; route->path; route++) {
            if (!is_path(route, path)) continue;
            if (strcmp(route->method, method) == 0) return route;
            nf_str_appendf(allow, "%s%s", allow->length ? ", " : "", route->method);
        }
    return NULL;
}

const char *nf_route_method(const char *method) {
    static const char *const known[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    for (size_t i = 0; i < NF_COUNT(known); i++)
        if (strcmp(known[i], method) == 0) return known[i];
    return strcmp(method, "HEAD") == 0 ? "GET" : "OTHER";
}
