#!/bin/bash
# build.sh: builds the test cluster unless it is built, and prints where the program is.
# What went into it decides the folder, so a changed go.mod, go.sum, main.go or Go is another program and an old one
# is never taken for it. The first time takes four to six minutes of CPU and fetches 87 MB of Go modules.
set -euo pipefail
cd "$(dirname "$0")/program"
command -v go >/dev/null || { echo 'Go is needed to build the test cluster: https://go.dev/dl/' >&2; exit 3; }
hash=$( { cat go.mod go.sum main.go; go env GOVERSION GOOS GOARCH; } | sha256sum | cut -c1-16)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kube-$hash"; program="$folder/kube-cluster"
[ "${1:-}" = --where ] && { echo "$program"; exit 0; }
mkdir -p "$folder"
# Two test runs at once must not build twice, and nobody must ever run half a program.
exec 9>"$folder/lock"; flock 9
if [ ! -x "$program" ]; then
  version=$(sed -n 's|^\tk8s.io/kubernetes v\(.*\)$|\1|p' go.mod); minor=${version#*.}
  CGO_ENABLED=0 nice -n 10 go build -mod=readonly -trimpath -o "$program.part" -ldflags="-s -w \
    -X k8s.io/component-base/version.gitVersion=v$version \
    -X k8s.io/component-base/version.gitMajor=${version%%.*} \
    -X k8s.io/component-base/version.gitMinor=${minor%%.*}" . >&2
  mv "$program.part" "$program"
fi
echo "$program"
