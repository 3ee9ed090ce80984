/* What libgomp orders, said so that ThreadSanitizer sees it, for which libgomp is not built: what came before
 * a parallel region is seen in it, what its threads read of the one that began it included, and what was done
 * in it is seen behind. Of SANITIZE=thread, whose programs are linked with --wrap=GOMP_parallel; in other
 * builds it is nothing. */
#if defined(__SANITIZE_THREAD__)

typedef void region_work(void *data);

typedef struct region {
    region_work *work;
    void *data;
} region;

void __tsan_acquire(void *place);
void __tsan_release(void *place);
void __real_GOMP_parallel(region_work *work, void *data, unsigned threads, unsigned flags);
void __wrap_GOMP_parallel(region_work *work, void *data, unsigned threads, unsigned flags);

__attribute__((no_sanitize_thread)) static void run(void *data) {
    region *r = data;
    __tsan_acquire(r);
    r->work(r->data);
    __tsan_release(r);
}

void __wrap_GOMP_parallel(region_work *work, void *data, unsigned threads, unsigned flags) {
    region r = {work, data};
    __tsan_release(&r);
    __real_GOMP_parallel(run, &r, threads, flags);
    __tsan_acquire(&r);
}

#endif
