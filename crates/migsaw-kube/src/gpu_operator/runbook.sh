#!/bin/sh
# Takes the steps of a rollout, wave by wave, and stops at the first command that fails.
# The ConfigMap with the configurations must be in place: kubectl apply -f mig-config.yaml
set -eu

cordoned=
reserved=
stopped() {
  [ -z "$cordoned" ] || echo "stopped; still cordoned: $cordoned" >&2
  [ -z "$reserved" ] || echo "to take the taints away: kubectl taint node $reserved migsaw.io/rollout-" >&2
}
trap stopped EXIT
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)

# A disruption budget refuses until the pods that replace those evicted before are ready, so it tries for 10 minutes.
evict() {
  tries=60
  until said=$(printf '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"%s","namespace":"%s"}}' "$2" "$1" |
    kubectl create --raw "/api/v1/namespaces/$1/pods/$2/eviction" -f - 2>&1); do
    echo "$1/$2: $said" >&2
    case $said in *TooManyRequests*) ;; *) return 1 ;; esac
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 10
  done
}

gone() {
  kubectl wait pod "$2" --namespace "$1" --for=delete --timeout=10m
}

# Pods that hold slices of a node and came there since this began: what replaced pods of other nodes, for instance.
newcomers() {
  kubectl get pods -A --field-selector "spec.nodeName=$1,status.phase!=Succeeded,status.phase!=Failed" -o go-template='{{range .items}}{{.metadata.namespace}} {{.metadata.name}} {{.metadata.creationTimestamp}}{{range .spec.containers}}{{range $name, $n := .resources.limits}} {{$name}}{{end}}{{end}}{{"\n"}}{{end}}' |
    awk -v since="$since" '$3 >= since && / nvidia\.com\/(mig-|gpu)/ {print $1, $2}'
}

# Evicts the newcomers, who would keep the node from being cut.
empty() {
  newcomers "$1" | while read -r namespace pod; do
    evict "$namespace" "$pod"
    gone "$namespace" "$pod"
  done
}

by_hand() {
  printf '%s: evict it by hand, then press Enter ' "$1"
  read -r _
}

# Tells MIG Manager what to make of a node. The state goes first: that of the last change would be taken for this one's.
cut() {
  kubectl label node "$1" nvidia.com/mig.config.state-
  kubectl label --overwrite node "$1" "nvidia.com/mig.config=$2"
}

is_cut() {
  kubectl wait node "$1" --timeout=15m --for=jsonpath='{.metadata.labels.nvidia\.com/mig\.config\.state}'=success
}
