#!/bin/bash
# Asks the admin of the Envoy in this pod. With bash alone, because Envoy's image has no curl.
#
#   envoy-admin.sh alive    succeeds when Envoy's main thread answers
#   envoy-admin.sh ready    succeeds when Envoy takes requests and is not draining
#   envoy-admin.sh drain    takes no new connections, and returns when no request is running or waiting
#   envoy-admin.sh gone     returns when Envoy has ended
set -u -o pipefail
# Without so many answers in a row Envoy is taken to have ended.
MOST_MISSED=${ENVOY_ADMIN_TRIES:-5}
# So many seconds of a drain new connections are still taken: nodes and load balancers have to learn that this Envoy takes no more.
NOTICE=${ENVOY_ADMIN_NOTICE:-0}
ADMIN=/dev/tcp/${ENVOY_ADMIN_HOST:-127.0.0.1}/${ENVOY_ADMIN_PORT:-9901}

# ask METHOD PATH: prints the answer; fails when nobody takes the question.
ask() {
  { printf '%s %s HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n' "$1" "$2" >&3 &&
    timeout 5 cat <&3; } 2>/dev/null 3<>"$ADMIN"
}

# insist METHOD PATH: asks until it is done, or Envoy seems to have ended.
insist() {
  local try
  for ((try = 0; try < MOST_MISSED; try++)); do
    [[ $(ask "$1" "$2") == 'HTTP/1.1 200'* ]] && return
    sleep 1
  done
}

# succeeds PATH: whether the answer's status is 200.
succeeds() {
  local answer
  answer=$(ask GET "$1") && [[ $answer == 'HTTP/1.1 200'* ]]
}

# Whether Envoy has more than the listener of the queue filter, which comes before those for clients.
listens() {
  local answer names
  answer=$(ask GET /listeners) && [[ $answer == 'HTTP/1.1 200'* ]] || return 1
  names=$(tr -d '\r' <<<"$answer" | sed -n 's/^\(.*\)::.*$/\1/p')
  [[ $names != sluice.control ]]
}

# Requests from clients, waiting ones included: all listeners for clients count as `public`. Fails when Envoy does not answer: a connection that is closed is no answer.
requests() {
  local answer
  answer=$(ask GET '/stats?filter=^http\.public\.downstream_rq_active$') && [[ $answer == 'HTTP/1.1 200'* ]] || return 1
  tr -d '\r' <<<"$answer" | sed -n 's/^http\.public\.downstream_rq_active: //p'
}

case ${1-} in
  alive) succeeds /server_info ;;
  ready) succeeds /ready && listens ;;
  drain)
    # From now on every answer tells its client not to use the connection again,
    insist POST /healthcheck/fail
    sleep "$NOTICE"
    # and no new connection is taken. The line's way to the pods, which is inside Envoy, stays open.
    insist POST /drain_listeners
    quiet=0
    missed=0
    while ((quiet < 2)); do
      sleep 1
      # An answer may be missed while Envoy is busy; one that has ended gives none any more.
      if ! running=$(requests); then
        ((++missed < MOST_MISSED)) && continue
        echo "Envoy's admin at $ADMIN has not answered $missed times in a row: taken to have ended" >&2
        exit 0
      fi
      missed=0
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
