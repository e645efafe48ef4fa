package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/todoctl/todoctl/internal/kafka"
)

// ResourceOptions say which Dapr resources to write, and where.
type ResourceOptions struct {
	// Sources are read at their top level only, as Dapr does; of two files with the
	// same name the later source's is taken.
	Sources []fs.FS
	Dir     string   // owned by todoctl; YAML files in it that no source has are removed
	Brokers []string // when not empty, put into every pubsub.kafka component
	Redis   string   // HOST:PORT; when not empty, put into every pubsub.redis and state.redis component

	// Security, when it is on, is put into every pubsub.kafka component, in place of
	// what that says of TLS and login. Password and key aren't written: the component
	// names variables, which SecurityEnv has.
	Security kafka.Security

	// PublishOnly is for an app that subscribes to nothing: in every pubsub.kafka
	// component a readTimeout of more than 10s becomes 10s, so that a connection that is
	// half open doesn't hold what is published, and a compression of gzip is left out.
	// Consumers need both, see dapr-components/pubsub-kafka.yaml.
	PublishOnly bool
}

// WriteResources writes the resources into Dir and returns the names of the files.
// A file that is no YAML is copied as it is and reported as an error with file and
// line: Dapr itself would pass over it with a warning, and the component be
// missing. Comments survive.
func WriteResources(opts ResourceOptions) ([]string, error) {
	if err := checkDapr(opts.Security); err != nil {
		return nil, err
	}
	// All is read before anything is removed: a source may be Dir itself.
	files, err := readResources(opts.Sources)
	if err != nil {
		return nil, fmt.Errorf("read resources: %w", err)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("resources folder: %w", err)
	}
	if err := removeOthers(opts.Dir, files); err != nil {
		return nil, fmt.Errorf("resources folder: %w", err)
	}
	var names []string
	var problems []error
	for name, content := range files {
		edited, err := opts.edit(content)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s%w", name, err))
			edited = content
		}
		if err := writeFile(filepath.Join(opts.Dir, name), edited); err != nil {
			problems = append(problems, fmt.Errorf("write resource %s: %w", name, err))
		}
		names = append(names, name)
	}
	slices.Sort(names)
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return names, errors.Join(problems...)
}

func readResources(sources []fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, source := range sources {
		entries, err := fs.ReadDir(source, ".")
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() || !isYAML(e.Name()) {
				continue
			}
			if files[e.Name()], err = fs.ReadFile(source, e.Name()); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

func removeOthers(dir string, keep map[string][]byte) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, kept := keep[e.Name()]; kept || e.IsDir() || !isYAML(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// isYAML follows Dapr's disk loader (pkg/internal/loader/disk).
func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}
