package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder writes files into a folder of the test.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// options describe a machine on which nothing runs: every address is one where
// nobody listens.
func options(t *testing.T, dir string) Options {
	t.Helper()
	o := Options{
		Foreign: dir != "", Brokers: []string{"127.0.0.1:1"}, APIURL: Setting{Value: "http://127.0.0.1:1"},
		APIAddr: "127.0.0.1:0", DaprHTTP: Setting{Value: "1"}, DaprGRPC: Setting{Value: "0"},
		AppID: Setting{Value: "todo-backend", Source: "default"}, Pubsub: Setting{Value: "pubsub-kafka", Source: "default"},
		DaprEnabled: Setting{Value: "true"}, Publishes: true, DataDir: t.TempDir(),
		FindDaprd:  func() (string, error) { return daprd(t), nil },
		LookupEnv:  func(string) string { return "" },
		PathLookup: func(string) (string, error) { return "", os.ErrNotExist },
	}
	o.Database.Value = filepath.Join(o.DataDir, "todo.db")
	if dir != "" {
		o.Sources = []Source{{Dir: dir, FS: os.DirFS(dir)}}
	}
	return o
}

func examine(t *testing.T, o Options, only ...string) Report {
	t.Helper()
	report, err := Examine(t.Context(), o, only, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// ids are the checks of what was found, each as often as it was found.
func ids(r Report) []string {
	list := []string{}
	for _, f := range r.Findings {
		list = append(list, f.Check)
	}
	slices.Sort(list)
	return list
}

// expect checks that exactly these checks have found something, each with the mend that
// testdata/mends.txt has for this test.
func expect(t *testing.T, r Report, want ...string) {
	t.Helper()
	saw(t.Name(), ids(r))
	slices.Sort(want)
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, ids(r)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
		for _, f := range r.Findings {
			t.Logf("%s: %s %v; %s", f.Check, f.Message, f.Evidence, f.Mend)
		}
	}
	if unlike := mends.unlike(t.Name(), r); len(unlike) > 0 && !*update {
		t.Errorf("%s lacks %q; go test ./internal/doctor -update", mendPath(), unlike)
	}
	for _, f := range r.Findings {
		if f.Message == "" || f.Mend == "" || !strings.HasSuffix(f.Message, ".") {
			t.Errorf("%s: message %q, mend %q: both are needed, as a sentence", f.Check, f.Message, f.Mend)
		}
	}
}

// fixAll applies all fixes, again and again until there are none.
func fixAll(t *testing.T, o Options) Report {
	t.Helper()
	for range 5 {
		r := examine(t, o, "files")
		fixes := r.Fixable()
		if len(fixes) == 0 {
			return r
		}
		for _, f := range fixes {
			if f.Fix.Diff() == "" {
				t.Errorf("%s: a fix without a diff", f.Check)
			}
			_ = f.Fix.Apply(t.Context())
		}
	}
	t.Fatal("fixes don't come to an end")
	return Report{}
}

func TestCatalogueIsSound(t *testing.T) {
	checks := Checks()
	known := map[string]Check{}
	for _, c := range checks {
		if _, twice := known[c.ID]; twice {
			t.Errorf("%s: twice", c.ID)
		}
		known[c.ID] = c
		if !slices.Contains(Groups(), c.Group()) {
			t.Errorf("%s: no such group", c.ID)
		}
		if c.Title == "" || c.Symptom == "" || c.Cause == "" || c.Mend == "" || c.Run == nil || (c.Severity != Error && c.Severity != Warning) {
			t.Errorf("%s: incomplete", c.ID)
		}
	}
	state := map[string]int{} // 1: being visited, 2: done
	var visit func(c Check)
	visit = func(c Check) {
		if state[c.ID] == 1 {
			t.Fatalf("%s: waits for itself", c.ID)
		}
		if state[c.ID] == 2 {
			return
		}
		state[c.ID] = 1
		for _, word := range slices.Concat(c.Needs, c.After) {
			matched := false
			for _, other := range checks {
				if other.is(word) && other.ID != c.ID {
					matched = true
					visit(other)
				}
			}
			if !matched {
				t.Errorf("%s: names %q, which is no check", c.ID, word)
			}
		}
		state[c.ID] = 2
	}
	for _, c := range checks {
		visit(c)
	}
}

func TestChoose(t *testing.T) {
	checks := []Check{{ID: "broker.reach"}, {ID: "topics.missing", Needs: []string{"broker.reach"}}, {ID: "files.yaml"}}
	got, err := Choose(checks, []string{"topics"}, nil)
	if err != nil || len(got) != 2 {
		t.Errorf("with what it needs: %v, %v", got, err)
	}
	got, err = Choose(checks, nil, []string{"broker"})
	if err != nil || len(got) != 2 {
		t.Errorf("without a group: %v, %v", got, err)
	}
	for word, want := range map[string]string{"topics.mising": `did you mean "topics.missing"?`, "zzz": "--list"} {
		if _, err := Choose(checks, []string{word}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", word, err, want)
		}
	}
}

func always(r Result) func(context.Context) Result {
	return func(context.Context) Result {
		r := r
		r.Findings = slices.Clone(r.Findings)
		return r
	}
}
