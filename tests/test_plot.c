/* Line plots: places of points known by hand, texts escaped, what is not finite left out. */
#include "test.h"

#include <math.h>

#include "report/plot.h"

static void check_places(void **state) {
    (void)state;
    /* x: 1 to 64 on a logarithmic axis from 64 to 624; y: 0 to 100 from 308 up to 36 */
    const nf_plot_point a[] = {{1, 0, 0}, {8, 50, 25}, {64, 100, 0}},
                        b[] = {{1, 20, 0}, {8, NAN, 0}};
    const nf_plot_series series[] = {{"a <b>", a, 3}, {"c & d", b, 2}};
    nf_plot plot = {"title", "k", "F1 \"%\"", series, 2, true};
    static const char *const expected[] = {
        "d=\"M64.0 308.0L344.0 172.0L624.0 36.0\"",
        "a &lt;b&gt;</text>",
        "c &amp; d</text>",
        "F1 &quot;%&quot;</text>",
        "d=\"M344.0 240.0V104.0\"",
        ">8: 50 \xC2\xB1 25</title>",
        "<text x=\"624.0\" y=\"328.0\" text-anchor=\"middle\">64</text>",
        "<text x=\"56.0\" y=\"40.0\" text-anchor=\"end\">100</text>"};
    nf_str out = {0};
    nf_plot_svg(&out, &plot);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(nf_str_text(&out), expected[i]))
            fail_msg("no %s in\n%s", expected[i], nf_str_text(&out));
    assert_null(strstr(nf_str_text(&out), "nan"));
    size_t circles = 0;
    for (const char *at = nf_str_text(&out); (at = strstr(at, "<circle")); at++) circles++;
    assert_int_equal(circles, 4);
    nf_str_free(&out);
}

static void check_edges(void **state) {
    (void)state;
    const nf_plot_point one[] = {{5, 3, 0}}, none[] = {{1, INFINITY, 0}, {-1, 2, 0}};
    const nf_plot_series single = {"one", one, 1}, nothing = {"none", none, 2};
    nf_plot plot = {"t", "x", "y", &single, 1, false};
    nf_str out = {0};
    nf_plot_svg(&out, &plot);
    assert_non_null(strstr(nf_str_text(&out), "<circle cx=\"344.0\""));
    nf_str_clear(&out);
    plot.series = &nothing;
    plot.log_x = true;
    nf_plot_svg(&out, &plot);
    assert_string_equal(nf_str_text(&out), "");
    nf_str_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_places),
                                       cmocka_unit_test(check_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
