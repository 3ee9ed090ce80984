/* The routes of a project (docs/serve.md). All run aside, one after another. */
#ifndef NF_SERVE_PROJECT_ROUTES_H
#define NF_SERVE_PROJECT_ROUTES_H

#include "serve/request.h"

extern const nf_route nf_project_routes[];

void nf_route_project(nf_request *request);
void nf_route_project_set(nf_request *request);
void nf_route_changes(nf_request *request);

void nf_route_labels(nf_request *request);
void nf_route_label_set(nf_request *request);
void nf_route_label_order(nf_request *request);
void nf_route_label_rename(nf_request *request);
void nf_route_label_delete(nf_request *request);

void nf_route_texts(nf_request *request);
void nf_route_texts_add(nf_request *request);
void nf_route_text(nf_request *request);
void nf_route_text_set(nf_request *request);
void nf_route_text_delete(nf_request *request);
void nf_route_next(nf_request *request);
void nf_route_suggest(nf_request *request);
void nf_route_project_predict(nf_request *request);

void nf_route_use(nf_request *request);
void nf_route_run(nf_request *request);
void nf_route_compare(nf_request *request);
void nf_route_check(nf_request *request);
void nf_route_thresholds(nf_request *request);

void nf_route_formats(nf_request *request);
void nf_route_import(nf_request *request);
void nf_route_export(nf_request *request);

void nf_route_training(nf_request *request);
void nf_route_train(nf_request *request);
void nf_route_train_cancel(nf_request *request);
void nf_route_train_resume(nf_request *request);
void nf_route_runs(nf_request *request);
void nf_route_run_use(nf_request *request);
void nf_route_run_forget(nf_request *request);

#endif
