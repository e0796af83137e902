#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# analyze --prefill T --decode N: both phases from one dynamic model or from two files.
. "$WL_SOURCE_DIR/tests/cli/lib.sh.inc"

check() {
    if ! "$@"; then
        echo "FAIL $*"
        failures=$((failures + 1))
    fi
}

base=(--hw a100 --precision fp16 --format json)
expect 0 - analyze gpt2_decode "${base[@]}" --prefill 96 --decode 5 --batch 2 --output "$work/one.json"
expect 0 - analyze gpt2 --decode-model gpt2_decode "${base[@]}" --prefill 96 --decode 5 --batch 2 \
    --output "$work/two.json"
expect 0 - analyze gpt2_decode "${base[@]}" --batch 2 --dim T=96 --dim P=0 --output "$work/prefill.json"
for past in 96 97 98 99 100; do
    expect 0 - analyze gpt2_decode "${base[@]}" --batch 2 --dim T=1 --dim P=$past --output "$work/p$past.json"
done
expect 0 - analyze gpt2_decode "${base[@]}" --prefill 96 --decode 1000 --output "$work/long.json"
cat >"$work/check.py" <<'PY'
import json, sys
read = lambda n: json.load(open(f"{sys.argv[1]}/{n}.json"))
close = lambda a, b: abs(a - b) <= 1e-9 * max(abs(a), abs(b))
one, two, prefill, long = map(read, ("one", "two", "prefill", "long"))
steps = [read(f"p{p}") for p in range(96, 101)]
# phases are ordinary analyses
assert one["prefill"]["ttft_s"] == prefill["totals"]["latency_s"]
assert one["prefill"]["energy_j"] == prefill["totals"]["energy_j"]
assert [s["latency_s"] for s in one["steps"][1:]] == [s["totals"]["latency_s"] for s in steps]
assert close(one["decode"]["latency_s"], sum(s["totals"]["latency_s"] for s in steps))
assert close(one["decode"]["energy_j"], sum(s["totals"]["energy_j"] for s in steps))
assert close(one["decode"]["tokens_per_s"], 2 * 5 / one["decode"]["latency_s"])
assert close(one["prefill"]["tokens_per_s"], 2 * 96 / one["prefill"]["latency_s"])
assert close(one["totals"]["latency_s"], one["prefill"]["latency_s"] + one["decode"]["latency_s"])
# GPT-2: 12 layers x 12 heads x 64, keys and values, 2 bytes each: 36,864 bytes a token
assert one["memory"]["kv_bytes_per_token"] == 12 * 12 * 64 * 2 * 2
assert one["memory"]["kv_bytes"] == 2 * 101 * 36864
assert two["decode"] == one["decode"] and two["memory"]["kv_bytes"] == one["memory"]["kv_bytes"]
assert abs(two["prefill"]["ttft_s"] / one["prefill"]["ttft_s"] - 1) < 0.2
assert two["model"]["prefill"] == "gpt2" and two["model"]["decode"] == "gpt2_decode"
assert one["model"]["token_dim"] == "T" and one["model"]["past_dim"] == "P"
# many steps: a few are analysed, the ends among them, and the sum lies between n times each end
s = long["steps"][1:]
assert len(s) == 9 and s[0]["cached_tokens"] == 96 and s[-1]["cached_tokens"] == 1095
times = [x["latency_s"] for x in s]
assert 1000 * min(times) <= long["decode"]["latency_s"] <= 1000 * max(times)
assert long["memory"]["largest_batch"] > 1
print(long["memory"]["largest_batch"])
PY
largest=$(python3 "$work/check.py" "$work") || failures=$((failures + 1))
# The largest batch fits at the longest cache and in prefill; one more does not in one of them.
fits() {
    local f
    for f in "T=1 --dim P=1095" "T=96 --dim P=0"; do
        # shellcheck disable=SC2086
        "$WATTLINE" analyze gpt2_decode "${base[@]}" --batch "$1" --dim $f --output "$work/f.json" || return 2
        python3 -c "import json; r = json.load(open('$work/f.json')); \
raise SystemExit(not list(r['memory']['fits'].values())[-1])" || return 1
    done
}
check fits "$largest"
fits $((largest + 1))
check test $? -eq 1

expect 0 - analyze llama_1b_decode --hw orin_nano --prefill 64 --decode 16 --weight-precision int4
check test "$(awk '{ if (length($0) > 104) n++ } END { print n + 0 }' "$work/out")" -eq 0
check grep -q 'first token after' "$work/out"
expect 0 - analyze gpt2_decode --hw a100 --prefill 64 --decode 16 --format csv
check test "$(wc -l <"$work/out")" -eq 11
expect 0 - analyze gpt2_decode --hw a100 --prefill 64 --decode 1 --format md

expect 2 'wattline: --decode: *' analyze gpt2_decode --hw a100 --prefill 64
expect 2 'wattline: --prefill: *' analyze gpt2_decode --hw a100 --decode 64
expect 2 'wattline: gpt2: *--decode-model*' analyze gpt2 --hw a100 --prefill 64 --decode 16
expect 2 'wattline: resnet18: *' analyze resnet18 --hw a100 --prefill 64 --decode 16
expect 2 'wattline: --prefill: *' analyze gpt2_decode --hw a100 --prefill 0 --decode 16
expect 2 'wattline: --format: *' analyze gpt2_decode --hw a100 --prefill 64 --decode 16 --format trace
expect 3 'wattline: google_tpu_v4: *' analyze gpt2_decode --hw tpu_v4 --precision fp16 --prefill 8 --decode 2
finish
