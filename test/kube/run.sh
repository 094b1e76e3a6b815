#!/bin/bash
# run.sh VITEST-ARGUMENTS…: the tests with a real API server (npm run test:kube).
# They run in a network of their own, where pods can have real pod addresses (10.244.0.0/16) and listen on them, and
# where nothing outside is reached. What is missing for that is said, and the tests are skipped by name.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/../.." && pwd)
export PATH="$root/node_modules/.bin:$PATH"
skip() { echo "test:kube: skipped: $1" >&2; export SLUICE_KUBE_SKIP="$1"; unset SLUICE_KUBE_PROGRAM; cd "$root"; exec vitest run --reporter=verbose --config "$here/vitest.config.ts" "${@:2}"; }

for tool in curl openssl ip unshare flock; do command -v $tool >/dev/null || skip "$tool is not installed" "$@"; done
share=(unshare --net); [ "$(id -u)" = 0 ] || share=(unshare --map-root-user --net)
"${share[@]}" true 2>/dev/null || skip 'no network namespace may be made here (unshare --net)' "$@"
echo 'test:kube: building the test cluster, unless it is built (the first time takes some minutes) …' >&2
program=${SLUICE_KUBE_PROGRAM:-$("$here/cluster/build.sh")} || skip 'the test cluster cannot be built: see above' "$@"
envoy=$(node "$here/kit/find-envoy.ts") || skip 'no Envoy can be found or fetched: see above' "$@"
helm=${SLUICE_KUBE_HELM:-$("$here/helm/build.sh")} || helm=
crds=$("$here/../conformance/crds.sh") || skip 'the definitions of the Gateway API cannot be fetched: see above' "$@"
export SLUICE_KUBE_HELM="$helm" SLUICE_KUBE_PROGRAM="$program" SLUICE_ENVOY="$envoy" SLUICE_GATEWAY_CRDS="$crds"; unset SLUICE_KUBE_SKIP
cd "$root"
# Without IPv6 in the kernel the tests of it fail, the others do not.
exec "${share[@]}" bash -c 'ip link set lo up && ip address add 10.244.0.1/16 dev lo
  ip -6 route add local fd00:10:244::/64 dev lo && echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
  exec vitest run --config "$0" "$@"' "$here/vitest.config.ts" "$@"
