#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# measure --prometheus: scraped over HTTP and from a file, read by the parser of Prometheus' own client
# library; ports in use, forbidden ports, IPv6.
. "${WL_SOURCE_DIR:?is set by ctest}/tests/cli/lib.sh.inc" || exit 1
problem() {
    echo "FAIL $*"
    failures=$((failures + 1))
}
rails="$work/sys/class/hwmon/hwmon1"
mkdir -p "$rails"
echo ina3221 >"$rails/name"; echo VDD_IN >"$rails/in1_label"; echo 5000 >"$rails/in1_input"; echo 2000 >"$rails/curr1_input"
root=(--sysfs-root "$work/sys" --only rapl,hwmon)

# check FILE: parses, and finds 10 W and their joules. 77 where the parser is not installed.
cat >"$work/check.py" <<'PYTHON'
import sys
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    from prometheus_client.parser import text_string_to_metric_families as classic
except ImportError:
    sys.exit(77)
text = open(sys.argv[1]).read()
families = {f.name: f for f in text_string_to_metric_families(text)}
assert families["wattline_energy_joules"].type == "counter"
assert families["wattline_power_watts"].unit == "watts"
[power] = families["wattline_power_watts"].samples
assert power.labels == {"source": "hwmon", "device": "VDD_IN", "in_total": "true"}, power
assert abs(power.value - 10) < 1e-6, power
[energy] = families["wattline_energy_joules"].samples
assert energy.name == "wattline_energy_joules_total" and 0 < energy.value < 1000, energy
# collectors that know only the older text format find the same samples
assert "wattline_energy_joules_total" in {s.name for f in classic(text) for s in f.samples}
PYTHON
check() {
    /usr/bin/python3 "$work/check.py" "$1" 2>"$work/parse"
    case $? in
    0) ;;
    77) skipped=1 ;;
    *) problem "$2: $(tail -n 1 "$work/parse")" ;;
    esac
}
skipped=0

# a file, kept fresh while the command runs and complete at its end
timeout 20 "$WATTLINE" measure "${root[@]}" --quiet --prometheus "$work/metrics.prom" -- sleep 0.2 || problem "file: exit $?"
check "$work/metrics.prom" "file"
timeout 20 "$WATTLINE" measure "${root[@]}" --prometheus "$work/no/such/metrics.prom" -- true 2>/dev/null
[ $? -eq 125 ] || problem "a file that cannot be written"

fetch() { # url file
    /usr/bin/python3 -c 'import sys, urllib.request
r = urllib.request.urlopen(sys.argv[1], timeout=10)
open(sys.argv[2], "wb").write(r.read())
sys.exit(0 if r.headers["Content-Type"].startswith("application/openmetrics-text") else 1)' "$1" "$2" 2>/dev/null
}

# serve ADDRESS: starts the exporter on a free port; sets $server and $port
serve() {
    "$WATTLINE" measure "${root[@]}" --interval 20ms --seconds 30 --prometheus "$1" 2>"$work/serve" &
    server=$!
    port=
    for _ in $(seq 100); do
        port=$(sed -n 's/.*on port \([0-9]*\)$/\1/p' "$work/serve")
        [ -n "$port" ] && break
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
}

serve 0
if grep -q 'built without libmicrohttpd' "$work/serve"; then
    echo "built without libmicrohttpd"
    [ "$failures" -eq 0 ] && exit 77
fi
sleep 0.3
fetch "http://127.0.0.1:$port/metrics" "$work/scraped" || problem "no answer with the right type: $(cat "$work/serve")"
check "$work/scraped" "http"
fetch "http://127.0.0.1:$port/" "$work/scraped" && problem "/ is not 404"
timeout 20 "$WATTLINE" measure "${root[@]}" --prometheus "$port" -- true 2>"$work/err"
[ $? -eq 125 ] && grep -q 'another program listens' "$work/err" || problem "port in use: $(cat "$work/err")"
kill -TERM "$server"
wait "$server" || problem "the exporter does not end well: exit $?"
grep -q 'energy' "$work/serve" || problem "no report at its end"

timeout 20 "$WATTLINE" measure "${root[@]}" --prometheus 192.0.2.1:0 -- true 2>"$work/err"
[ $? -eq 125 ] && grep -q 'no such address' "$work/err" || problem "foreign address: $(cat "$work/err")"
timeout 20 "$WATTLINE" measure "${root[@]}" --prometheus 70000 -- true 2>"$work/err"
[ $? -eq 125 ] || problem "port 70000"
if [ "$(id -u)" -ne 0 ] && [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 80 ]; then
    timeout 20 "$WATTLINE" measure "${root[@]}" --prometheus 80 -- true 2>"$work/err"
    [ $? -eq 125 ] && grep -q 'for root' "$work/err" || problem "port 80: $(cat "$work/err")"
fi
if /usr/bin/python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null; then
    serve '[::1]:0'
    sleep 0.2
    fetch "http://[::1]:$port/metrics" "$work/scraped" || problem "IPv6: $(cat "$work/serve")"
    kill -TERM "$server"
    wait "$server"
fi
[ "$skipped" -eq 0 ] || echo "python3-prometheus-client is not installed: texts were not parsed"
finish
