/* A line plot as SVG, for the HTML reports: axes with round numbers, a line with points and error
 * bars for each series, a legend. It needs no script and no network. */
#ifndef NF_REPORT_PLOT_H
#define NF_REPORT_PLOT_H

#include <stdbool.h>

#include "base/str.h"

/* `spread` is half an error bar's height; 0: none. A point that is not finite breaks the line. */
typedef struct nf_plot_point {
    double x, y, spread;
} nf_plot_point;

typedef struct nf_plot_series {
    const char *name;
    const nf_plot_point *points; /* in the order of x */
    size_t n_points;
} nf_plot_series;

typedef struct nf_plot {
    const char *title, *x_label, *y_label;
    const nf_plot_series *series;
    size_t n_series;
    bool log_x; /* all x > 0; the points' own values are marked on the axis */
} nf_plot;

/* Appends an <svg> element; nothing if no point is finite. */
void nf_plot_svg(nf_str *out, const nf_plot *plot);

#endif
