{{- define "sluice.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What every object is called, and what its own name begins with. */}}
{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else if contains (include "sluice.name" .) .Release.Name }}
{{- .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "sluice.name" .) | trunc 48 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sluice.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sluice.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sluice.labels" -}}
{{ include "sluice.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* An Envoy reads its bootstrap at start only, so an edit makes another name, and with it a new pod. */}}
{{- define "sluice.envoyConfigMap" -}}
{{- $files := printf "%s%s%s" (.Files.Get "files/bootstrap.yaml") (.Files.Get "files/envoy-admin.sh") (.Files.Get "files/sluice-probe.sh") }}
{{- printf "%s-envoy-%s" (include "sluice.fullname" .) (sha256sum $files | trunc 10) }}
{{- end }}

{{- define "sluice.routesConfigMap" -}}
{{- default (printf "%s-routes" (include "sluice.fullname" .)) .Values.existingConfigMap }}
{{- end }}

{{/* Everything Sluice asks the API server for. */}}
{{- define "sluice.rules" -}}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: ['']
  resources: [services]
  verbs: [list, watch]
{{- if .Values.podDeletionCost }}
- apiGroups: ['']
  resources: [pods]
  verbs: [patch]
{{- end }}
{{- include "sluice.podRules" . }}
{{- end }}

{{/* Where Pods may say their own limits. */}}
{{- define "sluice.podRules" -}}
{{- if .Values.podLimits }}
- apiGroups: ['']
  resources: [pods]
  verbs: [list, watch]
{{- end }}
{{- end }}

{{/* Whether routes come from objects. */}}
{{- define "sluice.hasObjects" -}}
{{- if or .Values.gatewayApi.enabled .Values.ingresses.enabled .Values.istio.enabled }}yes{{ end }}
{{- end }}

{{/* The ports that those objects have requests taken at, by name. */}}
{{- define "sluice.objectPorts" -}}
{{- $ports := dict }}
{{- if .Values.gatewayApi.enabled }}{{ $ports = merge $ports .Values.gatewayApi.ports }}{{ end }}
{{- if .Values.ingresses.enabled }}{{ $ports = merge $ports .Values.ingresses.ports }}{{ end }}
{{- if .Values.istio.enabled }}{{ $ports = merge $ports .Values.istio.ports }}{{ end }}
{{- toYaml $ports }}
{{- end }}

{{/* Whether there is a route file at all: not where objects are the only source. */}}
{{- define "sluice.hasRoutes" -}}
{{- if or .Values.existingConfigMap .Values.routes (not (include "sluice.hasObjects" .)) }}yes{{ end }}
{{- end }}

{{- define "sluice.listenPort" -}}
{{- if .Values.existingConfigMap }}8080{{ else }}{{ dig "listen" "port" 8080 (default dict .Values.routes) | int }}{{ end }}
{{- end }}
