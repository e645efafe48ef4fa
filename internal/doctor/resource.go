package doctor

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the size up to which a file is looked at. Dapr itself stops reading a
// file at a document of 64 KiB.
const maxFile = 4 << 20

// A Source is a folder of Dapr resources.
type Source struct {
	Dir string // as it is shown; a folder on disk, or "" for the built-in files
	FS  fs.FS
}

// resources are the documents of the folders, as Dapr would find them.
type resources struct {
	documents []*document
	broken    []brokenDocument
	files     int // YAML files at the top level
	below     int // YAML files in folders below it, which Dapr doesn't read
	failed    error
}

// A document is a Kubernetes-style object.
type document struct {
	source           Source
	file             string // its name in the source
	line             int    // where it begins
	apiVersion, kind string
	name             string
	root             *yaml.Node
	offset           int // added to a node's line
}

// A brokenDocument is one that is no YAML, although it means to be one of Dapr's.
type brokenDocument struct {
	at       string
	err      string
	template bool   // it has {{ }}, as a chart's template does
	misfit   bool   // it is YAML, and something in it is of a kind that Dapr can't take
	text     []byte // as it stands
}

// load reads the folders at their top level, as Dapr does.
func load(sources []Source) resources {
	var r resources
	for _, source := range sources {
		entries, err := fs.ReadDir(source.FS, ".")
		if err != nil {
			r.failed = fmt.Errorf("read %s: %w", source.Dir, err)
			continue
		}
		for _, e := range entries {
			if e.IsDir() {
				r.below += yamlFiles(source.FS, e.Name())
				continue
			}
			if isYAML(e.Name()) {
				r.files++
				r.loadFile(source, e.Name())
			}
		}
	}
	return r
}

func yamlFiles(fsys fs.FS, dir string) int {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		if !e.IsDir() && isYAML(e.Name()) {
			n++
		}
	}
	return n
}

// isYAML follows Dapr's disk loader.
func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

func (r *resources) loadFile(source Source, name string) {
	info, err := fs.Stat(source.FS, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return // a pipe would be read for ever
	}
	data, err := fs.ReadFile(source.FS, name)
	if err != nil {
		r.broken = append(r.broken, brokenDocument{at: filepath.Join(source.Dir, name), err: "can't be read: " + err.Error()})
		return
	}
	line := 1
	for _, part := range split(data) {
		r.parse(source, name, part, line)
		line += bytes.Count(part, []byte("\n"))
	}
}

// split cuts a file at each line that begins with "---", as Dapr does, whose documents
// stand or fall alone. What else is on that line is nobody's; its end stays, to be counted.
func split(data []byte) [][]byte {
	var parts [][]byte
	for {
		i := bytes.Index(data, []byte("\n---"))
		if i < 0 {
			return append(parts, data)
		}
		parts, data = append(parts, data[:i+1]), data[i+1:]
		if end := bytes.IndexByte(data, '\n'); end > 0 {
			data = data[end:]
		} else {
			data = nil
		}
	}
}

func (r *resources) parse(source Source, name string, part []byte, line int) {
	root, err := decode(part)
	if err != nil {
		if bytes.Contains(part, []byte("dapr.io/")) {
			at, text := errorLine(err, line)
			r.broken = append(r.broken, brokenDocument{
				at: fmt.Sprintf("%s:%d", filepath.Join(source.Dir, name), at), err: text, template: bytes.Contains(part, []byte("{{")), text: part,
			})
		}
		return
	}
	if root == nil {
		return
	}
	d := &document{source: source, file: name, root: root, offset: line - 1}
	d.line = root.Line + d.offset
	d.apiVersion, d.kind = text(lookup(root, "apiVersion")), text(lookup(root, "kind"))
	d.name = text(lookup(root, "metadata", "name"))
	if node, wanted := misfit(root); node != nil && strings.HasPrefix(d.apiVersion, "dapr.io/") {
		r.broken = append(r.broken, brokenDocument{at: d.at(node), err: wanted, misfit: true, text: part})
		return
	}
	if d.kind != "" {
		r.documents = append(r.documents, d)
	}
}

// decode parses one document; nil for an empty one.
func decode(part []byte) (root *yaml.Node, err error) {
	defer func() {
		if v := recover(); v != nil {
			root, err = nil, fmt.Errorf("yaml: %v", v)
		}
	}()
	var document yaml.Node
	if err := yaml.Unmarshal(part, &document); err != nil {
		return nil, err
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) == 0 {
		return nil, nil
	}
	return document.Content[0], nil
}

// errorLine takes "yaml: line 3: what" apart.
func errorLine(err error, offset int) (int, string) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if n, _ := fmt.Sscanf(message, "line %d:", &line); n == 1 {
		_, message, _ = strings.Cut(message, ": ")
		return max(line, 1) + offset - 1, message
	}
	return offset, message
}

func (d *document) at(node *yaml.Node) string {
	line := d.line
	if node != nil && node.Line > 0 {
		line = node.Line + d.offset
	}
	return fmt.Sprintf("%s:%d", d.path(), line)
}

// is tells whether Dapr takes the document for one of that kind.
func (d *document) is(kind string) bool {
	if d.kind != kind {
		return false
	}
	return d.apiVersion == "dapr.io/v1alpha1" || (kind == "Subscription" && d.apiVersion == "dapr.io/v2alpha1")
}

// scopes are the app ids that may use it; none means all.
func (d *document) scopes() []string {
	var list []string
	for _, node := range children(lookup(d.root, "scopes")) {
		list = append(list, text(node))
	}
	return list
}

// of returns the documents of a kind.
func (r resources) of(kind string) []*document {
	var list []*document
	for _, d := range r.documents {
		if d.is(kind) {
			list = append(list, d)
		}
	}
	return list
}

// path is the document's file.
func (d *document) path() string { return filepath.Join(d.source.Dir, d.file) }
