#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wattline sweep: order, determinism, the same figures in all files, rows with reasons, shards,
# merging, resuming, disks that are full or read-only.
. "$WL_SOURCE_DIR/tests/cli/lib.sh.inc"

check() {
    if ! "$@"; then
        echo "FAIL $*"
        failures=$((failures + 1))
    fi
}

grid=(resnet18 espcn_x3 --hw a100,8490h,tpu_v4 --batch 1,3,4 --precision fp32,bf16
    --fusion none,basic --quiet)

# ---- order and determinism: the same bytes from one and two threads
for ending in csv jsonl; do
    expect 0 - sweep "${grid[@]}" --jobs 1 --output "$work/one.$ending"
    expect 0 - sweep "${grid[@]}" --jobs 2 --output "$work/two.$ending"
    check cmp "$work/one.$ending" "$work/two.$ending"
done
expect 0 - sweep "${grid[@]}" --jobs 2 --output "$work/one.sqlite"
check test ! -e "$work/one.csv.partial"

# ---- the three kinds of file agree; the grid is full and in order
cat >"$work/agree.py" <<'PY'
import csv, itertools, json, sqlite3, sys
folder = sys.argv[1]
with open(folder + "/one.csv", newline="") as f:
    rows = list(csv.DictReader(f))
lines = [json.loads(l) for l in open(folder + "/one.jsonl")]
db = sqlite3.connect(folder + "/one.sqlite")
db.row_factory = sqlite3.Row
table = [dict(r) for r in db.execute("SELECT * FROM points")]
key = ["model", "dims", "batch", "fusion", "hardware", "power_mode", "precision", "runtime",
       "calibration", "options"]
assert len(rows) == len(lines) == len(table) == 2 * 3 * 3 * 2 * 2, (len(rows), len(lines), len(table))
for c, j in zip(rows, lines):
    assert list(c) == list(j)
    for k, v in j.items():
        want = "" if v is None else v
        got = c[k] if isinstance(want, str) else type(v)(c[k])
        assert got == want, (k, c[k], v)
by_key = {tuple(r[k] for k in key): r for r in table}
assert len(by_key) == len(table)
for j in lines:
    assert by_key[tuple(j[k] for k in key)] == j
devices = ["nvidia_a100_sxm_80gb", "intel_xeon_8490h", "google_tpu_v4"]
order = list(itertools.product(["resnet18", "espcn_x3"], [1, 3, 4], ["none", "basic"], devices,
                               ["fp32", "bf16"]))
assert [(j["model"], j["batch"], j["fusion"], j["hardware"], j["precision"]) for j in lines] == order
# what cannot run is a row with its reason and without figures
for j in lines:
    if j["hardware"] == "google_tpu_v4" and j["precision"] == "fp32":
        assert "fp32" in j["error"] and j["latency_s"] is None and j["bottleneck"] is None
    else:
        assert j["error"] is None and j["latency_s"] > 0 and j["energy_j"] > 0
        parts = j["compute_j"] + j["memory_j"] + j["control_j"] + j["static_j"]
        assert abs(parts - j["energy_j"]) < 1e-9 * j["energy_j"]
        assert abs(j["throughput_per_s"] - j["batch"] / j["latency_s"]) < 1e-9 * j["throughput_per_s"]
PY
check python3 "$work/agree.py" "$work"

# A point of a sweep is the analysis of that point.
expect 0 - analyze resnet18 --hw 8490h --batch 3 --precision bf16 --fusion none --format json \
    --output "$work/a.json"
check python3 - "$work" <<'PY'
import json, sys
t = json.load(open(sys.argv[1] + "/a.json"))["totals"]
p = [j for j in map(json.loads, open(sys.argv[1] + "/one.jsonl"))
     if (j["model"], j["batch"], j["fusion"], j["hardware"], j["precision"]) ==
        ("resnet18", 3, "none", "intel_xeon_8490h", "bf16")]
assert len(p) == 1
for k in ("macs", "latency_s", "energy_j", "peak_memory_bytes", "utilization", "bottleneck"):
    assert p[0][k] == t[k], (k, p[0][k], t[k])
PY

# ---- shards part the grid; merged they are the whole table
parts=()
for i in 1 2 3 4 5; do
    expect 0 - sweep "${grid[@]}" --shard $i/5 --output "$work/part$i.sqlite"
    parts+=("$work/part$i.sqlite")
done
expect 0 - sweep merge "${parts[@]}" --output "$work/merged.sqlite"
check python3 - "$work" <<'PY'
import sqlite3, sys
f = sys.argv[1]
read = lambda n: [r for r in sqlite3.connect(f"{f}/{n}.sqlite").execute("SELECT * FROM points")]
shards = [read(f"part{i}") for i in range(1, 6)]
assert sum(map(len, shards)) == len(read("one")) and sorted(map(len, shards)) == [14, 14, 14, 15, 15]
assert read("merged") == read("one")
PY
expect 2 'wattline: --shard: *' sweep "${grid[@]}" --shard 6/5 --output "$work/x.csv"
expect 2 'wattline: sweep merge: *' sweep merge "${parts[@]}" --output "$work/merged.csv"
expect 1 "wattline: $work/absent.sqlite: *" sweep merge "$work/absent.sqlite" --output "$work/m2.sqlite"

# ---- points that a database holds are not run again, also where no batch is given
expect 0 - sweep resnet18 --hw a100 --output "$work/again.sqlite"
check grep -q '^1 points, 0 could not run$' "$work/out"
expect 0 - sweep resnet18 --hw a100 --output "$work/again.sqlite"
check grep -q '^0 points, 0 could not run$' "$work/out"
expect 0 - sweep resnet18 --hw a100 --batch 1,2 --output "$work/again.sqlite"
check grep -q '^1 points, 0 could not run$' "$work/out"

# What else is asked is a part of the point: other weights are another point, not one that is there.
expect 0 - sweep resnet18 --hw a100 --weight-precision int8 --output "$work/again.sqlite"
check grep -q '^1 points, 0 could not run$' "$work/out"
expect 0 - sweep resnet18 --hw a100 --weight-precision int8 --output "$work/again.sqlite"
check grep -q '^0 points, 0 could not run$' "$work/out"

# ---- the summary names where throughput falls, and what does not fit
expect 0 - sweep resnet50 --hw 8490h --precision bf16 --batch 64,128,256 --calibration none --output "$work/fall.csv"
check grep -q 'throughput falls .* from batch .* capacity:' "$work/out"
expect 0 - sweep resnet50 --hw orin_nano --batch 64,2048 --output "$work/oom.csv"
check grep -q 'from batch 2048 main memory cannot hold it' "$work/out"

# ---- a model that fails is a row as well
expect 0 - sweep gpt2_decode --hw a100 --dim T=1 --dim P=0,128 --batch 1,2 --output "$work/dims.jsonl" --quiet
check test "$(grep -c '"error":null' "$work/dims.jsonl")" -eq 4
check test "$(grep -c '"dims":"T=1;P=128"' "$work/dims.jsonl")" -eq 2
expect 2 'wattline: *X*' sweep resnet18 --hw a100 --dim X=3 --output "$work/bad.jsonl" --quiet
check test ! -e "$work/bad.jsonl"
expect 0 - sweep resnet18 gpt2_decode --hw a100 --dim P=64 --output "$work/bad.jsonl" --quiet
check grep -q '"model":"resnet18".*"error":"[^"]*P' "$work/bad.jsonl"
check grep -q '"model":"gpt2_decode".*"error":null' "$work/bad.jsonl"

# ---- a mode that one device has is a reason for the other; one that none has is a mistake
expect 0 - sweep resnet18 --hw orin_agx,a100 --power-mode 15W --output "$work/mode.jsonl" --quiet
check test "$(grep -c '"error":null' "$work/mode.jsonl")" -eq 1
expect 2 'wattline: nvidia_a100_sxm_80gb: *15W*' sweep resnet18 --hw a100 --power-mode 15W --output "$work/mode.csv"

# ---- places that cannot be written: one line, nothing half-written left
expect 2 'wattline: --output: *.csv*' sweep resnet18 --hw a100 --output "$work/x.txt"
expect 1 "wattline: $work/no/x.csv: *" sweep resnet18 --hw a100 --output "$work/no/x.csv"
expect 1 "wattline: $work/no/x.sqlite: *" sweep resnet18 --hw a100 --output "$work/no/x.sqlite"
mkdir "$work/dir.csv"
expect 1 "wattline: $work/dir.csv: *" sweep resnet18 --hw a100 --output "$work/dir.csv"
echo "not a database, but long enough to be read as the header of one" >"$work/text.sqlite"
expect 1 "wattline: $work/text.sqlite: *" sweep resnet18 --hw a100 --output "$work/text.sqlite"
check grep -q '^not a database' "$work/text.sqlite"
# Root may write everywhere, so there another user tries.
as_user=()
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 755 "$work"
mkdir "$work/ro"
chmod 555 "$work/ro"
if "${as_user[@]}" test -x "$WATTLINE" -a -r "$WATTLINE_REGISTRY/classes/gpu.json" \
    -a -r "$WATTLINE_MODELS/models.json" 2>/dev/null; then
    for ending in csv jsonl sqlite; do
        "${as_user[@]}" "$WATTLINE" sweep resnet18 --hw a100 --output "$work/ro/x.$ending" \
            >/dev/null 2>"$work/err"
        check test $? -eq 1
        check test "$(wc -l <"$work/err")" -eq 1
        check grep -q "^wattline: $work/ro/x.$ending: " "$work/err"
    done
    check test -z "$(ls -A "$work/ro")"
else
    echo "read-only directory: not tried, no second user can run the program"
fi
chmod 755 "$work/ro"
# A full disk, as a limit on the size of files.
big=(resnet18 --hw a100,8490h --batch 1..200 --quiet)
full() {
    (
        trap '' XFSZ
        ulimit -f 24
        exec timeout 60 "$WATTLINE" sweep "${big[@]}" --output "$1"
    ) 2>"$work/err"
}
for ending in csv jsonl sqlite; do
    full "$work/full.$ending"
    check test $? -eq 1
    check test "$(wc -l <"$work/err")" -eq 1
    check grep -q "^wattline: $work/full.$ending: " "$work/err"
done
check test ! -e "$work/full.csv" -a ! -e "$work/full.csv.partial"
check test ! -e "$work/full.jsonl" -a ! -e "$work/full.jsonl.partial"
# What the database got is whole, and a sweep with room goes on from there.
expect 0 - sweep "${big[@]}" --output "$work/full.sqlite"
expect 0 - sweep "${big[@]}" --output "$work/room.sqlite"
check python3 - "$work" <<'PY'
import sqlite3, sys
read = lambda n: [r for r in sqlite3.connect(f"{sys.argv[1]}/{n}.sqlite").execute("SELECT * FROM points")]
db = sqlite3.connect(sys.argv[1] + "/full.sqlite")
assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
assert read("full") == read("room") and len(read("room")) == 400
PY
finish
