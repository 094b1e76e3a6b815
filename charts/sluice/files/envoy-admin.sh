#!/bin/bash
# Asks the admin of the Envoy in this pod. With bash alone, because Envoy's image has no curl.
#
#   envoy-admin.sh alive    succeeds when Envoy's main thread answers
#   envoy-admin.sh ready    succeeds when Envoy has its first whole configuration and is not draining
#   envoy-admin.sh drain    takes no new connections, and returns when no request is running or waiting
#   envoy-admin.sh gone     returns when Envoy has ended
set -u -o pipefail
ADMIN=/dev/tcp/${ENVOY_ADMIN_HOST:-127.0.0.1}/${ENVOY_ADMIN_PORT:-9901}

# ask METHOD PATH: prints the answer; fails when nobody takes the question.
ask() {
  { printf '%s %s HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n' "$1" "$2" >&3 &&
    timeout 5 cat <&3; } 2>/dev/null 3<>"$ADMIN"
}

# succeeds PATH: whether the answer's status is 200.
succeeds() {
  local answer
  answer=$(ask GET "$1") && [[ $answer == 'HTTP/1.1 200'* ]]
}

# Requests from clients, waiting ones included. Prints nothing when Envoy does not answer.
requests() {
  ask GET '/stats?filter=^http\.public\.downstream_rq_active$' | tr -d '\r' | sed -n 's/^http\.public\.downstream_rq_active: //p'
}

case ${1-} in
  alive) succeeds /server_info ;;
  ready) succeeds /ready ;;
  drain)
    # From now on every answer tells its client not to use the connection again,
    ask POST /healthcheck/fail >/dev/null
    # and no new connection is taken. The line's way to the pods, which is inside Envoy, stays open.
    ask POST /drain_listeners >/dev/null
    quiet=0
    while ((quiet < 2)); do
      sleep 1
      running=$(requests) || exit 0
      # No such number yet: Envoy has never been told to listen.
      if [[ ${running:-0} == 0 ]]; then ((quiet += 1)); else quiet=0; fi
    done
    ;;
  gone) while succeeds /server_info; do sleep 1; done ;;
  *)
    echo "usage: $0 alive|ready|drain|gone" >&2
    exit 2
    ;;
esac
