#!/bin/bash
# gomod.sh: writes go.mod and go.sum anew, for other versions: KUBERNETES=1.35.4 ETCD=3.6.5 COREDNS=1.14.4 ./gomod.sh
# Kubernetes as a module needs each of its own parts replaced by their versions, which are v0 of the same number.
set -euo pipefail
cd "$(dirname "$0")"
kubernetes=${KUBERNETES:-1.35.4} etcd=${ETCD:-3.6.5} coredns=${COREDNS:-1.14.4} go=${GO:-1.25}
parts='api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap
  code-generator component-base component-helpers controller-manager cri-api cri-client csi-translation-lib
  dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy
  kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission sample-apiserver sample-cli-plugin
  sample-controller'
{
  printf 'module sluice-kube-cluster\n\ngo %s.0\n\ngodebug default=go%s\n\n' "$go" "$go"
  printf 'require (\n\tgithub.com/coredns/coredns v%s\n\tgo.etcd.io/etcd/server/v3 v%s\n\tk8s.io/kubernetes v%s\n)\n\n' \
    "$coredns" "$etcd" "$kubernetes"
  echo 'replace ('
  for part in $parts; do printf '\tk8s.io/%s => k8s.io/%s v0.%s\n' "$part" "$part" "${kubernetes#*.}"; done
  echo ')'
} >go.mod
# Finds everything that is needed by building it, with the flags of build.sh so that nothing is compiled twice.
CGO_ENABLED=0 go build -mod=mod -trimpath -o /dev/null .
