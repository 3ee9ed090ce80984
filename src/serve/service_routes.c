/* What the service says of itself. */
#include "base/clock.h"
#include "serve/queue.h"
#include "serve/routes.h"
#include "serve/server.h"

static json_t *describe(nf_served *served) {
    nf_generation *g = nf_served_acquire(served);
    if (!g) return json_pack("{s:s, s:s}", "name", served->name, "model_id", "");
    json_t *object =
        json_pack("{s:s, s:s, s:i, s:I}", "name", served->name, "model_id", g->place.folder,
                  "generation", g->number, "loaded", (json_int_t)g->loaded);
    if (g->model) json_object_set_new(object, "labels", nf_served_types(g->model));
    if (g->encoder)
        json_object_set_new(object, "embedding_size",
                            json_integer((json_int_t)nerfit_encoder_size(g->encoder)));
    nf_generation_release(g);
    return object;
}

void nf_route_info(nf_request *r) {
    nf_server *server = r->server;
    const nf_serve_options *o = &server->options;
    json_t *models = json_array();
    json_t *encoder = json_null();
    for (size_t i = 0; i < server->models.count; i++) {
        nf_served *served = &server->models.items[i];
        if (served->kind == NF_SERVED_TAGGER)
            json_array_append_new(models, describe(served));
        else
            encoder = describe(served);
    }
    const char *precision = o->machine.precision ? o->machine.precision : "auto";
    json_t *first = json_object_get(json_array_get(models, 0), "model_id");
    nf_request_reply_json(r,
                          json_pack("{s:s, s:O, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:b}", "version",
                                    nerfit_version(), "model_id", first, "model_dtype", precision,
                                    "models", models, "encoder", encoder, "max_concurrent_requests",
                                    (json_int_t)o->max_concurrent_requests, "max_batch_tokens",
                                    (json_int_t)o->max_batch_tokens, "max_client_batch_size",
                                    (json_int_t)o->max_client_batch_size, "payload_limit",
                                    (json_int_t)o->payload_limit, "auto_truncate", false));
}

void nf_route_health(nf_request *r) {
    if (atomic_load(&r->server->draining)) {
        nf_request_fail(r, NF_FAILURE_UNHEALTHY, "the service ends");
        return;
    }
    /* Label Studio reads these (label_studio_ml 1.0.9, health); others the status alone */
    nf_request_reply_json(r, json_pack("{s:s, s:s, s:s}", "status", "UP", "model_dir",
                                       r->server->models.items[0].name, "v2", "true"));
}

void nf_route_metrics(nf_request *r) {
    nf_server *server = r->server;
    nf_str *out = &r->reply.body;
    r->reply.content_type = "text/plain; version=0.0.4";
    nf_metrics_append(&server->metrics, out);
    nf_metrics_append_gauge(out, "queue_size", "texts that wait for a worker",
                            (double)nf_queue_length(server->queue));
    nf_metrics_append_gauge(out, "held_bytes", "of bodies and replies",
                            (double)atomic_load(&server->held));
    nf_metrics_append_gauge(out, "uptime_seconds", "since the service began",
                            nf_clock_now() - server->began);
}

void nf_route_token(nf_request *r) {
    nf_request_reply_json(r, json_pack("{s:s}", "token", r->server->token));
}
