#!/bin/bash
# crds.sh: prints the folder with the Gateway API's definitions (standard channel), of the version that the suite has.
set -euo pipefail
cd "$(dirname "$0")/suite"
command -v go >/dev/null || { echo 'Go is needed to fetch the Gateway API: https://go.dev/dl/' >&2; exit 3; }
version=$(sed -n 's|^\tsigs.k8s.io/gateway-api v\([^ ]*\).*|\1|p' go.mod)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/sluice/gateway-api-$version"
if [ ! -d "$folder" ]; then
  part=$(mktemp -d "$folder.XXXXXX"); trap 'rm -rf "$part"' EXIT
  module=$(GOTOOLCHAIN=local go mod download -json "sigs.k8s.io/gateway-api@v$version" | sed -n 's|.*"Dir": "\(.*\)".*|\1|p')
  cp "$module"/config/crd/standard/gateway*_*.yaml "$part/"
  chmod -R u+w "$part"
  # Policies for whoever installs the definitions by hand.
  rm -f "$part"/*_vap_*
  mv -T "$part" "$folder" 2>/dev/null || [ -d "$folder" ]
fi
echo "$folder"
