#include "recipe/train_data.h"

#include <stdlib.h>

void nf_train_result_free(nf_train_result *result) {
    free(result->model_folder);
    free(result->report_text);
    free(result->page);
    json_decref(result->report);
    *result = (nf_train_result){0};
}
