/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/llm_report.c: text generation for people and scripts. Tokens per second and per joule
 * count the tokens of all sequences of the batch; the time per token is that of one step.
 */
#include "llm_report.h"

#include "report_priv.h"

#define CELL 64

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static double prefill_tokens(const struct wl_llm *m)
{
    return (double)(m->prompt_tokens * m->batch);
}

static double decode_tokens(const struct wl_llm *m)
{
    return (double)(m->new_tokens * m->batch);
}

/* The bottleneck of most samples is that of the middle one: it changes at most once with P. */
static const struct wl_llm_step *middle(const struct wl_llm *m)
{
    return &m->samples[m->sample_count / 2];
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_step(struct wl_emitter *e, const char *key, const struct wl_llm_step *s)
{
    wl_json_object(e, key);
    wl_json_int(e, "cached_tokens", s->cached);
    wl_json_int(e, "tokens", s->tokens);
    wl_json_num(e, "latency_s", s->totals.latency_s);
    wl_json_num(e, "energy_j", s->totals.energy_j);
    wl_json_num(e, "average_power_w", s->totals.average_power_w);
    wl_json_num(e, "utilization", s->totals.utilization);
    wl_json_int(e, "macs", s->totals.macs);
    wl_json_num(e, "dram_bytes", s->totals.dram_bytes);
    wl_json_num(e, "kv_bytes", s->kv_bytes);
    wl_json_num(e, "peak_memory_bytes", s->totals.peak_memory_bytes);
    wl_json_bool(e, "fits_memory", s->fits);
    wl_json_str(e, "bottleneck", s->bottleneck);
    wl_json_close(e, '}');
}

static void json_rates(struct wl_emitter *e, double tokens, double seconds, double joules)
{
    wl_json_num(e, "latency_s", seconds);
    wl_json_num(e, "energy_j", joules);
    wl_json_num(e, "average_power_w", ratio(joules, seconds));
    wl_json_num(e, "tokens_per_s", ratio(tokens, seconds));
    wl_json_num(e, "tokens_per_j", ratio(tokens, joules));
    wl_json_num(e, "energy_per_token_j", ratio(joules, tokens));
}

static void json_head(struct wl_emitter *e, const struct wl_llm *m, const char *prefill_model,
                      const char *decode_model)
{
    wl_json_int(e, "schema_version", 1);
    wl_json_object(e, "model");
    wl_json_str(e, "prefill", prefill_model);
    wl_json_str(e, "decode", decode_model);
    wl_json_str(e, "token_dim", m->token_dim);
    wl_json_str(e, "past_dim", m->past_dim);
    wl_json_close(e, '}');
    wl_json_object(e, "hardware");
    wl_json_str(e, "id", m->device);
    wl_json_str(e, "name", m->device_name);
    wl_json_str(e, "power_mode", m->power_mode);
    wl_json_close(e, '}');
    wl_json_object(e, "config");
    wl_json_int(e, "batch", m->batch);
    wl_json_str(e, "precision", wl_precision_name(m->precision.activations));
    wl_json_str(e, "weight_precision", wl_precision_name(m->precision.weights));
    wl_json_str(e, "kv_precision", wl_precision_name(m->precision.kv));
    wl_json_str(e, "runtime", m->runtime);
    wl_json_int(e, "prompt_tokens", m->prompt_tokens);
    wl_json_int(e, "new_tokens", m->new_tokens);
    wl_json_close(e, '}');
}

static void json_phases(struct wl_emitter *e, const struct wl_llm *m)
{
    const struct wl_totals *p = &m->prefill.totals;
    wl_json_object(e, "prefill");
    wl_json_num(e, "ttft_s", p->latency_s);
    json_rates(e, prefill_tokens(m), p->latency_s, p->energy_j);
    wl_json_str(e, "bottleneck", m->prefill.bottleneck);
    wl_json_close(e, '}');
    wl_json_object(e, "decode");
    wl_json_num(e, "time_per_token_s", m->decode_s / (double)m->new_tokens);
    json_rates(e, decode_tokens(m), m->decode_s, m->decode_j);
    wl_json_str(e, "bottleneck", middle(m)->bottleneck);
    wl_json_close(e, '}');
    wl_json_object(e, "totals");
    json_rates(e, decode_tokens(m), p->latency_s + m->decode_s, p->energy_j + m->decode_j);
    wl_json_close(e, '}');
    wl_json_object(e, "memory");
    wl_json_num(e, "weight_bytes", middle(m)->totals.weight_bytes);
    wl_json_num(e, "kv_bytes_per_token", m->kv_bytes_per_token);
    wl_json_num(e, "kv_bytes", m->kv_bytes);
    wl_json_num(e, "peak_bytes", m->peak_bytes);
    wl_json_num(e, "capacity_bytes", m->capacity_bytes);
    wl_json_int(e, "largest_batch", m->largest_batch);
    wl_json_close(e, '}');
}

static void llm_json(const struct wl_llm *m, const char *prefill_model, const char *decode_model,
                     struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    json_head(&e, m, prefill_model, decode_model);
    json_phases(&e, m);
    wl_json_array(&e, "steps");
    json_step(&e, NULL, &m->prefill);
    for (int32_t i = 0; i < m->sample_count; i++) {
        json_step(&e, NULL, &m->samples[i]);
    }
    wl_json_close(&e, ']');
    wl_json_end(&e);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void csv_step(const char *phase, const struct wl_llm_step *s, struct wl_buf *out)
{
    wl_csv_str(out, true, phase);
    wl_csv_int(out, false, s->cached);
    wl_csv_int(out, false, s->tokens);
    wl_csv_num(out, false, s->totals.latency_s);
    wl_csv_num(out, false, s->totals.energy_j);
    wl_csv_num(out, false, s->totals.average_power_w);
    wl_csv_num(out, false, s->totals.utilization);
    wl_csv_int(out, false, s->totals.macs);
    wl_csv_num(out, false, s->totals.dram_bytes);
    wl_csv_num(out, false, s->kv_bytes);
    wl_csv_num(out, false, s->totals.peak_memory_bytes);
    wl_csv_int(out, false, s->fits);
    wl_csv_str(out, false, s->bottleneck);
    wl_buf_puts(out, "\r\n");
}

static void llm_csv(const struct wl_llm *m, struct wl_buf *out)
{
    wl_buf_puts(out, "phase,cached_tokens,tokens,latency_s,energy_j,average_power_w,utilization,"
                     "macs,dram_bytes,kv_bytes,peak_memory_bytes,fits_memory,bottleneck\r\n");
    csv_step("prefill", &m->prefill, out);
    for (int32_t i = 0; i < m->sample_count; i++) {
        csv_step("decode", &m->samples[i], out);
    }
}

/* ---- text and Markdown -----------------------------------------------------------------------
 */

static wl_status phase_table(const struct wl_llm *m, struct wl_table *t)
{
    static const char *const headings[] = {"phase",    "tokens",  "time",  "per step", "tokens/s",
                                           "tokens/J", "J/token", "power", "bound by"};
    struct row {
        const char *name;
        int64_t tokens;
        double seconds, step_s, joules;
        const char *bound;
    } rows[] = {{"prefill", m->prompt_tokens * m->batch, m->prefill.totals.latency_s,
                 m->prefill.totals.latency_s, m->prefill.totals.energy_j, m->prefill.bottleneck},
                {"decode", m->new_tokens * m->batch, m->decode_s,
                 m->decode_s / (double)m->new_tokens, m->decode_j, middle(m)->bottleneck}};
    WL_TRY(wl_table_init(t, WL_ARRAY_LEN(headings), headings, "lrrrrrrrl"));
    for (size_t i = 0; i < WL_ARRAY_LEN(rows); i++) {
        char a[CELL], b[CELL], c[CELL], d[CELL], e[CELL], f[CELL], g[CELL];
        const struct row *r = &rows[i];
        const char *cells[] = {r->name,
                               wl_text(a, sizeof(a), "%lld", (long long)r->tokens),
                               wl_format_si(r->seconds, "s", b, sizeof(b)),
                               wl_format_si(r->step_s, "s", c, sizeof(c)),
                               wl_format_si(ratio((double)r->tokens, r->seconds), "", d, sizeof(d)),
                               wl_format_si(ratio((double)r->tokens, r->joules), "", e, sizeof(e)),
                               wl_format_si(ratio(r->joules, (double)r->tokens), "J", f, sizeof(f)),
                               wl_format_si(ratio(r->joules, r->seconds), "W", g, sizeof(g)),
                               r->bound};
        wl_table_row(t, cells);
    }
    return WL_OK;
}

static void text_memory(const struct wl_llm *m, struct wl_buf *out)
{
    char a[CELL], b[CELL], c[CELL], d[CELL];
    bool fits = m->prefill.fits && m->samples[m->sample_count - 1].fits;
    wl_buf_printf(out, "\n  memory: weights %s, KV cache %s at the end (%s per token and sequence)",
                  wl_format_si(middle(m)->totals.weight_bytes, "B", a, sizeof(a)),
                  wl_format_si(m->kv_bytes, "B", b, sizeof(b)),
                  wl_format_si(m->kv_bytes_per_token, "B", c, sizeof(c)));
    wl_buf_printf(out, "\n  peak %s of %s: %s; largest batch that fits: ",
                  wl_format_si(m->peak_bytes, "B", a, sizeof(a)),
                  wl_format_si(m->capacity_bytes, "B", d, sizeof(d)),
                  fits ? "fits" : "does not fit");
    wl_buf_printf(out, m->largest_batch > 0 ? "%lld\n" : "none\n", (long long)m->largest_batch);
}

static void text_head(const struct wl_llm *m, const char *prefill_model, const char *decode_model,
                      struct wl_buf *out)
{
    wl_buf_printf(out, "%s", prefill_model);
    if (prefill_model != decode_model) {
        wl_buf_printf(out, " and %s", decode_model);
    }
    wl_buf_printf(out, " on %s\nbatch %lld, %s", m->device_name, (long long)m->batch,
                  wl_precision_name(m->precision.activations));
    if (m->precision.weights != m->precision.activations) {
        wl_buf_printf(out, " with %s weights", wl_precision_name(m->precision.weights));
    }
    if (m->precision.kv != m->precision.activations) {
        wl_buf_printf(out, ", %s KV cache", wl_precision_name(m->precision.kv));
    }
    wl_buf_printf(out, ", power mode %s, runtime %s\nprompt of %lld tokens, then %lld more\n\n",
                  m->power_mode, m->runtime, (long long)m->prompt_tokens, (long long)m->new_tokens);
}

static wl_status llm_text(const struct wl_llm *m, const char *prefill_model,
                          const char *decode_model, int width, struct wl_buf *out,
                          struct wl_error *err)
{
    char a[CELL], b[CELL], c[CELL], d[CELL];
    const struct wl_llm_step *first = &m->samples[0];
    const struct wl_llm_step *last = &m->samples[m->sample_count - 1];
    struct wl_table t;
    text_head(m, prefill_model, decode_model, out);
    wl_buf_printf(out, "  first token after %s, then one every %s, all after %s with %s\n\n",
                  wl_format_si(m->prefill.totals.latency_s, "s", a, sizeof(a)),
                  wl_format_si(m->decode_s / (double)m->new_tokens, "s", b, sizeof(b)),
                  wl_format_si(m->prefill.totals.latency_s + m->decode_s, "s", c, sizeof(c)),
                  wl_format_si(m->prefill.totals.energy_j + m->decode_j, "J", d, sizeof(d)));
    if (phase_table(m, &t) != WL_OK) {
        return wl_fail_nomem(err);
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    wl_buf_printf(out, "\n  a step takes %s with %lld tokens cached, ",
                  wl_format_si(first->totals.latency_s, "s", a, sizeof(a)),
                  (long long)first->cached);
    wl_buf_printf(out, "%s with %lld\n  (%d of %lld steps analysed, the rest interpolated)",
                  wl_format_si(last->totals.latency_s, "s", b, sizeof(b)), (long long)last->cached,
                  (int)m->sample_count, (long long)m->new_tokens);
    text_memory(m, out);
    return WL_OK;
}

static void llm_md(const struct wl_llm *m, const char *prefill_model, struct wl_buf *out)
{
    char a[CELL], b[CELL];
    double total_j = m->prefill.totals.energy_j + m->decode_j;
    wl_buf_printf(out, "## %s on %s\n\n| quantity | value |\n|---|---:|\n", prefill_model,
                  m->device_name);
    wl_buf_printf(out, "| prompt, new tokens, batch | %lld, %lld, %lld |\n",
                  (long long)m->prompt_tokens, (long long)m->new_tokens, (long long)m->batch);
    wl_buf_printf(out, "| time to first token | %s |\n| time per token | %s |\n",
                  wl_format_si(m->prefill.totals.latency_s, "s", a, sizeof(a)),
                  wl_format_si(m->decode_s / (double)m->new_tokens, "s", b, sizeof(b)));
    wl_buf_printf(out, "| tokens per second | %s |\n| tokens per joule | %s |\n",
                  wl_format_si(ratio(decode_tokens(m), m->decode_s), "", a, sizeof(a)),
                  wl_format_si(ratio(decode_tokens(m), m->decode_j), "", b, sizeof(b)));
    wl_buf_printf(out, "| energy of all | %s |\n| KV cache at the end | %s |\n",
                  wl_format_si(total_j, "J", a, sizeof(a)),
                  wl_format_si(m->kv_bytes, "B", b, sizeof(b)));
    wl_buf_printf(out, "| largest batch that fits | %lld |\n", (long long)m->largest_batch);
}

wl_status wl_report_llm(const struct wl_llm *m, const char *prefill_model, const char *decode_model,
                        const struct wl_report_options *opt, struct wl_buf *out,
                        struct wl_error *err)
{
    if (opt->format == WL_FORMAT_TEXT) {
        WL_TRY(llm_text(m, prefill_model, decode_model, opt->width, out, err));
    } else if (opt->format == WL_FORMAT_JSON) {
        llm_json(m, prefill_model, decode_model, out);
    } else if (opt->format == WL_FORMAT_CSV) {
        llm_csv(m, out);
    } else if (opt->format == WL_FORMAT_MD) {
        llm_md(m, prefill_model, out);
    } else {
        return wl_fail(err, WL_ERR_USAGE, "--format",
                       "the two phases are written as text, json, csv or md");
    }
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
