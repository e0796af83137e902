# SPDX-License-Identifier: Apache-2.0
# `wattline hw detect` from the outside: the host's spec lands in the host directory, passes the
# check and works as --hw host. No figure is asserted: the machine may be busy, the build slow.
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh.inc
. "$here/lib.sh.inc"
export WATTLINE_HOST_DIR="$work/deep/er/host"
spec=$WATTLINE_HOST_DIR/cpu/host/spec.json

expect 2 '*run: wattline hw detect*' analyze resnet18 --hw host
expect 1 '*cannot be created*' hw detect --quick --output /dev/null/spec.json
timeout 120 "$WATTLINE" hw detect --quick >"$work/out" 2>"$work/err" </dev/null
code=$?
if [ "$code" -eq 3 ] && grep -q 'no measuring kernels' "$work/err"; then
    echo "no kernels for this architecture"
    exit 77
fi
[ "$code" -eq 0 ] || { echo "FAIL hw detect: exit $code: $(cat "$work/err")"; exit 1; }
[ -s "$work/err" ] && { echo "FAIL hw detect writes to stderr: $(cat "$work/err")"; exit 1; }
grep -q "wrote $spec" "$work/out" || { echo "FAIL hw detect does not name its file"; exit 1; }
expect 0 - hw check "$spec"
expect 0 - hw show host
expect 0 - analyze resnet18 --hw host
expect 0 - analyze resnet18 --hw host --threads 1 --format json
"$WATTLINE" hw list --class cpu | grep -q '^host ' || { echo "FAIL hw list lacks host"; exit 1; }
chmod 555 "$WATTLINE_HOST_DIR/cpu/host"
[ "$(id -u)" -eq 0 ] || expect 1 '*' hw detect --quick
chmod 755 "$WATTLINE_HOST_DIR/cpu/host"
finish
