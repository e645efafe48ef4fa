package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Fix mends a finding. Diff tells beforehand what Apply does; where the world has
// changed since the finding was made, Apply changes nothing and returns an error.
type Fix interface {
	Diff() string // lines that begin with "-" and "+", or one that says what is done
	Apply(ctx context.Context) error
}

// ErrChanged is returned by Apply for a file that is no longer what was examined.
var ErrChanged = errors.New("it has changed since it was examined: run doctor again")

// A lineFix replaces one line of a file.
type lineFix struct {
	path     string
	line     int // from 1
	old, new string
}

// Diff is the line before and after.
func (f lineFix) Diff() string {
	after := ""
	for line := range strings.SplitSeq(f.new, "\n") {
		after += "\n+" + line
	}
	return fmt.Sprintf("%s:%d\n-%s%s", f.path, f.line, f.old, after)
}

// Apply rewrites the file as a whole, keeping every other byte and its mode.
func (f lineFix) Apply(context.Context) error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if f.line > len(lines) || strings.TrimRight(string(lines[f.line-1]), "\r\n") != f.old {
		return fmt.Errorf("%s:%d: %w", f.path, f.line, ErrChanged)
	}
	end := string(lines[f.line-1][len(f.old):])
	lines[f.line-1] = []byte(f.new + end)
	return replaceFile(f.path, bytes.Join(lines, nil), info.Mode().Perm())
}

// replaceFile writes a file beside the old one and puts it in its place; a link is
// followed first.
func replaceFile(path string, data []byte, mode os.FileMode) (err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".todoctl-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// edit is the fix that writes another value in the place of a scalar, nil where that
// can't be done safely: in the built-in files, and for a value that isn't on one line.
func (s *subject) edit(d *document, node *yaml.Node, value string) Fix {
	line, ok := s.lineOf(d, node)
	if !ok || node.Column < 1 || node.Kind != yaml.ScalarNode || node.Anchor != "" || node.Alias != nil {
		return nil
	}
	start := runeOffset(line, node.Column-1)
	end, ok := scalarEnd(line, start, node)
	if !ok {
		return nil
	}
	return lineFix{
		path: d.path(), line: node.Line + d.offset,
		old: line, new: line[:start] + sameStyle(node, value) + line[end:],
	}
}

// sameStyle writes a value with the quotes of the old one.
func sameStyle(node *yaml.Node, value string) string {
	switch node.Style {
	case yaml.DoubleQuotedStyle:
		return `"` + value + `"`
	case yaml.SingleQuotedStyle:
		return `'` + value + `'`
	default:
	}
	if value == "true" || value == "false" {
		return `"` + value + `"`
	}
	return value
}

// scalarEnd is where a scalar that begins at start ends on its line.
func scalarEnd(line string, start int, node *yaml.Node) (int, bool) {
	source := node.Value
	switch node.Style {
	case yaml.DoubleQuotedStyle:
		source = `"` + source + `"`
	case yaml.SingleQuotedStyle:
		source = `'` + source + `'`
	case 0:
	default:
		return 0, false
	}
	if source == "" || !strings.HasPrefix(line[start:], source) {
		return 0, false // with escapes, or folded: left to a person
	}
	return start + len(source), true
}

// addItem is the fix that adds a metadata item behind another one, nil where none is
// written as "- name: …" with its value on the next line.
func (s *subject) addItem(c component, name, value string) Fix {
	for _, i := range c.items {
		head, ok := s.lineOf(c.document, i.nameNode)
		if !ok || i.node == nil || i.node.Line != i.nameNode.Line+1 || i.node.Kind != yaml.ScalarNode {
			continue
		}
		line, _ := s.lineOf(c.document, i.node)
		if _, plain := scalarEnd(line, runeOffset(line, i.node.Column-1), i.node); !plain || !strings.HasPrefix(strings.TrimSpace(head), "- name:") {
			continue
		}
		indent, _, _ := strings.Cut(head, "-")
		return lineFix{
			path: c.path(), line: i.node.Line + c.offset, old: line,
			new: fmt.Sprintf("%s\n%s- name: %s\n%s  value: %q", line, indent, name, indent, value),
		}
	}
	return nil
}

// lineOf is the line of the file on which a node begins.
func (s *subject) lineOf(d *document, node *yaml.Node) (string, bool) {
	if d.source.Dir == "" || node == nil || node.Line < 1 {
		return "", false
	}
	data, err := os.ReadFile(d.path())
	if err != nil {
		return "", false
	}
	lines := strings.Split(string(data), "\n")
	n := node.Line + d.offset
	if n > len(lines) {
		return "", false
	}
	return strings.TrimSuffix(lines[n-1], "\r"), true
}

// runeOffset is the byte at which the rune of that number begins.
func runeOffset(line string, n int) int {
	for i := range line {
		if n == 0 {
			return i
		}
		n--
	}
	return len(line)
}
