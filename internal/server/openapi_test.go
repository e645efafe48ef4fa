package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/task"
)

// described is openapi.json, read once.
var described = sync.OnceValue(func() document {
	var doc document
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		panic(err)
	}
	return doc
})

// checkDocumented fails the test when openapi.json has the request's operation
// but not this status of it.
func checkDocumented(t *testing.T, r *http.Request, status int) {
	t.Helper()
	name := r.Method
	if name == http.MethodHead {
		name = http.MethodGet
	}
	target := "/" + strings.TrimSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if path.Clean(target) != target {
		return
	}
	for documented, item := range described().Paths {
		if !matches(documented, target) {
			continue
		}
		for _, m := range item.Methods() {
			if _, ok := m.Responses[strconv.Itoa(status)]; m.Name == name && !ok {
				t.Errorf("openapi.json: %s %s doesn't have the answer %d", name, documented, status)
			}
		}
	}
}

// matches reports whether target is of the documented path, where ids are
// numbers: that tells /api/tasks/{id} from /api/{user_id}/tasks.
func matches(documented, target string) bool {
	pattern := regexp.QuoteMeta(documented)
	pattern = strings.ReplaceAll(pattern, `\{id\}`, `[0-9]+`)
	pattern = strings.ReplaceAll(pattern, `\{user_id\}`, `[^/]+`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(target)
}

func TestOpenAPIHasTheRoutes(t *testing.T) {
	var routed, documented []string
	for _, rt := range (&server{}).routes(prometheus.NewRegistry()) {
		routed = append(routed, rt.method+" "+rt.path)
	}
	for path, item := range described().Paths {
		for _, m := range item.Methods() {
			documented = append(documented, m.Name+" "+path)
		}
	}
	slices.Sort(routed)
	slices.Sort(documented)
	if diff := cmp.Diff(routed, documented); diff != "" {
		t.Errorf("routes (-) against openapi.json (+):\n%s", diff)
	}
}

// The schemas are held against the JSON of the values they describe.
func TestOpenAPIHasTheFields(t *testing.T) {
	for name, value := range map[string]any{
		"Task": task.Task{}, "TaskPage": envelope{}, "Deleted": deleted{}, "Health": health{}, "Index": index{},
		"Failure": failure{Errors: []task.Problem{{}}}, "Problem": task.Problem{},
		"TaskSync": taskSync{Task: []byte("{}")}, "StreamReset": streamReset{},
	} {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(raw, &fields); err != nil {
			t.Fatal(err)
		}
		got := slices.Sorted(maps.Keys(described().Components.Schemas[name].Properties))
		if diff := cmp.Diff(slices.Sorted(maps.Keys(fields)), got); diff != "" {
			t.Errorf("schema %s (-json +schema):\n%s", name, diff)
		}
	}
}

// A field of an input schema must be one that ParsePatch reads: with a value of
// no field's type it complains of exactly the fields that it knows.
func TestOpenAPIHasTheInputs(t *testing.T) {
	for _, name := range []string{"NewTask", "TaskChange"} {
		properties := described().Components.Schemas[name].Properties
		body := map[string]any{}
		for field := range properties {
			body[field] = map[string]any{}
		}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		_, err = task.ParsePatch(raw)
		_, failed := statusOf(t.Context(), err)
		var known []string
		for _, problem := range failed.Errors {
			known = append(known, problem.Field)
		}
		slices.Sort(known)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(properties)), known); diff != "" {
			t.Errorf("%s (-schema +ParsePatch):\n%s", name, diff)
		}
		if want := reflect.TypeFor[task.Patch]().NumField(); len(known) != want {
			t.Errorf("%s has %d fields, task.Patch %d", name, len(known), want)
		}
	}
}

func TestOpenAPIHasTheParameters(t *testing.T) {
	var got []string
	for _, p := range described().Paths["/api/tasks"].Get.Parameters {
		got = append(got, resolve(p, p.Ref, described().Components.Parameters).Name)
	}
	if diff := cmp.Diff(parameters(), got); diff != "" {
		t.Errorf("query parameters (-known +documented):\n%s", diff)
	}
	sort := described().Components.Parameters["Sort"]
	for _, field := range task.SortFields() {
		if !strings.Contains(string(openAPI), field) || sort.Name != "sort" {
			t.Errorf("sort field %s is not documented", field)
		}
	}
}

func TestOpenAPIReferencesResolve(t *testing.T) {
	var whole map[string]any
	if err := json.Unmarshal(openAPI, &whole); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	walk(whole, func(ref string) {
		used[ref] = true
		at := any(whole)
		for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			object, _ := at.(map[string]any)
			at = object[step]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	})
	for kind, components := range whole["components"].(map[string]any) {
		for name := range components.(map[string]any) {
			if ref := "#/" + path.Join("components", kind, name); !used[ref] && kind != "schemas" {
				t.Errorf("%s is used by nothing", ref)
			}
		}
	}
}

func walk(node any, visit func(ref string)) {
	switch node := node.(type) {
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok {
			visit(ref)
		}
		for _, child := range node {
			walk(child, visit)
		}
	case []any:
		for _, child := range node {
			walk(child, visit)
		}
	}
}

func TestOpenAPIOperationsHaveNames(t *testing.T) {
	names := map[string]string{}
	for path, item := range described().Paths {
		for _, m := range item.Methods() {
			where := fmt.Sprint(m.Name, " ", path)
			if other, taken := names[m.OperationID]; taken || m.OperationID == "" || m.Summary == "" {
				t.Errorf("%s: operationId %q, also of %q, summary %q", where, m.OperationID, other, m.Summary)
			}
			names[m.OperationID] = where
		}
	}
}

// The examples are not made up: the API takes those of the bodies, and those of
// tasks and errors decode without leaving anything over.
func TestOpenAPIExamples(t *testing.T) {
	a := newAPI()
	for _, example := range described().Components.RequestBodies["NewTask"].Content["application/json"].Examples {
		a.do(t, "POST", "/api/u1/tasks", string(example.Value)).want(t, 201, "")
	}
	for _, example := range described().Components.RequestBodies["TaskChange"].Content["application/json"].Examples {
		a.do(t, "PATCH", "/api/u1/tasks/1", string(example.Value)).want(t, 200, "")
	}
	for name, into := range map[string]any{"Task": &task.Task{}, "Changed": &task.Task{}, "Created": &task.Task{}, "Deleted": &deleted{}, "BadRequest": &failure{}, "Internal": &failure{}} {
		decoder := json.NewDecoder(strings.NewReader(string(described().Components.Responses[name].Content["application/json"].Example)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(into); err != nil {
			t.Errorf("example of %s: %v", name, err)
		}
		if example, ok := into.(*task.Task); ok && example.Validate() != nil {
			t.Errorf("example of %s: %v", name, example.Validate())
		}
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	got := newAPI().do(t, "GET", "/openapi.json", "").want(t, 200, `"openapi": "3.1.0"`)
	got.wantHeaders(t, "Content-Type: application/json")
}

func TestDocs(t *testing.T) {
	got := newAPI().do(t, "GET", "/docs", "").want(t, 200, "<!DOCTYPE html>")
	got.wantHeaders(t, "Content-Type: text/html; charset=utf-8")
	for path := range described().Paths {
		if !strings.Contains(got.body, "<code>"+path+"</code>") {
			t.Errorf("%s is not on the page", path)
		}
	}
	for name, s := range described().Components.Schemas {
		for field := range s.Properties {
			if !strings.Contains(got.body, "<code>"+field+"</code>") {
				t.Errorf("%s of %s is not on the page", field, name)
			}
		}
	}
	for _, foreign := range []string{"<script", "src=", "http://www", "https://www", "<link", "@import", "#ZgotmplZ", "&lt;nil&gt;"} {
		if strings.Contains(got.body, foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
}
