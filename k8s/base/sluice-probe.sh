#!/bin/bash
# sluice-probe.sh PATH [FILE]: succeeds when Sluice's admin in this pod answers PATH with 200. It runs in the container, as the
# admin listens on the pod's loopback only, where no probe of the kubelet's own gets to. With FILE it succeeds for good once it
# has: Envoy goes on without Sluice, so one that is started again does not take the pod out of the traffic.
set -u -o pipefail
[[ -z ${2-} || ! -e $2 ]] || exit 0
exec 3<>"/dev/tcp/127.0.0.1/${SLUICE_ADMIN_PORT:-18001}" || exit 1
printf 'GET %s HTTP/1.1\r\nhost: sluice\r\nconnection: close\r\n\r\n' "${1?usage: $0 PATH}" >&3
answer=$(timeout 5 cat <&3) || exit 1
echo "${answer#*$'\r\n\r\n'}"      # its body: the kubelet shows it in the pod's events when the probe fails
[[ $answer == 'HTTP/1.1 200'* ]] || exit 1
[[ -z ${2-} ]] || : >"$2"
