#!/bin/bash
# run.sh [--core] [TEST…]: the Gateway API's own conformance suite against this Sluice and a real Envoy (npm run
# test:conformance). Everything runs in a network of its own, where pods have real addresses and nothing outside is reached.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/../.." && pwd)
export PATH="$root/node_modules/.bin:$PATH"
skip() { echo "test:conformance: skipped: $1" >&2; exit 0; }
for tool in curl openssl ip unshare flock; do command -v $tool >/dev/null || skip "$tool is not installed"; done
[ "$(id -u)" = 0 ] || skip 'only root can make a network for each pod'
unshare --net true 2>/dev/null || skip 'no network namespace may be made here (unshare --net)'
echo 'test:conformance: building the test cluster and the suite, unless they are built (the first time takes some minutes) …' >&2
SLUICE_KUBE_PROGRAM=${SLUICE_KUBE_PROGRAM:-$("$here/../kube/cluster/build.sh")} || skip 'the test cluster cannot be built: see above'
SUITE=$("$here/build.sh") || skip 'the suite cannot be built: see above'
SLUICE_ENVOY=$(node "$here/../kube/kit/find-envoy.ts") || skip 'no Envoy can be found or fetched: see above'
SLUICE_GATEWAY_CRDS=$("$here/crds.sh") || skip 'the definitions of the Gateway API cannot be fetched: see above'
export SLUICE_KUBE_PROGRAM SUITE SLUICE_ENVOY SLUICE_GATEWAY_CRDS
cd "$root"
exec unshare --net node "$here/main.ts" "$@"
