#!/bin/bash
# run.sh ARGUMENTS: Envoy with these arguments, as a container's main process. `docker stop` lets it finish: it takes no new
# connections, and ends when no request is running or waiting, or when Docker's patience (stop_grace_period) is over.
set -u
admin=${ENVOY_ADMIN_SCRIPT:-/etc/envoy/envoy-admin.sh}
envoy "$@" &
pid=$!
stop() {
  trap '' TERM INT
  bash "$admin" drain
  kill -TERM "$pid" 2>/dev/null
}
trap stop TERM INT
# A signal ends `wait`, not Envoy.
while kill -0 "$pid" 2>/dev/null; do wait "$pid"; code=$?; done
exit "${code:-0}"
