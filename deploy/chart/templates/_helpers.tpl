{{- define "migsaw.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 50 letters at most, so that what is appended still is a name. */}}
{{- define "migsaw.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "migsaw.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "migsaw.selectorLabels" -}}
app.kubernetes.io/name: {{ include "migsaw.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: extender
{{- end -}}

{{/* Labels that are no selector's, with those for every object. */}}
{{- define "migsaw.metaLabels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/part-of" "migsaw"
  "app.kubernetes.io/managed-by" .Release.Service -}}
{{- include "migsaw.merged" (list .Values.commonLabels $own) -}}
{{- end -}}

{{/* Labels of an object: . is the root and, in a list with it, further ones. Those of selectors go before all others. */}}
{{- define "migsaw.labels" -}}
{{- $root := . -}}
{{- $more := dict -}}
{{- if kindIs "slice" . -}}
{{- $root = first . -}}
{{- $more = last . -}}
{{- end -}}
{{- include "migsaw.merged" (list (include "migsaw.selectorLabels" $root | fromYaml) $more (include "migsaw.metaLabels" $root | fromYaml)) -}}
{{- end -}}

{{/* Several maps as one, without any key twice: the first that has a key counts. */}}
{{- define "migsaw.merged" -}}
{{- $all := dict -}}
{{- range . -}}
{{- $all = merge $all (deepCopy (default dict .)) -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- define "migsaw.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "migsaw.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "migsaw.image" -}}
{{- $repository := required "image.repository is needed: build deploy/Containerfile and push it to a registry the cluster reaches" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the server's certificate. */}}
{{- define "migsaw.tlsSecret" -}}
{{- if eq .Values.tls.source "secret" -}}
{{- .Values.tls.existingSecret -}}
{{- else -}}
{{- printf "%s-tls" (include "migsaw.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* The chart has cert-manager issue a certificate for the scheduler: before it is required, so that it can be copied. */}}
{{- define "migsaw.issuesClient" -}}
{{- if and (eq .Values.tls.source "certManager") .Values.tls.client.certManager.create -}}true{{- end -}}
{{- end -}}

{{/* The Secret with the scheduler's certificate; empty if there is none. */}}
{{- define "migsaw.clientSecret" -}}
{{- if .Values.tls.client.existingSecret -}}
{{- .Values.tls.client.existingSecret -}}
{{- else if include "migsaw.issuesClient" . -}}
{{- printf "%s-client" (include "migsaw.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "migsaw.issuerRef" -}}
{{- if .Values.tls.certManager.issuerRef.name -}}
name: {{ .Values.tls.certManager.issuerRef.name }}
kind: {{ default "Issuer" .Values.tls.certManager.issuerRef.kind }}
group: {{ default "cert-manager.io" .Values.tls.certManager.issuerRef.group }}
{{- else -}}
name: {{ include "migsaw.fullname" . }}-ca
kind: Issuer
group: cert-manager.io
{{- end -}}
{{- end -}}

{{/* The address to listen on, as it stands before a port. */}}
{{- define "migsaw.listenAddress" -}}
{{- $address := .Values.listenAddress -}}
{{- ternary (printf "[%s]" $address) $address (and (contains ":" $address) (not (hasPrefix "[" $address))) -}}
{{- end -}}

{{/* What the pods of the extender, and of the test, may do. */}}
{{- define "migsaw.podSecurityContext" -}}
runAsNonRoot: true
{{- if not .Values.openshift }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "migsaw.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The files given by --config and --geometry; empty if there are none. */}}
{{- define "migsaw.configData" -}}
{{- if .Values.config }}
config.yaml: |
  {{- toYaml .Values.config | nindent 2 }}
{{- end }}
{{- if .Values.geometry }}
geometry.yaml: |
  {{- .Values.geometry | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What a schema cannot say. */}}
{{- define "migsaw.validate" -}}
{{- if ne (toString .Values.resources.requests.memory) (toString .Values.resources.limits.memory) -}}
{{- fail (printf "resources.limits.memory (%v) has to be resources.requests.memory (%v): more than requested may be taken away at any time" .Values.resources.limits.memory .Values.resources.requests.memory) -}}
{{- end -}}
{{- if and .Values.tls.client.required (eq .Values.tls.source "secret") (not .Values.tls.client.existingSecret) .Values.test.enabled -}}
{{- fail "tls.client.required with tls.source secret: helm test needs a certificate too; name its Secret in tls.client.existingSecret, or set test.enabled: false" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.metrics.enabled) -}}
{{- fail "serviceMonitor.enabled needs metrics.enabled" -}}
{{- end -}}
{{- /* A share is rounded up, as Kubernetes does. A single replica has to go for its node to be drained. */ -}}
{{- $replicas := int .Values.replicas -}}
{{- $away := .Values.podDisruptionBudget.maxUnavailable -}}
{{- if kindIs "string" $away -}}
{{- $away = div (add (mul (trimSuffix "%" $away | int) $replicas) 99) 100 -}}
{{- end -}}
{{- if and .Values.podDisruptionBudget.enabled (ge (int $away) (max 2 $replicas | int)) -}}
{{- fail (printf "podDisruptionBudget.maxUnavailable (%v): all %d replicas could be away at once, and no pod with MIG slices be scheduled" .Values.podDisruptionBudget.maxUnavailable $replicas) -}}
{{- end -}}
{{- $ports := list (int .Values.ports.verbs) (int .Values.ports.health) (int .Values.ports.metrics) -}}
{{- if ne (len (uniq $ports)) 3 -}}
{{- fail "ports.verbs, ports.health and ports.metrics have to differ" -}}
{{- end -}}
{{- end -}}
