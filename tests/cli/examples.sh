#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every `wattline ...` line of the README, of docs/sweep.md and of --help runs, the queries of
# docs/sweep.md answer, and so do the programs under examples/.
. "$WL_SOURCE_DIR/tests/cli/lib.sh.inc"
cd "$work" || exit 1
mkdir bin
ln -s "$WATTLINE" bin/wattline
export PATH="$work/bin:$PATH"

# What the examples call the user's own files.
"$WATTLINE" analyze resnet18 --hw a100 --format json --output before.json
cp before.json after.json
cp before.json A.json
cp before.json B.json
cat >infer <<'SH'
#!/bin/sh
exit 0
SH
chmod +x infer
cp infer train
calibrations=("$WATTLINE_REGISTRY"/*/*/calibrations/*.json)
cp "${calibrations[0]}" calibration.json 2>/dev/null

run_line() {
    local code own=resnet18
    [[ $1 != *--dim\ T=* ]] || own=gpt2 # a model that has such a dimension
    cp "$WL_SOURCE_DIR/models/$own.onnx" model.onnx
    timeout 60 bash -c "$1" >out 2>err </dev/null
    code=$?
    if [ $code -ne 0 ]; then
        echo "FAIL exit $code: $1: $(head -n 1 err)"
        failures=$((failures + 1))
    fi
    count=$((count + 1))
}

# Not run here: placeholders in capitals, servers, and what measures this machine for long.
left_out='wattline (COMMAND|calibrate|validate|hw (detect|import-calibration))|--prometheus|--idle| \.\.\.|\[options\]|MODEL|FILE| ID|ID,'

help_examples() {
    local command
    "$WATTLINE" --help
    for command in $("$WATTLINE" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -v wattline); do
        "$WATTLINE" "$command" --help
    done
}
count=0
help_examples | grep -E '^  wattline ' >lines
while IFS= read -r line; do
    [[ $line =~ $left_out ]] || run_line "$line"
done <lines
[ "$count" -ge 10 ] || { echo "FAIL only $count examples in --help"; failures=$((failures + 1)); }
echo "$count examples of --help"

# Lines of code blocks that call the program; "./run X" of a checkout is "wattline X".
count=0
for page in README.md docs/sweep.md docs/batch-series.md docs/cli.md; do
    awk '/^```/ { inside = !inside; next } inside' "$WL_SOURCE_DIR/$page" |
        sed -E 's#^(\$ )?(\./run|build/[a-z]*/wattline) #wattline #; s/^\$ //; s/ +# .*//' |
        grep -E '^wattline ' | grep -vE '^wattline (test|build|bench)' >lines
    while IFS= read -r line; do
        [[ $line =~ $left_out ]] || run_line "$line"
    done <lines
done
[ "$count" -ge 4 ] || { echo "FAIL only $count examples in the pages"; failures=$((failures + 1)); }
echo "$count examples of the pages"

# Queries of docs/sweep.md, on the database that its first example makes.
python3 - "$WL_SOURCE_DIR/docs/sweep.md" r50.sqlite <<'PY' || failures=$((failures + 1))
import re, sqlite3, sys
queries = re.findall(r"```sql\n(.*?)```", open(sys.argv[1]).read(), re.S)
db = sqlite3.connect(sys.argv[2])
answers = [db.execute(q).fetchall() for q in queries]
assert len(queries) >= 5 and all(answers[:3]), [len(a) for a in answers]
columns = [c[1] for c in db.execute("PRAGMA table_info(points)")]
page = open(sys.argv[1]).read()
missing = [c for c in columns if f"`{c}`" not in page]
assert not missing, missing
keys = [c[1] for c in db.execute("PRAGMA table_info(points)") if c[5]]
assert len(keys) == 10
PY

# Programs under examples/.
/usr/bin/python3 "$WL_SOURCE_DIR/examples/sweep/batch_sweep.py" resnet18 a100,tpu_v4 fp16 plot >out 2>err ||
    { echo "FAIL batch_sweep.py: $(tail -n 1 err)"; failures=$((failures + 1)); }
grep -q 'google_tpu_v4 is left out: .*fp16' out || { echo "FAIL batch_sweep.py names no reason"; failures=$((failures + 1)); }
{ [ -s plot.png ] || grep -q '^resnet18: inferences per second$' out; } ||
    { echo "FAIL batch_sweep.py drew nothing"; failures=$((failures + 1)); }
[ "$(wc -l <plot.csv)" -eq 19 ] || { echo "FAIL plot.csv"; failures=$((failures + 1)); }
if command -v sqlite3 >/dev/null; then
    DATABASE=$work/c.sqlite bash "$WL_SOURCE_DIR/examples/sweep/cheapest.sh" mobilenet_v2 1000 orin_agx,orin_nano >out 2>err ||
        { echo "FAIL cheapest.sh: $(head -n 1 err)"; failures=$((failures + 1)); }
    [ "$(grep -c orin out)" -eq 10 ] || { echo "FAIL cheapest.sh"; failures=$((failures + 1)); }
fi
finish
