{{- define "flowd.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Takes (dict "root" $ "component" "api"). What a pod is found by: it never changes in the life of a release. */ -}}
{{- define "flowd.selectorLabels" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "flowd.labels" -}}
{{ include "flowd.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "flowd.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "flowd.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "flowd.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "flowd.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{- .Values.publicUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.host -}}
{{- ternary "https" "http" (ne .Values.ingress.tlsSecretName "") }}://{{ .Values.ingress.host -}}
{{- end -}}
{{- end -}}

{{- define "flowd.logsClaim" -}}
{{- .Values.logs.volume.existingClaim | default (printf "%s-logs" (include "flowd.fullname" .)) -}}
{{- end -}}

{{- /* What must not stand in `config`: secrets, and what the chart says by another value. */ -}}
{{- define "flowd.refuseConfig" -}}
{{- $elsewhere := dict
  "FLOWD__DATABASE__URL" "put it into the Secret that existingSecret names, as secretKeys.databaseUrl"
  "FLOWD__QUEUE__URL" "put it into the Secret that existingSecret names, as secretKeys.queueUrl"
  "FLOWD__SECURITY__SECRET_KEY" "put it into the Secret that existingSecret names, as secretKeys.secretKey"
  "FLOWD__SECURITY__FERNET_KEY" "put it into the Secret that existingSecret names, as secretKeys.fernetKey"
  "FLOWD__SECURITY__ADMIN_PASSWORD" "put it into the Secret that existingSecret names, as secretKeys.adminPassword"
  "FLOWD__OIDC__CLIENT_SECRET" "give it by extraEnv, with a secretKeyRef"
  "FLOWD__SECRETS__BACKEND_KWARGS" "give it by extraEnv, with a secretKeyRef"
  "FLOWD__TRACING__HEADERS" "give it by extraEnv, with a secretKeyRef"
  "FLOWD__NODE__ROLES" "the chart gives each Deployment its own"
  "FLOWD__NODE__STATUS_FILE" "the probes ask the file that the chart names"
  "FLOWD__API__HOST" "a pod is asked at its own address: the image listens on every one"
  "FLOWD__API__PORT" "the probes and the Service ask 8080; people see api.service.port"
  "FLOWD__API__WORKERS" "set api.processes"
  "FLOWD__API__PUBLIC_URL" "set publicUrl"
  "FLOWD__DAGS__FOLDER" "set dags.folder"
  "FLOWD__LOGS__URL" "set logs.volume, or logs.bucket"
  "FLOWD__LOGS__STORE" "set logs.bucket"
  "FLOWD__LOGS__STORE_REGION" "set logs.region"
  "FLOWD__LOGS__STORE_ENDPOINT_URL" "set logs.endpointUrl"
  "FLOWD__WORKER__CONCURRENCY" "set worker.concurrency"
  "FLOWD__WORKER__QUEUES" "set worker.queues"
  "FLOWD__WORKER__DRAIN_TIMEOUT" "set worker.drainTimeoutSeconds: the pod's grace period follows from it"
  "FLOWD__WORKER__KILL_GRACE" "set worker.killGraceSeconds: the pod's grace period follows from it"
-}}
{{- range $name, $_ := .Values.config -}}
{{- with get $elsewhere $name -}}
{{- fail (printf "config.%s cannot stand there: %s" $name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "flowd.secretEnv" -}}
{{- $secret := required "existingSecret is not set: make a Secret with the keys database-url, secret-key and fernet-key, and name it there; docs/how-to/kubernetes.md has the command" .Values.existingSecret -}}
{{- $keys := .Values.secretKeys -}}
- name: FLOWD__DATABASE__URL
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $keys.databaseUrl }}}}
- name: FLOWD__QUEUE__URL
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $keys.queueUrl }}, optional: true}}
- name: FLOWD__SECURITY__SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $keys.secretKey }}}}
- name: FLOWD__SECURITY__FERNET_KEY
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $keys.fernetKey }}}}
- name: FLOWD__SECURITY__ADMIN_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $keys.adminPassword }}, optional: true}}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "flowd.envFrom" -}}
- configMapRef: {name: {{ include "flowd.fullname" . }}}
{{- with .Values.extraEnvFrom }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The pod's part that all have. The user is the image's own. */ -}}
{{- define "flowd.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "flowd.container" -}}
image: {{ include "flowd.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- /* Takes (dict "root" $ "component" "worker" "node" .Values.worker). */ -}}
{{- define "flowd.placement" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "flowd.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- with .node.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .node.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .node.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* A change of the settings is a new pod. */ -}}
{{- define "flowd.podAnnotations" -}}
checksum/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
{{- with .node.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "flowd.volumes" -}}
- name: state
  emptyDir: {sizeLimit: {{ .Values.state.sizeLimit }}}
- name: tmp
  emptyDir: {}
{{- if not .Values.logs.bucket }}
- name: logs
  persistentVolumeClaim: {claimName: {{ include "flowd.logsClaim" . }}}
{{- end }}
{{- end -}}

{{- define "flowd.volumeMounts" -}}
- {name: state, mountPath: /var/lib/flowd}
- {name: tmp, mountPath: /tmp}
{{- if not .Values.logs.bucket }}
- {name: logs, mountPath: /var/log/flowd}
{{- end }}
{{- end -}}

{{- /* Of a node without the api role: its file says how it is, and is renewed every 5 s while its event loop turns. */ -}}
{{- define "flowd.statusProbes" -}}
# A node waits for its metastore as long as it takes. The pause is for a file that a killed node has left behind.
startupProbe:
  exec: {command: [grep, -q, ready, /run/flowd/status]}
  initialDelaySeconds: 5
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 300
readinessProbe:
  exec: {command: [grep, -q, ready, /run/flowd/status]}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  exec: {command: [sh, -c, find /run/flowd/status -mmin -1 | grep -q .]}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}
