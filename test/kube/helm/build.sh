#!/bin/bash
# build.sh: builds Helm unless it is built, and prints where it is. The first time takes two minutes of CPU.
# Its go.mod and go.sum pin what goes into it, and decide the folder.
set -euo pipefail
cd "$(dirname "$0")/program"
command -v go >/dev/null || { echo 'Go is needed to build Helm: https://go.dev/dl/' >&2; exit 3; }
hash=$( { cat go.mod go.sum; go env GOVERSION GOOS GOARCH; } | sha256sum | cut -c1-16)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/sluice/helm-$hash"; program="$folder/helm"
mkdir -p "$folder"
exec 9>"$folder/lock"; flock 9
if [ ! -x "$program" ]; then
  CGO_ENABLED=0 nice -n 10 go build -mod=readonly -trimpath -ldflags='-s -w' -o "$program.part" helm.sh/helm/v3/cmd/helm >&2
  mv "$program.part" "$program"
fi
echo "$program"
