#!/bin/bash
# up.sh FOLDER: starts etcd, kube-apiserver and the controllers on 127.0.0.1 and prints the path of an admin's kubeconfig.
# Everything they write goes into FOLDER; down.sh FOLDER ends them. A folder that was stopped can be started again.
#
#   KUBE_PROGRAM  what build.sh prints (default: it is asked)
#   KUBE_PORT     the API server's port (default 16443)
#   KUBE_ETCD     etcd's port; the next one is taken as well (default 12379)
#   KUBE_DNS      also starts CoreDNS on this port; the next one says whether it is ready
#   KUBE_FLAGS    more flags for the API server
set -euo pipefail
run=$(realpath -m "${1:?usage: up.sh FOLDER}")
program=${KUBE_PROGRAM:-$("$(dirname "$0")/build.sh")}
port=${KUBE_PORT:-16443}; etcd=${KUBE_ETCD:-12379}; dns=${KUBE_DNS:-}
mkdir -p "$run/certs"; cd "$run"
for name in etcd apiserver controllers coredns; do
  if [ -s $name.pid ] && kill -0 "$(cat $name.pid)" 2>/dev/null; then
    echo "$name is still running there; call down.sh $run first" >&2; exit 1
  fi
done

# start NAME COMMAND…: in the background, with its output in NAME.log and its process in NAME.pid.
start() { local name=$1; shift; "$@" >>"$run/$name.log" 2>&1 </dev/null 9>&- & echo $! >"$run/$name.pid"; }
# until_ready NAME TEST…: waits for the test to succeed, or gives up when the program has ended.
until_ready() {
  local name=$1; shift
  until "$@" >/dev/null 2>&1; do
    kill -0 "$(cat "$name.pid")" 2>/dev/null || { echo "$name ended:" >&2; tail -n 5 "$name.log" >&2; exit 1; }
    sleep 0.05
  done
}
api() { curl --silent --fail --max-time 2 --cacert certs/apiserver.crt -H 'Authorization: Bearer admin-token' "$@"; }
kubeconfig() { # FILE USER TOKEN
  cat >"$1" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:$port", certificate-authority: $run/certs/apiserver.crt}}]
users: [{name: $2, user: {token: $3}}]
contexts: [{name: test, context: {cluster: test, user: $2}}]
current-context: test
YAML
}

if [ ! -s tokens.csv ]; then
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out sa.key 2>/dev/null
  openssl ec -in sa.key -pubout -out sa.pub 2>/dev/null
  # token,user,uid,groups: `app` has no rights until a test gives it some, and a second token to change to.
  cat >tokens.csv <<CSV
admin-token,admin,admin-uid,system:masters
controllers-token,system:kube-controller-manager,controllers-uid,system:masters
app-token-1,app,app-uid
app-token-2,app,app-uid
CSV
fi
kubeconfig admin.kubeconfig admin admin-token
kubeconfig controllers.kubeconfig controllers controllers-token
kubeconfig app.kubeconfig app app-token-1

start etcd "$program" etcd --name=test --data-dir="$run/etcd" --unsafe-no-fsync --logger=zap --log-level=error \
  --listen-client-urls="http://127.0.0.1:$etcd" --advertise-client-urls="http://127.0.0.1:$etcd" \
  --listen-peer-urls="http://127.0.0.1:$((etcd+1))" --initial-advertise-peer-urls="http://127.0.0.1:$((etcd+1))" \
  --initial-cluster="test=http://127.0.0.1:$((etcd+1))"
# A file of its own, so that a test can end the API server and start it again in the same way. With `exec`, its
# process is the one that is noted down.
cat >apiserver.sh <<SH
exec "$program" apiserver --etcd-servers=http://127.0.0.1:$etcd --bind-address=127.0.0.1 --secure-port=$port \\
  --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --cert-dir="$run/certs" \\
  --token-auth-file="$run/tokens.csv" --authorization-mode=RBAC --service-account-issuer=https://kubernetes.default.svc \\
  --service-account-key-file="$run/sa.pub" --service-account-signing-key-file="$run/sa.key" \\
  --service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/108 --allow-privileged=true --shutdown-watch-termination-grace-period=1s \\
  --profiling=false --v=0 ${KUBE_FLAGS:-}
SH
start apiserver bash apiserver.sh
until_ready apiserver api "https://127.0.0.1:$port/readyz"
echo "exec \"$program\" controllers --kubeconfig=\"$run/controllers.kubeconfig\"" >controllers.sh
: >controllers.log; start controllers bash controllers.sh
until_ready controllers grep -q '^controllers ready' controllers.log
# Pods count only when the node they name exists.
for node in a b; do
  api --output /dev/null -H 'Content-Type: application/json' "https://127.0.0.1:$port/api/v1/nodes" -d "{\"apiVersion\":\"v1\",
    \"kind\":\"Node\",\"metadata\":{\"name\":\"node-$node\",\"labels\":{\"topology.kubernetes.io/zone\":\"zone-$node\"}}}" || true
done
if [ -n "$dns" ]; then
  cat >Corefile <<CONF
cluster.local:$dns 96.10.in-addr.arpa:$dns {
  bind 127.0.0.1
  errors
  ready 127.0.0.1:$((dns+1))
  kubernetes cluster.local 10.96.0.0/16 {
    kubeconfig $run/controllers.kubeconfig test
    pods insecure
    ttl 1
  }
  loadbalance
}
CONF
  start coredns "$program" coredns -conf Corefile
  until_ready coredns curl --silent --fail --max-time 1 "http://127.0.0.1:$((dns+1))/ready"
fi
echo "$run/admin.kubeconfig"
