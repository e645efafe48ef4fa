package doctor

import (
	"context"
	"fmt"
	"strings"
)

// fileChecks are the checks that read the component files only.
func (s *subject) fileChecks() []Check {
	return []Check{
		{
			ID: "files.folder", Severity: Error, Title: "the resources folder has files that Dapr reads",
			Symptom: "the sidecar starts without any component", Cause: "the folder is missing, or its files lie in folders below it, which Dapr doesn't read",
			Mend: "name the folder that holds the files: --resources-path DIR", Run: s.checkFolder,
		},
		{
			ID: "files.yaml", Severity: Error, Title: "every resource file is YAML of Dapr's form",
			Symptom: "a component is missing, and the sidecar's log has one warning", Cause: "Dapr passes over a document that it can't parse, or in which a list, a word or a number stands where it wants something else",
			Mend: "correct the line", Run: s.checkYAML,
		},
		{
			ID: "files.kind", Severity: Error, Title: "kind and apiVersion are Dapr's",
			Symptom: "a component is missing, and no log line says why", Cause: "Dapr passes over documents of another kind or apiVersion in silence",
			Mend: "write kind and apiVersion as Dapr does", Fixes: true, Run: s.checkKind,
		},
		{
			ID: "files.duplicate", Severity: Error, Title: "every component has a name of its own",
			Symptom: "`duplicate definition of Component name`, and daprd ends", Cause: "two components in the loaded folders have the same name",
			Mend: "rename one of them, or move its file to a folder of its own", Run: s.checkDuplicates,
		},
		{
			ID: "files.component-type", Severity: Error, Title: "component types and their versions are known to Dapr",
			Symptom: "`incorrect type workmanager.jobscheduler`, and daprd ends", Cause: "no daprd has a component of that type, or of that version of it",
			Mend: "correct spec.type or spec.version, or remove the file", Fixes: true, Run: s.checkTypes,
		},
		{
			ID: "files.kubernetes-store", Severity: Error, Title: "no Kubernetes secret store outside Kubernetes",
			Symptom: "`stat ~/.kube/config: no such file or directory`, and daprd ends", Cause: "secretstores.kubernetes works inside a cluster only",
			Mend: "move the file out of the folder", Run: s.checkKubernetesStore,
		},
		{
			ID: "files.secret-store", Severity: Error, Title: "secrets come from a store that is loaded",
			Symptom: "the sidecar is healthy, publishing answers 404", Cause: "a component whose secret store isn't loaded is not loaded either",
			Mend: "add the secret store's component, or write the value itself", After: []string{"files.kubernetes-store"}, Run: s.checkSecretStores,
		},
		{
			ID: "files.placeholder", Severity: Error, Title: "values are expanded",
			Symptom: "`lookup {KAFKA_BROKERS}: no such host`", Cause: "Dapr expands neither ${NAME} nor {NAME} in a value",
			Mend: "write the value, or take it from the environment with envRef or a secret store", Run: s.checkPlaceholders,
		},
	}
}

func (s *subject) checkFolder(context.Context) Result {
	if len(s.Sources) == 0 {
		return beside()
	}
	if err := s.res.failed; err != nil {
		return found(Finding{Message: fmt.Sprintf("The resources folder can't be read: %v.", err), Evidence: facts("folder", s.dirs())})
	}
	if s.res.files == 0 && s.res.below > 0 {
		return found(Finding{
			Message:  fmt.Sprintf("The resources folder has no YAML file itself, and Dapr doesn't read the %d in the folders below it.", s.res.below),
			Evidence: facts("folder", s.dirs()),
		})
	}
	if s.res.files == 0 {
		return found(Finding{Message: "The resources folder has no YAML file.", Evidence: facts("folder", s.dirs())})
	}
	return Result{}
}

func (s *subject) dirs() string {
	var dirs []string
	for _, source := range s.Sources {
		dirs = append(dirs, source.Dir)
	}
	return strings.Join(dirs, ", ")
}

func (s *subject) checkYAML(context.Context) Result {
	var r Result
	for _, b := range s.res.broken {
		f := Finding{
			Message:  "A document is no YAML, so Dapr passes over it: " + b.err + ".",
			Evidence: facts("at", b.at), Mend: "correct " + b.at,
		}
		if b.misfit {
			f.Message = "Dapr can't read a document and passes over it: " + b.err + "."
		}
		if b.template {
			f.Message = "A document is the template of a chart and no YAML yet, so Dapr passes over it: " + b.err + "."
			f.Mend = "render the chart (helm template) and name the folder of its output"
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

// kinds are Dapr's kinds with their versions.
func kinds() map[string][]string {
	v1 := []string{"dapr.io/v1alpha1"}
	return map[string][]string{
		"Component": v1, "Configuration": v1, "Resiliency": v1, "HTTPEndpoint": v1, "MCPServer": v1, "WorkflowAccessPolicy": v1,
		"Subscription": {"dapr.io/v2alpha1", "dapr.io/v1alpha1"},
	}
}

func (s *subject) checkKind(context.Context) Result {
	var r Result
	for _, d := range s.res.documents {
		versions, known := kinds()[d.kind]
		dapr := strings.HasPrefix(d.apiVersion, "dapr.io/")
		switch {
		case !known && dapr:
			if near := nearestFew(d.kind, keysOf(kinds())); near != "" {
				r.Findings = append(r.Findings, s.wrongWord(d, "kind", d.kind, near))
			}
		case known && !contains(versions, d.apiVersion):
			if near := nearestFew(d.apiVersion, versions); near != "" || dapr || d.apiVersion == "" {
				if near == "" {
					near = versions[0]
				}
				r.Findings = append(r.Findings, s.wrongWord(d, "apiVersion", d.apiVersion, near))
			}
		}
	}
	return r
}

func (s *subject) wrongWord(d *document, key, have, want string) Finding {
	node := lookup(d.root, key)
	f := Finding{
		Message:  fmt.Sprintf("The %s of %s is %q, so Dapr passes over it without a word.", key, quoted(d.name), have),
		Evidence: facts("at", d.at(node), "found", have, "wanted", want),
		Mend:     fmt.Sprintf("write %s: %s", key, want),
	}
	if node != nil {
		f.Fix = s.edit(d, node, want)
	}
	return f
}

func (s *subject) checkDuplicates(context.Context) Result {
	var r Result
	taken := map[string]*document{}
	for _, d := range s.res.of("Component") {
		if first, ok := taken[d.name]; ok {
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Two components are called %q, so daprd ends when it starts.", d.name),
				Evidence: facts("at", d.at(lookup(d.root, "metadata", "name")), "also at", first.at(lookup(first.root, "metadata", "name"))),
			})
			continue
		}
		// Dapr looks at the scopes only after it has looked for the name.
		if serves(d.scopes(), s.AppID.Value) {
			taken[d.name] = d
		}
	}
	return r
}

func (s *subject) checkTypes(context.Context) Result {
	var r Result
	for _, c := range s.res.components() {
		_, ok := s.types[c.typ]
		if s.pluggable(c.typ) || strings.Contains(c.typ, "{{") {
			continue
		}
		if ok {
			r.Findings = append(r.Findings, s.wrongVersion(c)...)
			continue
		}
		f := Finding{
			Message:  fmt.Sprintf("Component %s has the type %q, which no daprd knows: %s.", quoted(c.name), text(c.typeNode), c.refused()),
			Evidence: facts("at", c.at(c.typeNode), "found", text(c.typeNode)),
			Mend:     "remove the component, or correct its spec.type",
		}
		if near := nearestFew(c.typ, s.types.names()); near != "" {
			f.Evidence = append(f.Evidence, Fact{"wanted", near})
			f.Mend = "write type: " + near
			f.Fix = s.edit(c.document, c.typeNode, near)
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

func (s *subject) wrongVersion(c component) []Finding {
	node := lookup(c.root, "spec", "version")
	if c.knownVersion() || strings.Contains(text(node), "{{") {
		return nil
	}
	return []Finding{{
		Message:  fmt.Sprintf("Component %s is of version %q of %s, which no daprd knows: %s.", quoted(c.name), text(node), c.typ, c.refused()),
		Evidence: facts("at", c.at(node), "found", text(node), "wanted", "v1"), Mend: "write version: v1", Fix: s.edit(c.document, node, "v1"),
	}}
}

func (s *subject) checkKubernetesStore(context.Context) Result {
	if s.res.kubernetes() || s.LookupEnv("KUBERNETES_SERVICE_HOST") != "" {
		return beside()
	}
	var r Result
	for _, c := range s.res.components() {
		if c.typ == "secretstores.kubernetes" {
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Component %s is Kubernetes' secret store, which works inside a cluster only: %s.", quoted(c.name), c.refused()),
				Evidence: facts("at", c.at(c.typeNode), "found", text(c.typeNode)),
				Mend:     "move " + c.path() + " out of the folder",
			})
		}
	}
	return r
}

func (s *subject) checkSecretStores(context.Context) Result {
	if s.res.kubernetes() || s.LookupEnv("KUBERNETES_SERVICE_HOST") != "" {
		return beside()
	}
	stores := map[string]bool{}
	for _, c := range s.res.components() {
		if strings.HasPrefix(c.typ, "secretstores.") {
			stores[c.name] = true
		}
	}
	var r Result
	for _, c := range s.res.components() {
		store := text(lookup(c.root, "auth", "secretStore"))
		for _, i := range c.items {
			if i.secret == "" || stores[store] || (store != "" && s.lost(store)) {
				continue
			}
			message := fmt.Sprintf("Component %s takes %q from the secret store %q, which isn't in the folder, so Dapr doesn't load it.", quoted(c.name), i.name, store)
			if store == "" {
				message = fmt.Sprintf("Component %s takes %q from a secret and names no secret store (auth.secretStore), so the value stays empty.", quoted(c.name), i.name)
			}
			r.Findings = append(r.Findings, Finding{Message: message, Evidence: facts("at", c.at(i.nameNode), "secret store", store)})
			break // one for a component
		}
	}
	return r
}
