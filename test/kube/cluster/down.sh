#!/bin/bash
# down.sh FOLDER: ends what up.sh FOLDER started, also what a test has frozen. The folder stays.
run=${1:?usage: down.sh FOLDER}
for name in coredns controllers apiserver etcd; do
  [ -s "$run/$name.pid" ] || continue
  pid=$(cat "$run/$name.pid"); rm -f "$run/$name.pid"
  kill -CONT "$pid" 2>/dev/null && kill "$pid" 2>/dev/null
  for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -9 "$pid" 2>/dev/null
done
exit 0
