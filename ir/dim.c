/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ir/dim.c: dimensions as polynomials. An expression is a sum of terms, each an integer coefficient
 * times a product of atoms; an atom is a named symbol or an opaque function of two expressions
 * (floor division, minimum ...). Expressions are hash-consed in canonical order, so equality is
 * equality of indices. Degrees and lengths are limited: what grows past them becomes unknown, which
 * is honest and keeps hostile files bounded.
 *
 * Symbols stand for sizes, so they are taken to be at least 1 where a sign matters.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir.h"

#define TERMS_MAX 16
#define DEGREE_MAX 6
#define SYMBOLS_MAX 100000
#define EXPRS_MAX 1000000
#define DEPTH_MAX 24 /* of functions inside functions: bounds recursion */

enum atom_op { ATOM_SYMBOL, ATOM_FLOOR_DIV, ATOM_MOD, ATOM_MIN, ATOM_MAX, ATOM_SCALE };

struct term {
    int64_t coef;
    int32_t degree;
    int32_t atoms[DEGREE_MAX]; /* expression indices of atoms, ascending */
};

/* Either an atom (term_count 0) or a sum. An atom used as a whole expression is a sum of one term.
 */
struct wl_expr {
    enum atom_op op;
    int32_t symbol;     /* ATOM_SYMBOL */
    int32_t depth;      /* of nested functions */
    struct wl_dim a, b; /* operands of the functions */
    double factor;      /* ATOM_SCALE */
    int32_t term_count; /* > 0: a sum */
    struct term *terms;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 31);
}

static uint32_t expr_hash(const struct wl_expr *e)
{
    uint64_t h = mix((uint64_t)e->op + 1, (uint64_t)e->term_count);
    if (e->term_count == 0) {
        uint64_t bits;
        memcpy(&bits, &e->factor, sizeof(bits));
        h = mix(mix(h, (uint64_t)e->symbol), bits);
        h = mix(mix(h, (uint64_t)e->a.value), (uint64_t)(int64_t)e->a.expr);
        h = mix(mix(h, (uint64_t)e->b.value), (uint64_t)(int64_t)e->b.expr);
    }
    for (int32_t i = 0; i < e->term_count; i++) {
        h = mix(mix(h, (uint64_t)e->terms[i].coef), (uint64_t)e->terms[i].degree);
        for (int32_t k = 0; k < e->terms[i].degree; k++) {
            h = mix(h, (uint64_t)e->terms[i].atoms[k]);
        }
    }
    return (uint32_t)(h >> 32);
}

static int monomial_cmp(const struct term *x, const struct term *y)
{
    if (x->degree != y->degree) {
        return x->degree > y->degree ? -1 : 1;
    }
    for (int32_t i = 0; i < x->degree; i++) {
        if (x->atoms[i] != y->atoms[i]) {
            return x->atoms[i] < y->atoms[i] ? -1 : 1;
        }
    }
    return 0;
}

static bool same_dim(struct wl_dim a, struct wl_dim b)
{
    return a.expr == b.expr && a.value == b.value;
}

static bool expr_same(const struct wl_expr *x, const struct wl_expr *y)
{
    if (x->op != y->op || x->term_count != y->term_count) {
        return false;
    }
    if (x->term_count == 0) {
        return x->symbol == y->symbol && same_dim(x->a, y->a) && same_dim(x->b, y->b) &&
               !(x->factor < y->factor) && !(x->factor > y->factor);
    }
    for (int32_t i = 0; i < x->term_count; i++) {
        if (x->terms[i].coef != y->terms[i].coef || monomial_cmp(&x->terms[i], &y->terms[i]) != 0) {
            return false;
        }
    }
    return true;
}

wl_status wl_dim_pool_init(struct wl_dim_pool *p, struct wl_arena *arena)
{
    *p = (struct wl_dim_pool){.arena = arena};
    return wl_strmap_init(&p->symbol_ids, arena);
}

static bool hash_grow(struct wl_dim_pool *p)
{
    uint32_t size = p->hash == NULL ? 256 : (p->hash_mask + 1) * 2;
    int32_t *hash = WL_ARRAY(p->arena, int32_t, size);
    if (hash == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < size; i++) {
        hash[i] = WL_NONE;
    }
    for (int32_t e = 0; e < p->expr_count; e++) {
        uint32_t at = expr_hash(&p->exprs[e]) & (size - 1);
        while (hash[at] != WL_NONE) {
            at = (at + 1) & (size - 1);
        }
        hash[at] = e;
    }
    p->hash = hash;
    p->hash_mask = size - 1;
    return true;
}

/* The index of `e`, new if need be; WL_EXPR_UNKNOWN when the pool is full. Copies the terms. */
static int32_t intern(struct wl_dim_pool *p, const struct wl_expr *e)
{
    if (p->hash == NULL || (uint32_t)p->expr_count * 2 > p->hash_mask) {
        if (!hash_grow(p)) {
            p->nomem = true;
            return WL_EXPR_UNKNOWN;
        }
    }
    uint32_t at = expr_hash(e) & p->hash_mask;
    while (p->hash[at] != WL_NONE) {
        if (expr_same(&p->exprs[p->hash[at]], e)) {
            return p->hash[at];
        }
        at = (at + 1) & p->hash_mask;
    }
    if (p->expr_count >= EXPRS_MAX ||
        wl_arena_reserve(p->arena, (void **)&p->exprs, &p->expr_capacity, p->expr_count + 1,
                         sizeof(*p->exprs)) != WL_OK) {
        p->nomem = p->expr_count < EXPRS_MAX;
        return WL_EXPR_UNKNOWN;
    }
    struct wl_expr copy = *e;
    if (e->term_count > 0) {
        copy.terms = wl_arena_copy(p->arena, e->terms, (size_t)e->term_count * sizeof(struct term));
        if (copy.terms == NULL) {
            p->nomem = true;
            return WL_EXPR_UNKNOWN;
        }
    }
    p->exprs[p->expr_count] = copy;
    p->hash[at] = p->expr_count;
    return p->expr_count++;
}

/* ---- sums ---------------------------------------------------------------------------------- */

struct sum {
    int32_t count;
    bool failed; /* too long, too high a degree, or overflow */
    struct term terms[TERMS_MAX + 1];
};

static void sum_add_term(struct sum *s, const struct term *t)
{
    if (t->coef == 0 || s->failed) {
        return;
    }
    int32_t at = 0;
    while (at < s->count && monomial_cmp(&s->terms[at], t) < 0) {
        at++;
    }
    if (at < s->count && monomial_cmp(&s->terms[at], t) == 0) {
        if (!wl_add_i64(s->terms[at].coef, t->coef, &s->terms[at].coef)) {
            s->failed = true;
        } else if (s->terms[at].coef == 0) {
            s->count--;
            memmove(&s->terms[at], &s->terms[at + 1],
                    (size_t)(s->count - at) * sizeof(struct term));
        }
        return;
    }
    if (s->count >= TERMS_MAX) {
        s->failed = true;
        return;
    }
    memmove(&s->terms[at + 1], &s->terms[at], (size_t)(s->count - at) * sizeof(struct term));
    s->terms[at] = *t;
    s->count++;
}

static void sum_add_dim(const struct wl_dim_pool *p, struct sum *s, struct wl_dim d, int64_t scale)
{
    if (wl_dim_is_known(d)) {
        struct term t = {.coef = d.value};
        s->failed |= !wl_mul_i64(t.coef, scale, &t.coef);
        sum_add_term(s, &t);
        return;
    }
    const struct wl_expr *e = &p->exprs[d.expr];
    for (int32_t i = 0; i < e->term_count; i++) {
        struct term t = e->terms[i];
        s->failed |= !wl_mul_i64(t.coef, scale, &t.coef);
        sum_add_term(s, &t);
    }
}

static struct wl_dim sum_dim(struct wl_dim_pool *p, const struct sum *s)
{
    if (s->failed) {
        return wl_dim_unknown();
    }
    if (s->count == 0) {
        return wl_dim_known(0);
    }
    if (s->count == 1 && s->terms[0].degree == 0) {
        return wl_dim_known(s->terms[0].coef);
    }
    struct term terms[TERMS_MAX];
    memset(terms, 0, sizeof(terms));
    memcpy(terms, s->terms, (size_t)s->count * sizeof(struct term));
    struct wl_expr e = {.op = ATOM_SYMBOL, .term_count = s->count, .terms = terms};
    return (struct wl_dim){0, intern(p, &e)};
}

/* An atom as a dim: a sum of one term of degree 1. */
static struct wl_dim atom_dim(struct wl_dim_pool *p, const struct wl_expr *atom)
{
    int32_t index = intern(p, atom);
    if (index < 0) {
        return wl_dim_unknown();
    }
    struct sum s = {.count = 1};
    s.terms[0] = (struct term){.coef = 1, .degree = 1, .atoms = {index}};
    return sum_dim(p, &s);
}

static int32_t depth_of(const struct wl_dim_pool *p, struct wl_dim d)
{
    int32_t depth = 0;
    if (wl_dim_is_symbolic(d)) {
        const struct wl_expr *e = &p->exprs[d.expr];
        for (int32_t i = 0; i < e->term_count; i++) {
            for (int32_t k = 0; k < e->terms[i].degree; k++) {
                int32_t inner = p->exprs[e->terms[i].atoms[k]].depth;
                depth = inner > depth ? inner : depth;
            }
        }
    }
    return depth;
}

/* An atom that is a function of `a` and `b`; unknown when either is, or when nested too deep. */
static struct wl_dim function_dim(struct wl_dim_pool *p, struct wl_expr e)
{
    if (wl_dim_is_unknown(e.a) || wl_dim_is_unknown(e.b)) {
        return wl_dim_unknown();
    }
    int32_t depth_a = depth_of(p, e.a);
    int32_t depth_b = depth_of(p, e.b);
    e.symbol = WL_NONE;
    e.depth = 1 + (depth_a > depth_b ? depth_a : depth_b);
    return e.depth > DEPTH_MAX ? wl_dim_unknown() : atom_dim(p, &e);
}

/* ---- symbols ------------------------------------------------------------------------------- */

int32_t wl_dim_find_symbol(const struct wl_dim_pool *p, const char *name)
{
    return wl_strmap_find(&p->symbol_ids, wl_str(name));
}

static int32_t symbol_get(struct wl_dim_pool *p, const char *name)
{
    int32_t found = wl_dim_find_symbol(p, name);
    if (found != WL_NONE) {
        return found;
    }
    if (p->symbol_count >= SYMBOLS_MAX ||
        wl_arena_reserve(p->arena, (void **)&p->symbols, &p->symbol_capacity, p->symbol_count + 1,
                         sizeof(*p->symbols)) != WL_OK ||
        wl_strmap_add(&p->symbol_ids, wl_str(name)) != p->symbol_count) {
        p->nomem = true;
        return WL_NONE;
    }
    p->symbols[p->symbol_count] = (struct wl_symbol){
        .name = p->symbol_ids.names[p->symbol_count].data, .bound = wl_dim_unknown(), .upper = -1};
    return p->symbol_count++;
}

static struct wl_dim symbol_dim(struct wl_dim_pool *p, int32_t index)
{
    if (index == WL_NONE) {
        return wl_dim_unknown();
    }
    p->symbols[index].used = true;
    if (wl_dim_is_known(p->symbols[index].bound)) {
        return p->symbols[index].bound;
    }
    struct wl_expr e = {.op = ATOM_SYMBOL, .symbol = index};
    return atom_dim(p, &e);
}

struct wl_dim wl_dim_symbol(struct wl_dim_pool *p, const char *name)
{
    return symbol_dim(p, symbol_get(p, name));
}

struct wl_dim wl_dim_data_symbol(struct wl_dim_pool *p, const char *name, struct wl_dim upper)
{
    int32_t index = symbol_get(p, name);
    if (index != WL_NONE) {
        p->symbols[index].data_dependent = true;
        if (wl_dim_is_known(upper)) {
            p->symbols[index].upper = upper.value;
        }
    }
    return symbol_dim(p, index);
}

void wl_dim_bind(struct wl_dim_pool *p, const char *name, int64_t value)
{
    int32_t index = symbol_get(p, name);
    if (index != WL_NONE) {
        p->symbols[index].bound = wl_dim_known(value);
    }
}

/* ---- arithmetic ---------------------------------------------------------------------------- */

static bool both_known(struct wl_dim a, struct wl_dim b)
{
    return wl_dim_is_known(a) && wl_dim_is_known(b);
}

static bool any_unknown(struct wl_dim a, struct wl_dim b)
{
    return wl_dim_is_unknown(a) || wl_dim_is_unknown(b);
}

static struct wl_dim overflowed(struct wl_dim_pool *p)
{
    p->overflow = true;
    return wl_dim_unknown();
}

static struct wl_dim add_scaled(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b,
                                int64_t scale)
{
    if (any_unknown(a, b)) {
        return wl_dim_unknown();
    }
    struct sum s = {0};
    sum_add_dim(p, &s, a, 1);
    sum_add_dim(p, &s, b, scale);
    return sum_dim(p, &s);
}

struct wl_dim wl_dim_add(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    int64_t v;
    if (both_known(a, b)) {
        return wl_add_i64(a.value, b.value, &v) ? wl_dim_known(v) : overflowed(p);
    }
    return add_scaled(p, a, b, 1);
}

struct wl_dim wl_dim_sub(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    int64_t v;
    if (both_known(a, b)) {
        return !__builtin_sub_overflow(a.value, b.value, &v) ? wl_dim_known(v) : overflowed(p);
    }
    return add_scaled(p, a, b, -1);
}

static void term_mul(const struct term *x, const struct term *y, struct sum *out)
{
    struct term t = {.degree = x->degree + y->degree};
    if (t.degree > DEGREE_MAX || !wl_mul_i64(x->coef, y->coef, &t.coef)) {
        out->failed = true;
        return;
    }
    int32_t i = 0;
    int32_t j = 0;
    for (int32_t k = 0; k < t.degree; k++) {
        bool from_x = j >= y->degree || (i < x->degree && x->atoms[i] <= y->atoms[j]);
        t.atoms[k] = from_x ? x->atoms[i++] : y->atoms[j++];
    }
    sum_add_term(out, &t);
}

struct wl_dim wl_dim_mul(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    int64_t v;
    if (both_known(a, b)) {
        return wl_mul_i64(a.value, b.value, &v) ? wl_dim_known(v) : overflowed(p);
    }
    if (wl_dim_is(a, 0) || wl_dim_is(b, 0)) {
        return wl_dim_known(0);
    }
    if (any_unknown(a, b)) {
        return wl_dim_unknown();
    }
    struct sum x = {0};
    struct sum y = {0};
    struct sum product = {0};
    sum_add_dim(p, &x, a, 1);
    sum_add_dim(p, &y, b, 1);
    for (int32_t i = 0; i < x.count; i++) {
        for (int32_t j = 0; j < y.count; j++) {
            term_mul(&x.terms[i], &y.terms[j], &product);
        }
    }
    return sum_dim(p, &product);
}

/* t / d where d is one term that divides it; false otherwise. */
static bool term_divide(const struct term *t, const struct term *d, struct term *out)
{
    if (t->coef % d->coef != 0 || t->degree < d->degree) {
        return false;
    }
    *out = (struct term){.coef = t->coef / d->coef};
    int32_t j = 0;
    for (int32_t i = 0; i < t->degree; i++) {
        if (j < d->degree && t->atoms[i] == d->atoms[j]) {
            j++;
        } else {
            out->atoms[out->degree++] = t->atoms[i];
        }
    }
    return j == d->degree;
}

/*
 * Long division of polynomials in the canonical term order (degree first, so leading terms only
 * shrink): exact or nothing.
 */
struct wl_dim wl_dim_exact_div(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    if (any_unknown(a, b) || wl_dim_is(b, 0)) {
        return wl_dim_unknown();
    }
    if (both_known(a, b)) {
        if (a.value == INT64_MIN && b.value == -1) {
            return overflowed(p);
        }
        return a.value % b.value == 0 ? wl_dim_known(a.value / b.value) : wl_dim_unknown();
    }
    struct sum rest = {0};
    struct sum divisor = {0};
    struct sum quotient = {0};
    sum_add_dim(p, &rest, a, 1);
    sum_add_dim(p, &divisor, b, 1);
    for (int32_t round = 0; rest.count > 0 && round < 4 * TERMS_MAX; round++) {
        struct term q;
        if (rest.failed || quotient.failed || !term_divide(&rest.terms[0], &divisor.terms[0], &q)) {
            return wl_dim_unknown();
        }
        sum_add_term(&quotient, &q);
        q.coef = -q.coef;
        for (int32_t i = 0; i < divisor.count; i++) {
            term_mul(&divisor.terms[i], &q, &rest);
        }
    }
    return rest.count > 0 || rest.failed ? wl_dim_unknown() : sum_dim(p, &quotient);
}

struct wl_dim wl_dim_floor_div(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    if (any_unknown(a, b) || wl_dim_is(b, 0)) {
        return wl_dim_unknown();
    }
    if (both_known(a, b)) {
        if (a.value == INT64_MIN && b.value == -1) {
            return overflowed(p);
        }
        int64_t q = a.value / b.value;
        return wl_dim_known(a.value % b.value != 0 && (a.value < 0) != (b.value < 0) ? q - 1 : q);
    }
    if (wl_dim_eq(a, b)) {
        return wl_dim_known(1);
    }
    struct wl_dim exact = wl_dim_exact_div(p, a, b);
    return wl_dim_is_unknown(exact)
               ? function_dim(p, (struct wl_expr){.op = ATOM_FLOOR_DIV, .a = a, .b = b})
               : exact;
}

struct wl_dim wl_dim_ceil_div(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    return wl_dim_floor_div(p, wl_dim_add(p, a, wl_dim_add_k(p, b, -1)), b);
}

struct wl_dim wl_dim_mod(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    if (any_unknown(a, b) || wl_dim_is(b, 0)) {
        return wl_dim_unknown();
    }
    if (both_known(a, b)) {
        if (b.value == -1) {
            return wl_dim_known(0);
        }
        int64_t r = a.value % b.value;
        return wl_dim_known(r != 0 && (r < 0) != (b.value < 0) ? r + b.value : r);
    }
    if (!wl_dim_is_unknown(wl_dim_exact_div(p, a, b))) {
        return wl_dim_known(0);
    }
    return function_dim(p, (struct wl_expr){.op = ATOM_MOD, .a = a, .b = b});
}

static struct wl_dim pick(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b, bool smaller)
{
    if (any_unknown(a, b)) {
        return wl_dim_unknown();
    }
    if (smaller && (wl_dim_is(a, INT64_MAX) || wl_dim_is(b, INT64_MAX))) {
        return wl_dim_is(a, INT64_MAX) ? b : a; /* "no limit", as Slice writes it */
    }
    struct wl_dim difference = wl_dim_sub(p, a, b);
    if (wl_dim_is_known(difference)) {
        return (difference.value <= 0) == smaller ? a : b;
    }
    if (wl_dim_gt(p, difference, -1)) {
        return smaller ? b : a;
    }
    if (wl_dim_gt(p, wl_dim_sub(p, b, a), -1)) {
        return smaller ? a : b;
    }
    return function_dim(p, (struct wl_expr){.op = smaller ? ATOM_MIN : ATOM_MAX, .a = a, .b = b});
}

struct wl_dim wl_dim_min(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    return pick(p, a, b, true);
}

struct wl_dim wl_dim_max(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    return pick(p, a, b, false);
}

struct wl_dim wl_dim_scale(struct wl_dim_pool *p, struct wl_dim d, double f)
{
    if (wl_dim_is_unknown(d) || !isfinite(f)) {
        return wl_dim_unknown();
    }
    if (wl_dim_is_known(d)) {
        double v = floor((double)d.value * f);
        return fabs(v) < 9.0e15 ? wl_dim_known((int64_t)v) : overflowed(p);
    }
    if (f == floor(f) && fabs(f) < 1e9) {
        return wl_dim_mul_k(p, d, (int64_t)f);
    }
    return function_dim(
        p, (struct wl_expr){.op = ATOM_SCALE, .a = d, .b = wl_dim_known(0), .factor = f});
}

struct wl_dim wl_dim_add_k(struct wl_dim_pool *p, struct wl_dim a, int64_t k)
{
    return wl_dim_add(p, a, wl_dim_known(k));
}

struct wl_dim wl_dim_mul_k(struct wl_dim_pool *p, struct wl_dim a, int64_t k)
{
    return wl_dim_mul(p, a, wl_dim_known(k));
}

/* With every atom >= 1 (symbols) and coefficients positive, the least value is at all ones. */
bool wl_dim_gt(const struct wl_dim_pool *p, struct wl_dim a, int64_t k)
{
    if (wl_dim_is_known(a)) {
        return a.value > k;
    }
    if (wl_dim_is_unknown(a)) {
        return false;
    }
    const struct wl_expr *e = &p->exprs[a.expr];
    int64_t least = 0;
    for (int32_t i = 0; i < e->term_count; i++) {
        const struct term *t = &e->terms[i];
        int64_t at_least = t->coef;
        for (int32_t j = 0; j < t->degree; j++) {
            const struct wl_expr *atom = &p->exprs[t->atoms[j]];
            if (t->coef < 0) {
                return false;
            }
            if (atom->op != ATOM_SYMBOL || p->symbols[atom->symbol].data_dependent) {
                at_least = 0; /* functions and data-dependent sizes may be 0 */
                if (atom->op != ATOM_SYMBOL && !wl_dim_gt(p, atom->a, -1)) {
                    return false;
                }
            }
        }
        if (!wl_add_i64(least, at_least, &least)) {
            return false;
        }
    }
    return least > k;
}

/* Expressions share parts: the walk is cut off before it repeats them too often. */
#define AT_MOST_STEPS 4096

struct at_most {
    const struct wl_dim_pool *pool;
    int32_t steps;
    bool unbound;
};

static bool dim_at_most(struct at_most *w, struct wl_dim d, int64_t *out);

static bool atom_at_most(struct at_most *w, const struct wl_expr *e, int64_t *out)
{
    int64_t a;
    int64_t b;
    if (e->op == ATOM_SYMBOL) {
        const struct wl_symbol *s = &w->pool->symbols[e->symbol];
        w->unbound = w->unbound || !s->data_dependent;
        *out = s->upper;
        return s->data_dependent && s->upper >= 0;
    }
    bool has_a = dim_at_most(w, e->a, &a);
    bool has_b = dim_at_most(w, e->b, &b);
    if (e->op == ATOM_MIN && (has_a || has_b)) { /* either side bounds it */
        *out = !has_a ? b : !has_b ? a : wl_min_i64(a, b);
        return true;
    }
    if (!has_a || !has_b) {
        return false;
    }
    double scaled = floor((double)a * e->factor);
    switch (e->op) {
    case ATOM_SYMBOL:
        break;
    case ATOM_FLOOR_DIV:
        *out = b > 0 ? wl_floor_div_i64(a, b) : 0;
        return b > 0;
    case ATOM_MOD:
        *out = b > 0 ? b - 1 : 0;
        *out = a >= 0 ? wl_min_i64(a, *out) : *out;
        return b > 0;
    case ATOM_MIN:
        return false;
    case ATOM_MAX:
        *out = wl_max_i64(a, b);
        return true;
    case ATOM_SCALE:
        *out = fabs(scaled) < 9.0e15 ? (int64_t)scaled : 0;
        return fabs(scaled) < 9.0e15;
    }
    return false;
}

static bool dim_at_most(struct at_most *w, struct wl_dim d, int64_t *out)
{
    int64_t sum = 0;
    if (!wl_dim_is_symbolic(d)) {
        *out = d.value;
        return wl_dim_is_known(d);
    }
    const struct wl_expr *e = &w->pool->exprs[d.expr];
    for (int32_t i = 0; i < e->term_count; i++) {
        int64_t product = e->terms[i].coef;
        if (product < 0 && e->terms[i].degree > 0) {
            continue; /* sizes are not negative: what is taken away is at least nothing */
        }
        for (int32_t k = 0; k < e->terms[i].degree; k++) {
            int64_t value;
            if (++w->steps > AT_MOST_STEPS ||
                !atom_at_most(w, &w->pool->exprs[e->terms[i].atoms[k]], &value) ||
                !wl_mul_i64(product, value, &product)) {
                return false;
            }
        }
        if (!wl_add_i64(sum, product, &sum)) {
            return false;
        }
    }
    *out = sum;
    return true;
}

bool wl_dim_at_most(const struct wl_dim_pool *p, struct wl_dim d, int64_t *out, bool *unbound)
{
    struct at_most w = {.pool = p};
    bool known = dim_at_most(&w, d, out);
    if (unbound != NULL) {
        *unbound = w.unbound;
    }
    return known;
}

/* ---- printing ------------------------------------------------------------------------------ */

static void print_atom(const struct wl_dim_pool *p, const struct wl_expr *e, struct wl_buf *out);

static void print_term(const struct wl_dim_pool *p, const struct term *t, bool first,
                       struct wl_buf *out)
{
    bool negative = t->coef < 0;
    uint64_t size = negative ? 0 - (uint64_t)t->coef : (uint64_t)t->coef;
    wl_buf_puts(out, negative ? "-" : first ? "" : "+");
    if (size != 1 || t->degree == 0) {
        wl_buf_printf(out, "%" PRIu64, size);
    }
    for (int32_t i = 0; i < t->degree; i++) {
        if (i > 0 || size != 1) {
            wl_buf_puts(out, "*");
        }
        print_atom(p, &p->exprs[t->atoms[i]], out);
    }
}

static void print_pair(const struct wl_dim_pool *p, const char *name, const struct wl_expr *e,
                       struct wl_buf *out)
{
    wl_buf_printf(out, "%s(", name);
    wl_dim_print(p, e->a, out);
    wl_buf_puts(out, ", ");
    wl_dim_print(p, e->b, out);
    wl_buf_puts(out, ")");
}

/* Parentheses where the expression is a sum of several terms. */
static void print_operand(const struct wl_dim_pool *p, struct wl_dim d, struct wl_buf *out)
{
    bool wrap = wl_dim_is_symbolic(d) && p->exprs[d.expr].term_count > 1;
    wl_buf_puts(out, wrap ? "(" : "");
    wl_dim_print(p, d, out);
    wl_buf_puts(out, wrap ? ")" : "");
}

static void print_atom(const struct wl_dim_pool *p, const struct wl_expr *e, struct wl_buf *out)
{
    switch (e->op) {
    case ATOM_SYMBOL:
        wl_buf_puts(out, p->symbols[e->symbol].name);
        return;
    case ATOM_FLOOR_DIV:
        wl_buf_puts(out, "floor(");
        print_operand(p, e->a, out);
        wl_buf_puts(out, "/");
        print_operand(p, e->b, out);
        wl_buf_puts(out, ")");
        return;
    case ATOM_MOD:
        print_pair(p, "mod", e, out);
        return;
    case ATOM_MIN:
        print_pair(p, "min", e, out);
        return;
    case ATOM_MAX:
        print_pair(p, "max", e, out);
        return;
    case ATOM_SCALE:
        wl_buf_puts(out, "floor(");
        print_operand(p, e->a, out);
        wl_buf_printf(out, "*%.9g)", e->factor);
        return;
    }
}

void wl_dim_print(const struct wl_dim_pool *p, struct wl_dim d, struct wl_buf *out)
{
    if (wl_dim_is_known(d)) {
        wl_buf_printf(out, "%" PRId64, d.value);
        return;
    }
    if (wl_dim_is_unknown(d)) {
        wl_buf_puts(out, "?");
        return;
    }
    const struct wl_expr *e = &p->exprs[d.expr];
    for (int32_t i = 0; i < e->term_count; i++) {
        print_term(p, &e->terms[i], i == 0, out);
    }
}
