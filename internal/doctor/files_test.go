package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	components "github.com/todoctl/todoctl/dapr-components"
)

// comp is a component file; metadata holds names and values in turn.
func comp(name, typ string, metadata ...string) string {
	var b strings.Builder
	b.WriteString("# a comment\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: " + name + "\nspec:\n  type: " + typ + "\n  version: v1\n")
	if len(metadata) > 0 {
		b.WriteString("  metadata:\n")
	}
	for i := 0; i < len(metadata); i += 2 {
		b.WriteString("    # about " + metadata[i] + "\n    - name: " + metadata[i] + "\n      value: " + metadata[i+1] + " # as it is\n")
	}
	return b.String()
}

const pubsub = "pubsub-kafka"

func kafkaFile(metadata ...string) string {
	return comp(pubsub, "pubsub.kafka", append([]string{"brokers", `"BROKER"`}, metadata...)...)
}

const subscribed = `apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata:
  name: sub
spec:
  topic: task-events
  pubsubname: PUBSUB
  routes:
    default: /events
`

const resilient = `apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata:
  name: policies
spec:
  policies:
    retries:
      forever:
        policy: constant
        duration: 1s
        maxRetries: -1
  targets:
    components:
      pubsub-kafka:
        inbound:
          retry: forever
`

// What daprd does with a folder.
const (
	starts = iota // it starts and has the pubsub
	ends          // it ends at once
	lacks         // it starts without the pubsub, or with something that has no effect
	unseen        // what goes wrong doesn't show at the start
)

type fileCase struct {
	name   string
	files  map[string]string
	want   []string
	dapr   int
	broken bool // not all of it is mended by --fix
}

func one(content string) map[string]string { return map[string]string{"a.yaml": content} }

func fileCases() []fileCase {
	none := []string{"authType", `"none"`}
	with := func(more ...string) string { return kafkaFile(append(none, more...)...) }
	sub := func(pubsub, more string) string { return strings.Replace(subscribed, "PUBSUB", pubsub, 1) + more }
	return []fileCase{
		{name: "well", files: one(with("initialOffset", "oldest")), dapr: starts},
		{name: "1 initialOffset", files: one(with("initialOffset", "earliest")), want: []string{"files.initial-offset"}, dapr: ends},
		{name: "1 in single quotes", files: one(with("initialOffset", "'latest'")), want: []string{"files.initial-offset"}, dapr: ends},
		{name: "2 no authType", files: one(kafkaFile()), want: []string{"files.auth-type"}, dapr: ends},
		{name: "2 empty authType", files: one(kafkaFile("authType", `""`)), want: []string{"files.auth-type"}, dapr: ends},
		{name: "2 authRequired is enough", files: one(kafkaFile("authRequired", `"false"`)), dapr: starts},
		{name: "2 no such authType", files: one(kafkaFile("authType", "plain")), want: []string{"files.auth-type"}, dapr: ends, broken: true},
		{name: "2 password without a user", files: one(kafkaFile("authType", "password", "disableTls", `"true"`)), want: []string{"files.auth-type"}, dapr: ends, broken: true},
		{name: "2 no brokers", files: one(comp(pubsub, "pubsub.kafka", none...)), want: []string{"files.brokers"}, dapr: ends, broken: true},
		{name: "2 authRequired that is no boolean", files: one(kafkaFile("authRequired", `"no"`)), want: []string{"files.auth-type"}, dapr: ends},
		{name: "2 a certificate without its authority", files: one(kafkaFile("authType", "certificate")), want: []string{"files.auth-type"}, dapr: ends, broken: true},
		{name: "2 half of a key pair", files: one(kafkaFile("authType", "mtls", "clientCert", `"x"`)), want: []string{"files.auth-type"}, dapr: ends, broken: true},
		{name: "2 OIDC without an endpoint", files: one(kafkaFile("authType", "OIDC")), want: []string{"files.auth-type"}, dapr: ends, broken: true},
		{name: "2 a binding without authType", files: map[string]string{"a.yaml": with(), "b.yaml": comp("b", "bindings.kafka", "brokers", "localhost:9092")}, want: []string{"files.auth-type"}, dapr: unseen},
		{name: "2 ignoreErrors", files: one(strings.Replace(kafkaFile(), "version: v1", "version: v1\n  ignoreErrors: true", 1)), want: []string{"files.auth-type"}, dapr: lacks},
		{name: "2 a list of brokers", files: one(comp(pubsub, "pubsub.kafka", "brokers", "[127.0.0.1:1, 127.0.0.1:2]", "authType", "none")), want: []string{"files.brokers"}, dapr: ends, broken: true},
		{name: "2 brokers by another name", files: one(comp(pubsub, "pubsub.kafka", "bootstrapServers", `"BROKER"`, "authType", "none")), want: []string{"files.brokers"}, dapr: ends, broken: true},
		{name: "3 in a connection string", files: map[string]string{"a.yaml": with(), "b.yaml": comp("db", "state.postgresql", "connectionString", `"host=localhost user=${DB_USER} password=%AB%"`)}, want: []string{"files.placeholder"}, dapr: unseen, broken: true},
		{name: "5 unknown version", files: one(strings.Replace(with(), "version: v1", "version: 1", 1)), want: []string{"files.component-type"}, dapr: ends},
		{name: "5 another name of the first version", files: one(strings.Replace(with(), "version: v1", "version: V0", 1)), dapr: starts},
		{name: "10 beside a file of another fault", files: map[string]string{"a.yaml": with(), "b.yaml": strings.Replace(comp("x", "state.in-memory"), "kind: C", "kind: c", 1), "s.yaml": sub("pubsub-kafk", "")}, want: []string{"files.kind", "files.subscription"}, dapr: unseen},
		{name: "21 and 10 beside what is no YAML", files: map[string]string{"a.yaml": with(), "b.yaml": strings.Replace(comp("x", "state.in-memory"), "  name: x", "\tname: x", 1), "r.yaml": strings.Replace(resilient, "pubsub-kafka", "pubsub-kafca", 1), "s.yaml": sub("pubsub-kafk", "")}, want: []string{"files.resiliency-target", "files.subscription", "files.yaml"}, dapr: unseen, broken: true},
		{name: "what names a file that Dapr passes over", files: map[string]string{"a.yaml": strings.Replace(with(), "kind: Component", "kind: component", 1), "b.yaml": comp("other", "pubsub.in-memory"), "r.yaml": resilient, "s.yaml": sub(pubsub, "  deadLetterTopic: dlq\n")}, want: []string{"files.kind"}, dapr: lacks},
		{name: "13 mTLS without the CA", files: one(kafkaFile("authType", "mtls")), want: []string{"files.auth-type"}, dapr: ends, broken: true},
		{name: "3 placeholder", files: one(comp(pubsub, "pubsub.kafka", "brokers", `"{KAFKA_BROKERS}"`, "authType", "none")), want: []string{"files.placeholder"}, dapr: ends, broken: true},
		{name: "3 shell", files: one(comp(pubsub, "pubsub.kafka", "brokers", `${KAFKA_HOST}:9092`, "authType", "none")), want: []string{"files.placeholder"}, dapr: ends, broken: true},
		{name: "3 Dapr's own templates are none", files: one(with("consumerID", `"{uuid}"`, "clientID", `"{appID}"`)), dapr: starts},
		{name: "4 Kubernetes' secret store", files: map[string]string{"a.yaml": with(), "b.yaml": comp("kube", "secretstores.kubernetes")}, want: []string{"files.kubernetes-store"}, dapr: ends, broken: true},
		{name: "5 unknown type", files: map[string]string{"a.yaml": with(), "b.yaml": comp("jobs", "workmanager.jobscheduler")}, want: []string{"files.component-type"}, dapr: ends, broken: true},
		{name: "5 misspelt type", files: one(strings.Replace(with(), "pubsub.kafka", "pubsub.kafk", 1)), want: []string{"files.component-type"}, dapr: ends},
		{name: "6 twice", files: map[string]string{"a.yaml": with(), "b.yml": comp(pubsub, "pubsub.in-memory")}, want: []string{"files.duplicate"}, dapr: ends, broken: true},
		{name: "6 twice in a file", files: one(with() + "---\n" + comp(pubsub, "pubsub.in-memory")), want: []string{"files.duplicate"}, dapr: ends, broken: true},
		{name: "6 twice for other apps", files: one(comp("a", "pubsub.in-memory") + "scopes: [x]\n---\n" + comp("a", "pubsub.in-memory") + "scopes: [y]\n---\n" + with()), dapr: starts},
		{name: "7 secret store that isn't there", files: one(with() + "    - name: saslPassword\n      secretKeyRef: {name: s, key: k}\nauth:\n  secretStore: vault\n"), want: []string{"files.secret-store"}, dapr: lacks, broken: true},
		{name: "7 secret store that is there", files: one(with() + "    - name: saslPassword\n      secretKeyRef: {name: s, key: k}\nauth:\n  secretStore: env\n---\n" + comp("env", "secretstores.local.env")), dapr: starts},
		{name: "8 misspelt name", files: one(strings.Replace(with(), "name: pubsub-kafka", "name: pubsub-kafak", 1)), want: []string{"files.pubsub"}, dapr: lacks, broken: true},
		{name: "9 scopes", files: one(with() + "scopes:\n  - other\n"), want: []string{"files.scopes"}, dapr: lacks, broken: true},
		{name: "9 scopes with the app", files: one(with() + "scopes:\n  - other\n  - todo-backend\n"), dapr: starts},
		{name: "10 subscription", files: map[string]string{"a.yaml": with(), "s.yaml": sub("pubsub-kafk", "")}, want: []string{"files.subscription"}, dapr: unseen},
		{name: "10 subscription, well", files: map[string]string{"a.yaml": with(), "s.yaml": sub(pubsub, "")}, dapr: unseen},
		{name: "13 mechanism", files: one(kafkaFile("authType", "password", "saslUsername", "u", "saslPassword", "p", "saslMechanism", "SCRAM-SHA-256", "disableTls", `"true"`)), want: []string{"files.sasl-mechanism"}, dapr: ends},
		{name: "20 dead letters at once", files: map[string]string{"a.yaml": with(), "s.yaml": sub(pubsub, "  deadLetterTopic: dlq\n")}, want: []string{"files.dead-letter"}, dapr: unseen, broken: true},
		{name: "20 with a policy", files: map[string]string{"a.yaml": with(), "s.yaml": sub(pubsub, "  deadLetterTopic: dlq\n"), "r.yaml": resilient}, dapr: unseen},
		{name: "21 target", files: map[string]string{"a.yaml": with(), "r.yaml": strings.Replace(resilient, "pubsub-kafka", "pubsub-kafca", 1)}, want: []string{"files.resiliency-target"}, dapr: unseen},
		{name: "21 policy", files: map[string]string{"a.yaml": with(), "r.yaml": strings.Replace(resilient, "retry: forever", "retry: fourever", 1)}, want: []string{"files.resiliency-target"}, dapr: unseen},
		{name: "21 keys", files: one(with("deadLetterTopic", "dlq", "maxDeliveryAttempts", `"3"`)), want: []string{"files.unknown-key", "files.unknown-key"}, dapr: starts, broken: true},
		{name: "32 newest", files: one(with("initialOffset", "newest")), want: []string{"files.newest"}, dapr: starts},
		{name: "33 no retry", files: one(with("consumeRetryEnabled", `"false"`)), want: []string{"files.retry-off"}, dapr: starts},
		{name: "33 exponential", files: map[string]string{"a.yaml": with(), "r.yaml": strings.Replace(resilient, "constant", "exponential", 1)}, want: []string{"files.gives-up"}, dapr: unseen},
		{name: "33 bulk", files: map[string]string{"a.yaml": with(), "s.yaml": sub(pubsub, "  bulkSubscribe:\n    enabled: true\n")}, want: []string{"files.lossy-subscription"}, dapr: unseen, broken: true},
		{name: "33 bulk with a policy", files: map[string]string{"a.yaml": with(), "s.yaml": sub(pubsub, "  bulkSubscribe:\n    enabled: true\n"), "r.yaml": resilient}, dapr: unseen},
		{name: "33 ttl", files: map[string]string{"a.yaml": with(), "s.yaml": sub(pubsub, "  metadata:\n    ttlInSeconds: \"60\"\n")}, want: []string{"files.lossy-subscription"}, dapr: unseen, broken: true},
		{name: "CR LF is well in YAML", files: one(strings.ReplaceAll(with("initialOffset", "oldest")+"---\n"+comp("s", "state.in-memory"), "\n", "\r\n")), dapr: starts},
		{name: "separators with more on their line", files: one(with() + "-----------------\n" + comp("s", "state.in-memory") + "--- # {\n" + comp("s2", "state.in-memory")), dapr: starts},
		{name: "of a key that is there twice the last counts", files: one(with("authType", `"password"`, "authType", "none")), dapr: starts},
		{name: "byte order mark, CR LF and tabs", files: one("\ufeff" + strings.ReplaceAll(strings.ReplaceAll(with("initialOffset", "oldest"), ": ", ":\t"), "\n", "\r\n")), dapr: starts},
		{name: "retries of Kafka's own", files: one(with("backOffDuration", "50ms", "backOffMaxRetries", "3")), dapr: starts},
		{name: "metadata as a mapping", files: one("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: pubsub-kafka}\nspec:\n  type: pubsub.kafka\n  version: v1\n  metadata:\n    brokers: localhost:9092\n    authType: none\n"), want: []string{"files.yaml"}, dapr: lacks, broken: true},
		{name: "scopes as a word", files: one(with() + "scopes: todo-backend\n"), want: []string{"files.yaml"}, dapr: lacks, broken: true},
		{name: "a number in scopes", files: one(with() + "scopes: [todo-backend, 1]\n"), want: []string{"files.yaml"}, dapr: lacks, broken: true},
		{name: "metadata that is a list of words", files: one(strings.Replace(with(), "    - name: authType", "    - brokers\n    - name: authType", 1)), want: []string{"files.yaml"}, dapr: lacks, broken: true},
		{name: "a type that is a list", files: one(strings.Replace(with(), "type: pubsub.kafka", "type: [pubsub.kafka]", 1)), want: []string{"files.yaml"}, dapr: lacks, broken: true},
		{name: "numbers where texts are wanted", files: one(strings.Replace(with("clientID", "7"), "metadata:\n  name: pubsub-kafka", "metadata:\n  namespace: 1\n  name: pubsub-kafka", 1)), dapr: starts},
		{name: "ignoreErrors in quotes", files: one(strings.Replace(with(), "version: v1", "version: v1\n  ignoreErrors: \"true\"", 1)), want: []string{"files.yaml"}, dapr: lacks, broken: true},
		{name: "null where something may be", files: one(with() + "scopes:\nauth:\n"), dapr: starts},
		{name: "no YAML", files: map[string]string{"a.yaml": with(), "b.yaml": "apiVersion: dapr.io/v1alpha1\nkind: Component\n\tname: x\n"}, want: []string{"files.yaml"}, dapr: unseen, broken: true},
		{name: "kind", files: one(strings.Replace(with(), "kind: Component", "kind: component", 1)), want: []string{"files.kind"}, dapr: lacks},
		{name: "apiVersion", files: one(strings.Replace(with(), "dapr.io/v1alpha1", "dapr.io/v1", 1)), want: []string{"files.kind"}, dapr: lacks},
		{name: "below", files: map[string]string{"kafka/a.yaml": with()}, want: []string{"files.folder"}, dapr: lacks, broken: true},
		{name: "three at once", files: one(kafkaFile("initialOffset", "earliest", "consumeRetryEnabled", "false")), want: []string{"files.auth-type", "files.initial-offset", "files.retry-off"}, dapr: ends},
		{name: "documents of others", files: map[string]string{"a.yaml": "---\n" + with() + "---\n", "dapr.yaml": "version: 1\napps:\n- appID: x\n", "x.yaml": "", "y.yaml": "- 1\n- 2\n", "c.yml": "kind: Component\napiVersion: core.oam.dev/v1\n", "notes.txt": "\t{"}, dapr: starts},
	}
}

// Each fault of a component file is found, and nothing else is; a real daprd does
// with the file what the check says that it does; and what --fix mends, is mended for
// daprd, too.
func TestFiles(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "task-events", "dlq"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	for _, tt := range fileCases() {
		t.Run(tt.name, func(t *testing.T) {
			for name, content := range tt.files {
				tt.files[name] = strings.ReplaceAll(content, "BROKER\"", cluster.ListenAddrs()[0]+`"`)
			}
			dir := folder(t, tt.files)
			o := options(t, dir)
			expect(t, examine(t, o, "files"), tt.want...)
			checkDaprd(t, dir, tt.dapr)
			r := fixAll(t, o)
			if r.OK == tt.broken {
				t.Errorf("after the fixes: %v", ids(r))
			}
			if !tt.broken && tt.dapr == ends && !strings.HasPrefix(tt.name, "13") {
				checkDaprd(t, dir, starts)
			}
		})
	}
}

func checkDaprd(t *testing.T, dir string, want int) {
	t.Helper()
	if want == unseen {
		return
	}
	sidecar, err := startDaprd(t, dir)
	if (err != nil) != (want == ends) {
		t.Fatalf("daprd: %v", err)
	}
	if err != nil {
		return
	}
	m, err := sidecar.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	has := false
	for _, c := range m.Components {
		has = has || c.Name == pubsub
	}
	if has != (want == starts) {
		t.Errorf("daprd has loaded %v", m.Components)
	}
}

// A fix touches nothing but the value.
func TestFixKeepsTheRest(t *testing.T) {
	before := strings.ReplaceAll(kafkaFile("authType", "none", "initialOffset", "earliest"), "\n", "\r\n")
	dir := folder(t, one(before))
	fixAll(t, options(t, dir))
	after, err := os.ReadFile(filepath.Join(dir, "a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(before, "earliest", "oldest", 1); string(after) != want {
		t.Errorf("after the fix:\n%q\nwant\n%q", after, want)
	}
}

func TestFixLeavesAChangedFileAlone(t *testing.T) {
	dir := folder(t, one(kafkaFile("authType", "none", "initialOffset", "earliest")))
	r := examine(t, options(t, dir), "files")
	changed := kafkaFile("initialOffset", "earliest", "authType", "none")
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Fixable()[0].Fix.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("error = %v", err)
	}
}

// The files that come with todoctl are well.
func TestOwnFiles(t *testing.T) {
	o := options(t, "")
	o.Sources = []Source{{FS: components.Files}}
	expect(t, examine(t, o, "files"))
	for _, dir := range []string{"statestore-redis", "statestore-sqlite"} {
		dir = filepath.Join("..", "..", "dapr-components", "alternatives", dir)
		expect(t, examine(t, options(t, dir), "files"))
	}
	for _, profile := range []string{"redis", "rabbitmq", "in-memory"} {
		o := options(t, filepath.Join("..", "..", "dapr-components", "alternatives", profile))
		o.Pubsub.Value = "pubsub-" + profile
		expect(t, examine(t, o, "files"))
	}
}
