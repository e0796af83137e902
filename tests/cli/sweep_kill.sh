#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at ten moments of a sweep into a database, resumed each time: the table in the end equals
# that of a sweep that nobody disturbed.
. "$WL_SOURCE_DIR/tests/cli/lib.sh.inc"

points=(resnet18 --hw a100,8490h --batch 1..600 --precision fp32,fp16 --quiet --jobs 1)
start=$(date +%s%N)
"$WATTLINE" sweep "${points[@]}" --output "$work/calm.sqlite" || exit 1
ms=$((($(date +%s%N) - start) / 1000000))
RANDOM=20261120
killed=0
for ((i = 0; killed < 10 && i < 60; i++)); do
    "$WATTLINE" sweep "${points[@]}" --output "$work/torn.sqlite" &
    pid=$!
    wait_ms=$((10 + (RANDOM * 32768 + RANDOM) % (ms / 5 + 10)))
    sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    if [ $? -eq 137 ]; then
        killed=$((killed + 1))
    else # complete before the kill: from the beginning
        rm -f "$work"/torn.sqlite*
        continue
    fi
    # Whatever was committed is whole rows of the right table.
    if [ -e "$work/torn.sqlite" ]; then
        python3 - "$work" <<'PY' || failures=$((failures + 1))
import sqlite3, sys
torn = sqlite3.connect(sys.argv[1] + "/torn.sqlite")
assert torn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
if torn.execute("SELECT 1 FROM sqlite_master WHERE name = 'points'").fetchone():
    torn.execute("ATTACH ? AS calm", (sys.argv[1] + "/calm.sqlite",))
    assert not torn.execute("SELECT * FROM points EXCEPT SELECT * FROM calm.points").fetchall()
PY
    fi
done
"$WATTLINE" sweep "${points[@]}" --output "$work/torn.sqlite" || failures=$((failures + 1))
python3 - "$work" <<'PY' || failures=$((failures + 1))
import sqlite3, sys
read = lambda n: sqlite3.connect(f"{sys.argv[1]}/{n}.sqlite").execute("SELECT * FROM points").fetchall()
assert read("torn") == read("calm") and len(read("calm")) == 2400
PY
[ "$killed" -eq 10 ] || { echo "FAIL only $killed sweeps were still running when killed"; failures=$((failures + 1)); }
echo "$killed killed in flight; an undisturbed sweep takes $ms ms"
finish
