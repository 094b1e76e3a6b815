#!/bin/bash
# build.sh: builds the conformance suite, the list of its tests and its echo server unless they are built, and prints in
# which folder they are. What goes in decides the folder, so a changed version is never taken for another one.
# The first time takes about five minutes of CPU and fetches Go modules.
set -euo pipefail
cd "$(dirname "$0")/suite"
command -v go >/dev/null || { echo 'Go is needed to build the conformance suite: https://go.dev/dl/' >&2; exit 3; }
hash=$( { cat ../build.sh go.mod go.sum run/*.go list/*.go; go env GOVERSION GOOS GOARCH; } | sha256sum | cut -c1-16)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/sluice/conformance-$hash"
mkdir -p "$folder"
# Two runs at once must not build twice, and nobody must ever run half a program.
exec 9>"$folder/lock"; flock 9
if [ ! -e "$folder/done" ]; then
  copy=$(mktemp -d); trap 'rm -rf "$copy"' EXIT
  cp -R . "$copy"; cd "$copy"
  # The modules' own go.mod may name more than the suite uses: let Go fill in its sums, in the copy.
  export GOFLAGS=-mod=mod GOTOOLCHAIN=local
  nice -n 10 go test -c -o "$folder/conformance.test" ./run >&2
  nice -n 10 go test -c -o "$folder/list.test" ./list >&2
  nice -n 10 go build -o "$folder/echo-basic" sigs.k8s.io/gateway-api/conformance/echo-basic >&2
  LIST="$folder/tests.json" "$folder/list.test" >/dev/null
  touch "$folder/done"
fi
echo "$folder"
