package doctor

import (
	"testing"
	"testing/fstest"
	"time"
)

// Any bytes in a YAML file give a finding or silence, never a panic, never a hang.
func FuzzResourceFile(f *testing.F) {
	for _, tt := range fileCases() {
		for _, content := range tt.files {
			f.Add([]byte(content))
		}
	}
	for _, s := range []string{
		"a: &a [*a]\nkind: Component\napiVersion: dapr.io/v1alpha1\nspec: *a", "<<: &x {<<: *x}", "kind: &k Component\napiVersion: dapr.io/v1alpha1\nmetadata: {name: *k}",
		"---\n---\n---", "\xff\xfe", "kind: Component\napiVersion: dapr.io/v1alpha1\nspec: {type: pubsub.kafka, metadata: [{}, 1, [], {name: brokers, value: {a: b}}]}",
		"apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nspec: {targets: {components: {a: {inbound: {retry: x}}, ? [b] : c}}}",
		"apiVersion: dapr.io/v1alpha1\nkind: Component\nspec:\n  type: pubsub.kafka\n  metadata:\n  - name: initialOffset\n    value: \"ear\\x6ciest\"\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		began := time.Now()
		dir := folder(t, map[string]string{"a.yaml": string(data)})
		s := &subject{
			Options: options(t, dir), types: knownTypes(),
			res: load([]Source{{Dir: dir, FS: fstest.MapFS{"a.yaml": {Data: data}}}}),
		}
		for _, c := range s.checks() {
			if c.Group() != "files" {
				continue
			}
			for _, finding := range c.Run(t.Context()).Findings {
				if finding.Fix != nil {
					if err := finding.Fix.Apply(t.Context()); err != nil && finding.Fix.Diff() == "" {
						t.Error(err)
					}
				}
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%d bytes took %s", len(data), took)
		}
	})
}
