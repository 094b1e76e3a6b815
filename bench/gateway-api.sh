#!/bin/bash
# gateway-api.sh [ROUTES]: the benchmark of gateway-api.ts in a network of its own, with a real API server and a real Envoy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/.." && pwd)
export PATH="$root/node_modules/.bin:$PATH"
SLUICE_KUBE_PROGRAM=${SLUICE_KUBE_PROGRAM:-$("$root/test/kube/cluster/build.sh")}
SLUICE_GATEWAY_CRDS=$("$root/test/conformance/crds.sh")
SLUICE_ENVOY=$(node "$root/test/kube/kit/find-envoy.ts")
export SLUICE_KUBE_PROGRAM SLUICE_GATEWAY_CRDS SLUICE_ENVOY
share=(unshare --net); [ "$(id -u)" = 0 ] || share=(unshare --map-root-user --net)
exec "${share[@]}" bash -c 'ip link set lo up && ip address add 10.244.0.1/16 dev lo && exec node "$0" "$@"' "$here/gateway-api.ts" "$@"
