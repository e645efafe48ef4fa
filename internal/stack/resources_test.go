package stack

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	components "github.com/todoctl/todoctl/dapr-components"
)

func mapFS(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

func TestWriteResources(t *testing.T) {
	dir := t.TempDir()
	writeTestFile(t, filepath.Join(dir, "old.yaml"), "of an earlier run", 0o600)
	writeTestFile(t, filepath.Join(dir, "notes.txt"), "somebody's", 0o600)
	const kafka = `# ours
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: pubsub-kafka
spec:
  type: pubsub.kafka
  version: v1
  metadata:
    # where
    - name: Brokers
      secretKeyRef:
        name: s
    - name: authType # none
      value: "none"
---
kind: Component
metadata:
  name: other
spec:
  type: pubsub.kafka
  metadata:
`
	// Left to the byte, odd layout and all.
	const redis = "kind:   Component\nspec: {type: pubsub.redis, metadata: [{name: brokers, value: x}]}\n"
	names, err := WriteResources(ResourceOptions{
		Sources: []fs.FS{
			mapFS(map[string]string{"kafka.yaml": "replaced by the later source", "redis.yml": redis, "sub/x.yaml": "deeper", "README.md": "#"}),
			mapFS(map[string]string{"kafka.yaml": kafka}),
		},
		Dir: dir, Brokers: []string{"127.0.0.1:1", "127.0.0.1:2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"kafka.yaml", "redis.yml"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got[e.Name()] = readTestFile(t, filepath.Join(dir, e.Name()))
	}
	want := map[string]string{
		"notes.txt": "somebody's",
		"redis.yml": redis,
		"kafka.yaml": `# ours
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: pubsub-kafka
spec:
  type: pubsub.kafka
  version: v1
  metadata:
    # where
    - name: brokers
      value: "127.0.0.1:1,127.0.0.1:2"
    - name: authType # none
      value: "none"
---
kind: Component
metadata:
  name: other
spec:
  type: pubsub.kafka
  metadata:
    - name: brokers
      value: "127.0.0.1:1,127.0.0.1:2"
`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestWriteResourcesOntoThemselves(t *testing.T) {
	dir := t.TempDir()
	writeTestFile(t, filepath.Join(dir, "a.yaml"), "kind: Component\n", 0o600)
	if _, err := WriteResources(ResourceOptions{Sources: []fs.FS{os.DirFS(dir)}, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if got := readTestFile(t, filepath.Join(dir, "a.yaml")); got != "kind: Component\n" {
		t.Errorf("content %q", got)
	}
}

func TestWriteResourcesBadYAML(t *testing.T) {
	dir := t.TempDir()
	_, err := WriteResources(ResourceOptions{
		Sources: []fs.FS{mapFS(map[string]string{
			"bad.yaml":   "kind: Component\nspec:\n  type: [a\n",
			"worse.yaml": "\tx: y\n",
			"deep.yaml":  "a:\n  b: c\n d: e\n",
			"colon.yaml": "a: b\nc: d: e\n",
			"good.yaml":  "kind: Component\n",
		})},
		Dir: dir, Brokers: []string{"127.0.0.1:1"},
	})
	wantError(t, err, "bad.yaml:3: ", "worse.yaml:1: ", "deep.yaml:3: ", "colon.yaml:2: ")
	if got := readTestFile(t, filepath.Join(dir, "bad.yaml")); got != "kind: Component\nspec:\n  type: [a\n" {
		t.Errorf("bad.yaml was changed: %q", got)
	}
}

// What only consumers need is left out for an app that publishes, and nothing else.
func TestWriteResourcesPublishOnly(t *testing.T) {
	component := func(wait, compression string) string {
		return "kind: Component\nspec:\n  type: pubsub.kafka\n  metadata:\n    - name: readTimeout\n      value: " + wait +
			"\n    - name: clientID\n      value: x\n" + compression
	}
	const gzip, zstd = "    - name: compression\n      value: gzip\n", "    - name: compression\n      value: zstd\n"
	files := map[string]string{
		"long.yaml": component("70s", gzip), "number.yaml": component("70", ""), "gzip.yaml": component("5s", gzip),
		"own.yaml": component("5s", zstd), "odd.yaml": component("soon", ""), "bare.yaml": "kind: Component\nspec:\n  type: pubsub.kafka\n",
	}
	dir := t.TempDir()
	if _, err := WriteResources(ResourceOptions{Sources: []fs.FS{mapFS(files)}, Dir: dir, PublishOnly: true}); err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(files)
	want["long.yaml"], want["number.yaml"], want["gzip.yaml"] = component(`"10s"`, ""), component(`"10s"`, ""), component("5s", "")
	for name := range files {
		if diff := cmp.Diff(want[name], readTestFile(t, filepath.Join(dir, name))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// So it is with our own file.
	if _, err := WriteResources(ResourceOptions{Sources: []fs.FS{components.Files}, Dir: dir, PublishOnly: true}); err != nil {
		t.Fatal(err)
	}
	ours := readTestFile(t, filepath.Join(dir, "pubsub-kafka.yaml"))
	if strings.Contains(ours, `"70s"`) || strings.Contains(ours, "gzip\"") || !strings.Contains(ours, `"10s"`) {
		t.Errorf("the API's sidecar gets\n%s", ours)
	}
}

// The default resources are one component and what the worker needs, with nothing that
// loses events; those of alternatives/ stand apart.
func TestEmbeddedResources(t *testing.T) {
	dir := t.TempDir()
	names, err := WriteResources(ResourceOptions{Sources: []fs.FS{components.Files}, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"pubsub-kafka.yaml", "resiliency.yaml", "subscriptions.yaml"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if readTestFile(t, filepath.Join(dir, "pubsub-kafka.yaml")) != readTestFile(t, "../../dapr-components/pubsub-kafka.yaml") {
		t.Error("without brokers the file must stay as it is")
	}
}
