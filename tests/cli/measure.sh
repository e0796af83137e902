#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# measure: exit codes as timeout(1), where the report goes, signals, figures from a made-up tree.
. "${WL_SOURCE_DIR:?is set by ctest}/tests/cli/lib.sh.inc" || exit 1
export WATTLINE_HOST_DIR="$work/host" WATTLINE_REGISTRY="$WL_SOURCE_DIR/registry" WATTLINE_MODELS="$WL_SOURCE_DIR/models"

problem() {
    echo "FAIL $*"
    failures=$((failures + 1))
}

# code EXIT ARGS...: runs measure; only the exit code counts.
code() {
    local want=$1 got
    shift
    timeout 20 "$WATTLINE" measure "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    [ "$got" -eq "$want" ] || problem "measure $*: exit $got, expected $want: $(head -n 1 "$work/err")"
}

# figure EXPRESSION: true in Python, with the JSON report as r.
figure() {
    python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
sys.exit(0 if eval(sys.argv[2]) else 1)' "$work/r.json" "$1" || problem "$1 in $(tr -d '\n ' <"$work/r.json")"
}

zone() { # number name energy_uj
    mkdir -p "$tree/class/powercap/intel-rapl:$1"
    echo "$2" >"$tree/class/powercap/intel-rapl:$1/name"
    echo 1000000000 >"$tree/class/powercap/intel-rapl:$1/max_energy_range_uj"
    echo "$3" >"$tree/class/powercap/intel-rapl:$1/energy_uj"
}
tree="$work/sys"
mkdir -p "$tree"
root=(--sysfs-root "$tree" --only rapl,hwmon,battery)

# exit codes
code 0 -- true
code 1 -- false
code 42 -- sh -c 'exit 42'
code 137 -- sh -c 'kill -9 $$'
code 127 -- /nonexistent/program
code 126 -- /etc/passwd
code 0 sh -c 'exit 0' --bogus # options after the command are the command's
code 125
code 125 --bogus -- true
code 125 --interval '50 fast' -- true
code 125 --interval 5x -- true
code 125 --pid 1 -- true
code 125 --save -- true
code 125 --work samples -- true
code 125 --work bananas=3 -- true
code 125 --model resnet18 -- true
code 125 --model resnet18 --hw no_such_device -- true
code 125 --pid 99999999
code 125 --only tapl -- true
code 125 --sysfs-root "$work/absent" -- true
code 125 --output "$work/no/such/dir/r.json" -- true
code 125 --format md -- true
code 125 --interval 50 -- true
code 0 --help

# the command's output stays its own
timeout 20 "$WATTLINE" measure -- sh -c 'echo out; cat' >"$work/out" 2>"$work/err" <<<in
[ "$(cat "$work/out")" = $'out\nin' ] || problem "standard output: $(cat "$work/out")"
grep -q 'exit code 0' "$work/err" || problem "no report on standard error"
code 0 --quiet -- true
[ ! -s "$work/err" ] || problem "--quiet prints: $(cat "$work/err")"
code 0 --output - --format json --only rapl --sysfs-root "$tree" -- true
cp "$work/out" "$work/r.json"
figure 'r["schema_version"] == 1 and r["command"] == ["true"] and r["exit_code"] == 0'
figure 'r["totals"]["energy_j"] is None and r["wall_s"] > 0 and r["sources"] == []'
figure '[d["code"] for d in r["diagnostics"]] == ["no-meter"]'

# no meter: one line says what is missing and how to get it
code 0 "${root[@]}" -- true
[ "$(grep -c 'no meter: sudo modprobe intel_rapl_msr' "$work/err")" -eq 1 ] || problem "no hint: $(cat "$work/err")"

# 3 J for the package across a wrap (999 999 000 -> 2 999 000 uJ), 1 J for the memory; psys not added
zone 0 package-0 999999000
zone 0:0 dram 0
zone 1 psys 0
code 3 "${root[@]}" --format json --output "$work/r.json" --work samples=400 --work flops=8e12 -- sh -c "
    echo 2999000 >'$tree/class/powercap/intel-rapl:0/energy_uj'
    echo 1000000 >'$tree/class/powercap/intel-rapl:0:0/energy_uj'
    echo 9000000 >'$tree/class/powercap/intel-rapl:1/energy_uj'
    exit 3"
figure 'r["exit_code"] == 3'
figure 'abs(r["totals"]["energy_j"] - 4.0) < 1e-9'
figure '{s["name"]: round(s["energy_j"], 9) for s in r["sources"]} == {"package-0": 3.0, "package-0/dram": 1.0, "psys": 9.0}'
figure '{s["name"]: s["counted"] for s in r["sources"]} == {"package-0": True, "package-0/dram": True, "psys": False}'
figure 'all(s["kind"] == "rapl" for s in r["sources"])'
figure 'abs(r["totals"]["average_power_w"] * r["wall_s"] - 4.0) < 1e-9'
figure 'abs(r["work"]["samples_per_j"] - 100) < 1e-6 and abs(r["work"]["tflops_per_w"] - 2.0) < 1e-9'

# killed by a signal: still a report; SIGTERM to wattline reaches the command
code 143 --format json --output "$work/r.json" "${root[@]}" -- sh -c 'kill -TERM $$'
figure 'r["exit_code"] == 143 and r["runs"][0]["signal"] == 15'
"$WATTLINE" measure --format json --output "$work/r.json" "${root[@]}" -- sh -c \
    "trap 'exit 5' TERM; echo \$\$ >'$work/pid'; while :; do sleep 0.02; done" &
wattline=$!
for _ in $(seq 100); do [ -s "$work/pid" ] && break; sleep 0.05; done
kill -TERM "$wattline"
wait "$wattline"
[ $? -eq 5 ] || problem "a forwarded SIGTERM does not end with the command's code"
figure 'r["exit_code"] == 5'

# repeats: the median; a command that fails ends them
echo 0 >"$work/n"
repeat="n=\$(cat '$work/n'); echo \$((n + 1)) >'$work/n'
    e=\$(cat '$tree/class/powercap/intel-rapl:0/energy_uj')
    echo \$((e + 1000000 * (n + 1))) >'$tree/class/powercap/intel-rapl:0/energy_uj'"
zone 0 package-0 0
rm -r "$tree/class/powercap/intel-rapl:0:0" "$tree/class/powercap/intel-rapl:1"
code 0 "${root[@]}" --format json --output "$work/r.json" --warmup 1 --repeat 3 -- sh -c "$repeat"
figure 'r["repeats"] == 3 and [round(x["energy_j"], 6) for x in r["runs"]] == [2.0, 3.0, 4.0]'
figure 'abs(r["totals"]["energy_j"] - 3.0) < 1e-9 and abs(r["sources"][0]["spread"] - 2 / 3) < 1e-9'
code 4 "${root[@]}" --format json --output "$work/r.json" --repeat 5 -- sh -c 'exit 4'
figure 'r["repeats"] == 1 and "ended-early" in [d["code"] for d in r["diagnostics"]]'

# a vanishing meter
zone 0 package-0 0
code 0 "${root[@]}" --format json --output "$work/r.json" -- sh -c "rm -r '$tree/class/powercap/intel-rapl:0'; sleep 0.1"
figure '"meter-failed" in [d["code"] for d in r["diagnostics"]]'

# rails at a steady 10 W: idle, energy above idle, CSV, plot, a running process
rails="$tree/class/hwmon/hwmon1"
mkdir -p "$rails"
echo ina3221 >"$rails/name"; echo VDD_IN >"$rails/in1_label"; echo 5000 >"$rails/in1_input"; echo 2000 >"$rails/curr1_input"
code 0 "${root[@]}" --idle 0.1 --save
grep -q '"idle_w": 10' "$WATTLINE_HOST_DIR/idle.json" || problem "idle.json: $(cat "$WATTLINE_HOST_DIR/idle.json")"
# the ledger of device host takes them: static energy is 10 W x latency
host=$WATTLINE_HOST_DIR/cpu/host/spec.json
mkdir -p "$(dirname "$host")"
sed 's/"id": "raspberry_pi_5"/"id": "host"/; /"aliases"/d' "$WATTLINE_REGISTRY/cpu/raspberry_pi_5/spec.json" >"$host"
"$WATTLINE" analyze resnet18 --hw host --format json >"$work/r.json" || problem "analyze --hw host"
figure 'r["hardware"]["idle_w"] == 10 and r["hardware"]["idle_basis"] == "measured"'
figure 'abs(r["energy"]["static_j"] / r["totals"]["latency_s"] - 10) < 1e-9'
"$WATTLINE" analyze resnet18 --hw host | grep -q 'idle 10 W (measured)' || problem "idle watts are not named measured"
echo 3000 >"$rails/curr1_input"
code 0 "${root[@]}" --format json --output "$work/r.json" -- sleep 0.2
figure 'abs(r["sources"][0]["idle_power_w"] - 10) < 1e-6 and abs(r["totals"]["idle_power_w"] - 10) < 1e-6'
figure 'abs(r["totals"]["average_power_w"] - 15) < 0.1 and abs(r["totals"]["above_idle_j"] / r["wall_s"] - 5) < 0.1'
code 0 "${root[@]}" --format csv --output "$work/r.csv" --interval 10ms --repeat 2 -- sleep 0.1
python3 - "$work/r.csv" <<'PYTHON' || problem "csv"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
total = [r for r in rows if r["kind"] == "total"]
assert {r["run"] for r in rows} == {"1", "2"}
assert len(total) >= 12 and 2 * len(total) == len(rows), len(rows)
assert all(abs(float(r["power_w"]) - 15) < 1e-6 for r in total)
assert float(total[-1]["energy_j"]) > 1.3
PYTHON
code 0 "${root[@]}" --plot -- sleep 0.2
grep -q '█' "$work/err" || problem "--plot draws nothing"
sleep 0.3 &
code 0 "${root[@]}" --pid $! --format json --output "$work/r.json"
figure '0.05 < r["wall_s"] < 1 and abs(r["totals"]["average_power_w"] - 15) < 0.1'
code 0 "${root[@]}" --seconds 100ms --format json --output "$work/r.json"
figure 'abs(r["wall_s"] - 0.1) < 0.05 and r["command"] == []'

# 100 columns at most
code 0 "${root[@]}" --work samples=10 -- sh -c ': a long command line that does not fit into one line of the report at all, not at all'
LC_ALL=C.UTF-8 awk 'length($0) > 100' "$work/err" | grep -q . && problem "lines over 100 columns: $(cat "$work/err")"

# sources
code 0 "${root[@]}" --sources
grep -q 'VDD_IN' "$work/out" && grep -q 'no battery' "$work/out" || problem "--sources: $(cat "$work/out")"
code 0 "${root[@]}" --sources --format json
cp "$work/out" "$work/r.json"
figure '[s["name"] for s in r["sources"]] == ["VDD_IN"] and {a["kind"] for a in r["absent"]} >= {"rapl", "battery"}'

# NVML: a stand-in of two GPUs at 300 W in all
fake="$WL_BUILD_DIR/tests/fake"
if [ -e "$fake/libnvidia-ml.so.1" ]; then
    LD_LIBRARY_PATH="$fake" WL_FAKE_NVML=gpus=2,watts=150 timeout 20 "$WATTLINE" measure --only nvml \
        --format json --output "$work/r.json" -- sleep 0.3
    figure 'abs(r["totals"]["average_power_w"] - 300) < 5 and len(r["sources"]) == 2'
    figure 'r["sources"][0]["utilization"] == 0.75 and r["sources"][1]["temperature_c"] == 62'
fi

# the prediction beside it: 16 samples in batches of 8 are two inferences
code 0 "${root[@]}" --model resnet18 --hw intel_xeon_8490h --batch 8 --work samples=16 --format json \
    --output "$work/r.json" -- sleep 0.1
figure 'r["prediction"]["inferences"] == 2 and r["prediction"]["batch"] == 8'
figure 'abs(r["prediction"]["wall_s"] - 2 * r["prediction"]["latency_s"]) < 1e-12'
figure 'abs(r["prediction"]["energy_ratio"] * r["prediction"]["energy_j"] / r["totals"]["energy_j"] - 1) < 1e-9'
finish
