/* Neither the singular values nor the signs of vectors matter, only the spaces that they span:
 * U_r S_r V_r^T is w V_r V_r^T with V_r the leading eigenvectors of w^T w, and Q_r R_r is Q_r Q_r^T w
 * with Q_r an orthonormal basis of w's first r columns. */
#include "nn/low_rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void add(double *y, double factor, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += factor * x[i];
}

/* Takes the parts of `count` orthonormal rows out of v, twice, for the first time leaves rounding
 * errors; returns the length of what is left. */
static double orthogonalise(double *v, const double *rows, size_t count, size_t n) {
    for (int time = 0; time < 2; time++)
        for (size_t i = 0; i < count; i++) add(v, -dot(v, rows + i * n, n), rows + i * n, n);
    return sqrt(dot(v, v, n));
}

/* y = w^T (w x) */
static void gram(double *y, double *wx, const double *w, const double *x, size_t out, size_t in) {
    memset(y, 0, in * sizeof *y);
    for (size_t i = 0; i < out; i++) {
        wx[i] = dot(w + i * in, x, in);
        add(y, wx[i], w + i * in, in);
    }
}

/* Eigenvalues of the symmetric tridiagonal matrix with diagonal d [n] and e [n - 1] beside it, by
 * implicit QL steps with Wilkinson's shifts (Golub and Van Loan, 8.3); z [n, n] begins as the identity
 * and ends with an eigenvector a column. e [n] is overwritten. False: no convergence. */
static bool tridiagonal(double *d, double *e, double *z, size_t n) {
    e[n - 1] = 0.0;
    for (size_t l = 0; l < n; l++)
        for (int step = 0;; step++) {
            size_t m = l;
            while (m + 1 < n && fabs(e[m]) > 1e-16 * (fabs(d[m]) + fabs(d[m + 1]))) m++;
            if (m == l) break;
            if (step == 80) return false;
            double g = (d[l + 1] - d[l]) / (2.0 * e[l]), r = hypot(g, 1.0), s = 1.0, c = 1.0,
                   p = 0.0;
            g = d[m] - d[l] + e[l] / (g + copysign(r, g));
            size_t i = m;
            for (; i-- > l;) {
                double f = s * e[i], b = c * e[i];
                e[i + 1] = r = hypot(f, g);
                if (r == 0.0) {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    break;
                }
                s = f / r;
                c = g / r;
                g = d[i + 1] - p;
                r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                for (size_t k = 0; k < n; k++) {
                    f = z[k * n + i + 1];
                    z[k * n + i + 1] = s * z[k * n + i] + c * f;
                    z[k * n + i] = c * z[k * n + i] - s * f;
                }
            }
            if (r == 0.0 && i + 1 > l + 1) continue;
            d[l] -= p;
            e[l] = g;
            e[m] = 0.0;
        }
    return true;
}

typedef struct lanczos {
    size_t n, steps;
    double *basis;        /* [most, n] */
    double *alpha, *beta; /* [most] */
    double *d, *e, *z;    /* of the small matrix */
    size_t *order;        /* its eigenvalues, the largest first */
} lanczos;

static void lanczos_free(lanczos *l) {
    void *all[] = {l->basis, l->alpha, l->beta, l->d, l->e, l->z, l->order};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static bool lanczos_new(lanczos *l, size_t n) {
    *l = (lanczos){.n = n};
    l->basis = malloc((n + 1) * n * sizeof *l->basis);
    l->alpha = malloc((n + 1) * sizeof *l->alpha);
    l->beta = malloc((n + 1) * sizeof *l->beta);
    l->d = malloc((n + 1) * sizeof *l->d);
    l->e = malloc((n + 1) * sizeof *l->e);
    l->z = malloc((n * n + 1) * sizeof *l->z);
    l->order = malloc((n + 1) * sizeof *l->order);
    return l->basis && l->alpha && l->beta && l->d && l->e && l->z && l->order;
}

/* A unit vector beside all of the basis: the start, and whenever a space is exhausted. */
static void lanczos_fresh(lanczos *l, nf_rng *rng) {
    double *v = l->basis + l->steps * l->n, length;
    do {
        for (size_t i = 0; i < l->n; i++) v[i] = nf_rng_normal(rng);
        length = orthogonalise(v, l->basis, l->steps, l->n);
    } while (length < 1e-6);
    for (size_t i = 0; i < l->n; i++) v[i] /= length;
}

/* Solves the small matrix; whether its r largest have converged. */
static bool lanczos_solved(lanczos *l, size_t r, bool *failed) {
    size_t k = l->steps;
    memcpy(l->d, l->alpha, k * sizeof *l->d);
    memcpy(l->e, l->beta, k * sizeof *l->e);
    memset(l->z, 0, k * k * sizeof *l->z);
    for (size_t i = 0; i < k; i++) l->z[i * k + i] = 1.0;
    *failed = !tridiagonal(l->d, l->e, l->z, k);
    for (size_t i = 0; i < k; i++) { /* by insertion */
        size_t at = i;
        for (; at > 0 && l->d[l->order[at - 1]] < l->d[i]; at--) l->order[at] = l->order[at - 1];
        l->order[at] = i;
    }
    if (k == l->n) return true;
    for (size_t i = 0; i <= r && i < k; i++) /* one more, so that none between is missing */
        if (fabs(l->beta[k - 1] * l->z[(k - 1) * k + l->order[i]]) > 1e-12 * l->d[l->order[0]])
            return false;
    return k > r;
}

/* V_r: the basis times the small matrix's eigenvectors; w -= (w v) v^T for each. */
static void lanczos_deflate(const lanczos *l, double *w, size_t out, size_t r, double *v) {
    size_t k = l->steps, n = l->n;
    for (size_t j = 0; j < r; j++) {
        memset(v, 0, n * sizeof *v);
        for (size_t i = 0; i < k; i++) add(v, l->z[i * k + l->order[j]], l->basis + i * n, n);
        for (size_t i = 0; i < out; i++) add(w + i * n, -dot(w + i * n, v, n), v, n);
    }
}

nerfit_status nf_low_rank_pissa(double *w, size_t out, size_t in, size_t r, nerfit_error *err) {
    lanczos l;
    double *wx = malloc((out + in + 1) * sizeof *wx);
    bool solved = false, failed = false, to_the_end = false, memory = lanczos_new(&l, in) && wx;
    nf_rng rng = nf_rng_new(0, 0x5069535341);
    if (r > in) r = in;
    if (memory) lanczos_fresh(&l, &rng);
    for (size_t next = 4 * r + 16; memory && !solved && !failed;) {
        double *v = l.basis + l.steps * in, *y = v + in;
        gram(y, wx, w, v, out, in);
        l.alpha[l.steps] = dot(v, y, in);
        double length = sqrt(dot(y, y, in));
        l.steps++;
        double left = orthogonalise(y, l.basis, l.steps, in);
        bool exhausted = left <= 1e-13 * length || length == 0.0;
        to_the_end |= exhausted; /* another copy of a value may stand in what is left */
        l.beta[l.steps - 1] = exhausted ? 0.0 : left;
        if (l.steps < in && exhausted)
            lanczos_fresh(&l, &rng);
        else
            for (size_t i = 0; i < in && !exhausted; i++) y[i] /= left;
        if (l.steps < in && l.steps < next) continue;
        solved = lanczos_solved(&l, r, &failed) && (l.steps == in || !to_the_end);
        next = l.steps + l.steps / 2;
    }
    if (memory && solved && !failed) lanczos_deflate(&l, w, out, r, wx + out);
    lanczos_free(&l);
    free(wx);
    if (!memory) return nf_no_memory(err, in * in * sizeof *w);
    return failed ? nf_fail(err, NERFIT_NUMERIC, "singular values did not converge") : NERFIT_OK;
}

nerfit_status nf_low_rank_olora(double *w, size_t out, size_t in, size_t r, double scaling,
                                nerfit_error *err) {
    if (r > in) r = in;
    if (r > out) r = out;
    double *q = malloc((r * out + in + 1) * sizeof *q), *product = q + r * out;
    if (!q) return nf_no_memory(err, r * out * sizeof *q);
    nerfit_status status = NERFIT_OK;
    for (size_t j = 0; j < r && status == NERFIT_OK; j++) {
        double *column = q + j * out;
        for (size_t i = 0; i < out; i++) column[i] = w[i * in + j];
        double before = sqrt(dot(column, column, out)), left = orthogonalise(column, q, j, out);
        if (left <= 1e-6 * before || before == 0.0)
            status = nf_fail(err, NERFIT_UNSUPPORTED,
                             "OLoRA over a weight whose column %zu depends on those before it", j);
        for (size_t i = 0; i < out; i++) column[i] /= left;
    }
    for (size_t j = 0; j < r && status == NERFIT_OK; j++) {
        /* q_j is orthogonal to what was taken out before, so that q_j^T w is still the row R_j */
        const double *column = q + j * out;
        memset(product, 0, in * sizeof *product);
        for (size_t i = 0; i < out; i++) add(product, column[i], w + i * in, in);
        for (size_t i = 0; i < out; i++) add(w + i * in, -scaling * column[i], product, in);
    }
    free(q);
    return status;
}
