#include "report/plot.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 640, HEIGHT = 360, LEFT = 64, RIGHT = 16, TOP = 36, BOTTOM = 52, LEGEND_ROW = 18 };

/* Okabe and Ito's colours, which people who are colour-blind can tell apart. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#000000", "#999999"};
enum { N_COLOURS = sizeof colours / sizeof *colours };

/* What the axes reach from and to, and the places of values on the page. */
typedef struct frame {
    const nf_plot *plot;
    double x_least, x_most, y_least, y_most;
} frame;

static double scaled(const frame *f, double x) {
    return f->plot->log_x ? log2(x) : x;
}

static double x_at(const frame *f, double x) {
    double share = (scaled(f, x) - f->x_least) / (f->x_most - f->x_least);
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double y_at(const frame *f, double y) {
    double share = (y - f->y_least) / (f->y_most - f->y_least);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

static bool is_shown(const frame *f, const nf_plot_point *p) {
    return isfinite(scaled(f, p->x)) && isfinite(p->y) && isfinite(p->spread);
}

/* 1, 2 or 5 times a power of ten, so that about five steps cover the range. */
static double round_step(double range) {
    double power = pow(10, floor(log10(range / 5))), rest = range / 5 / power;
    return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

static bool measure(frame *f) {
    bool any = false;
    for (size_t s = 0; s < f->plot->n_series; s++)
        for (size_t i = 0; i < f->plot->series[s].n_points; i++) {
            const nf_plot_point *p = &f->plot->series[s].points[i];
            if (!is_shown(f, p)) continue;
            double x = scaled(f, p->x), low = p->y - p->spread, high = p->y + p->spread;
            f->x_least = any ? fmin(f->x_least, x) : x;
            f->x_most = any ? fmax(f->x_most, x) : x;
            f->y_least = any ? fmin(f->y_least, low) : low;
            f->y_most = any ? fmax(f->y_most, high) : high;
            any = true;
        }
    if (f->x_most - f->x_least < 1e-12) f->x_least -= 0.5, f->x_most += 0.5;
    if (f->y_most - f->y_least < 1e-12) f->y_least -= 0.5, f->y_most += 0.5;
    double step = round_step(f->y_most - f->y_least);
    f->y_least = step * floor(f->y_least / step);
    f->y_most = step * ceil(f->y_most / step);
    return any;
}

static void text_at(nf_str *out, double x, double y, const char *anchor, const char *text) {
    nf_str_appendf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    nf_str_append_html(out, text, strlen(text));
    nf_str_append_text(out, "</text>\n");
}

static void number_at(nf_str *out, double x, double y, const char *anchor, double value) {
    nf_str_appendf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%g</text>\n", x, y, anchor,
                   value);
}

static void x_mark(nf_str *out, const frame *f, double x) {
    nf_str_appendf(out, "<path d=\"M%.1f %dv5\" stroke=\"#444\"/>\n", x_at(f, x), HEIGHT - BOTTOM);
    number_at(out, x_at(f, x), HEIGHT - BOTTOM + 20, "middle", x);
}

static bool is_marked(const frame *f, size_t series, size_t point) {
    double x = f->plot->series[series].points[point].x;
    for (size_t s = 0; s <= series; s++)
        for (size_t i = 0; i < (s < series ? f->plot->series[s].n_points : point); i++)
            if (f->plot->series[s].points[i].x == x) return true;
    return false;
}

static void x_axis(nf_str *out, const frame *f) {
    if (f->plot->log_x) {
        for (size_t s = 0; s < f->plot->n_series; s++)
            for (size_t i = 0; i < f->plot->series[s].n_points; i++)
                if (is_shown(f, &f->plot->series[s].points[i]) && !is_marked(f, s, i))
                    x_mark(out, f, f->plot->series[s].points[i].x);
    } else {
        double step = round_step(f->x_most - f->x_least);
        for (double i = ceil(f->x_least / step); i * step <= f->x_most * (1 + 1e-12); i++)
            x_mark(out, f, i * step);
    }
    text_at(out, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12, "middle", f->plot->x_label);
}

static void y_axis(nf_str *out, const frame *f) {
    double step = round_step(f->y_most - f->y_least);
    for (double i = round(f->y_least / step); i <= round(f->y_most / step); i++) {
        nf_str_appendf(out, "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/>\n", LEFT, y_at(f, i * step),
                       WIDTH - RIGHT);
        number_at(out, LEFT - 8, y_at(f, i * step) + 4, "end", i * step);
    }
    nf_str_appendf(out, "<g transform=\"translate(14 %d) rotate(-90)\">",
                   (TOP + HEIGHT - BOTTOM) / 2);
    text_at(out, 0, 0, "middle", f->plot->y_label);
    nf_str_append_text(out, "</g>\n");
}

static void line(nf_str *out, const frame *f, const nf_plot_series *series, const char *colour) {
    bool drawing = false;
    nf_str_appendf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" d=\"", colour);
    for (size_t i = 0; i < series->n_points; i++) {
        const nf_plot_point *p = &series->points[i];
        bool shown = is_shown(f, p);
        if (shown)
            nf_str_appendf(out, "%c%.1f %.1f", drawing ? 'L' : 'M', x_at(f, p->x), y_at(f, p->y));
        drawing = shown;
    }
    nf_str_append_text(out, "\"/>\n");
    for (size_t i = 0; i < series->n_points; i++) {
        const nf_plot_point *p = &series->points[i];
        if (!is_shown(f, p)) continue;
        if (p->spread > 0)
            nf_str_appendf(out, "<path stroke=\"%s\" d=\"M%.1f %.1fV%.1f\"/>\n", colour,
                           x_at(f, p->x), y_at(f, p->y - p->spread), y_at(f, p->y + p->spread));
        nf_str_appendf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%g: %g",
                       x_at(f, p->x), y_at(f, p->y), colour, p->x, p->y);
        if (p->spread > 0) nf_str_appendf(out, " \xC2\xB1 %g", p->spread);
        nf_str_append_text(out, "</title></circle>\n");
    }
}

void nf_plot_svg(nf_str *out, const nf_plot *plot) {
    frame f = {.plot = plot};
    if (!measure(&f)) return;
    int height = HEIGHT + LEGEND_ROW * (int)plot->n_series;
    nf_str_appendf(out,
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                   "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n",
                   WIDTH, height, WIDTH);
    text_at(out, LEFT, TOP - 16, "start", plot->title);
    y_axis(out, &f);
    x_axis(out, &f);
    for (size_t s = 0; s < plot->n_series; s++) {
        const char *colour = colours[s % N_COLOURS];
        double y = HEIGHT + LEGEND_ROW * (double)s;
        line(out, &f, &plot->series[s], colour);
        nf_str_appendf(out, "<path stroke=\"%s\" stroke-width=\"2\" d=\"M%d %.1fh24\"/>\n", colour,
                       LEFT, y);
        text_at(out, LEFT + 32, y + 4, "start", plot->series[s].name);
    }
    nf_str_append_text(out, "</svg>\n");
}
