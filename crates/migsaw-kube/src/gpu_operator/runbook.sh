#!/bin/sh
# Takes the steps of a rollout, wave by wave, and stops at the first command that fails.
# The ConfigMap with the configurations must be in place: kubectl apply -f mig-config.yaml
set -eu

cordoned=
reserved=
leaving=
stopped() {
  [ -z "$cordoned" ] || echo "stopped; still cordoned: $cordoned" >&2
  [ -z "$reserved" ] || echo "to take the taints away: kubectl taint node $reserved migsaw.io/rollout-" >&2
}
trap stopped EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)

# Which of the pods that have had this name it is; nothing if there is none.
uid() {
  kubectl get pod "$2" --namespace "$1" --ignore-not-found -o 'jsonpath={.metadata.uid}'
}

# Evicts a pod, if it is there. A disruption budget refuses until the pods that replace those evicted before are ready,
# so it tries for 10 minutes.
evict() {
  uid=$(uid "$1" "$2")
  [ -n "$uid" ] || return 0
  leaving="$leaving $1/$2/$uid"
  tries=60
  until said=$(printf '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"%s","namespace":"%s"},"deleteOptions":{"preconditions":{"uid":"%s"}}}' "$2" "$1" "$uid" |
    kubectl create --raw "/api/v1/namespaces/$1/pods/$2/eviction" -f - 2>&1); do
    case $said in *NotFound* | *"not found"* | *Conflict*) return 0 ;; esac
    echo "$1/$2: $said" >&2
    case $said in *TooManyRequests*) ;; *) return 1 ;; esac
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 10
  done
}

# Waits until the pods that were evicted are gone, whoever has their names by then.
gone() {
  tries=300
  for pod in $leaving; do
    name=${pod#*/}
    while [ "$(uid "${pod%%/*}" "${name%/*}")" = "${pod##*/}" ]; do
      tries=$((tries - 1))
      [ "$tries" -gt 0 ] || { echo "${pod%/*} does not end" >&2; return 1; }
      sleep 2
    done
  done
  leaving=
}

# Pods that hold slices of a node and came there since this began, with what controls them: what replaced pods of other
# nodes, for instance.
newcomers() {
  kubectl get pods -A --field-selector "spec.nodeName=$1,status.phase!=Succeeded,status.phase!=Failed" -o go-template='{{range .items}}{{.metadata.namespace}}/{{.metadata.name}} {{.metadata.creationTimestamp}} {{with .metadata.ownerReferences}}{{(index . 0).kind}}{{else}}none{{end}}{{range .spec.containers}}{{range $name, $n := .resources.limits}} {{$name}}{{end}}{{end}}{{range .spec.initContainers}}{{range $name, $n := .resources.limits}} {{$name}}{{end}}{{end}}{{"\n"}}{{end}}' |
    awk -v since="$since" '$2 >= since && / nvidia\.com\/(mig-|gpu)/ {print $1 "/" $3}'
}

# Evicts the newcomers, who would keep the node from being cut, until none comes any more.
empty() {
  for round in 1 2 3; do
    here=$(newcomers "$1")
    [ -n "$here" ] || return 0
    for pod in $here; do
      case $pod in
        */none | */DaemonSet | */Node) echo "${pod%/*} came to $1, and nothing would make it anew elsewhere" >&2; return 1 ;;
      esac
      name=${pod#*/}
      evict "${pod%%/*}" "${name%/*}"
    done
    gone
  done
  echo "pods come to $1 although it is cordoned" >&2
  return 1
}

by_hand() {
  printf '%s: evict it by hand, then press Enter ' "$1"
  read -r _ </dev/tty
}

# Tells MIG Manager what to make of a node. The state goes first: that of the last change would be taken for this one's.
cut() {
  kubectl label node "$1" nvidia.com/mig.config.state-
  kubectl label --overwrite node "$1" "nvidia.com/mig.config=$2"
}

is_cut() {
  kubectl wait node "$1" --timeout=15m --for=jsonpath='{.metadata.labels.nvidia\.com/mig\.config\.state}'=success
}
