/* libcurl, opened by the first request: it brings some thirty libraries along, whose loading would
 * be a tenth of a short run's time, and most runs ask the network for nothing. */
#ifndef NF_NET_CURL_H
#define NF_NET_CURL_H

#include <curl/curl.h>

#include "base/error.h"

/* libcurl's functions, by their names. */
typedef struct nf_curl {
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *handle, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *handle);
    CURLcode (*easy_getinfo)(CURL *handle, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    void (*easy_reset)(CURL *handle);
    void (*easy_cleanup)(CURL *handle);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
    time_t (*getdate)(const char *text, const time_t *unused);
} nf_curl;

/* Fills the table. The library stays open until the program ends. */
nerfit_status nf_curl_open(nf_curl *curl, nerfit_error *err);

#endif
