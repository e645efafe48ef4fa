package doctor

import (
	"fmt"
	"slices"

	"github.com/todoctl/todoctl/internal/spelling"
)

// Choose returns the checks that are meant: those named by id or group, all when none
// is, without those that are to be skipped, and with those that they need. A word that
// is neither is an error that names the nearest one.
func Choose(checks []Check, only, skip []string) ([]Check, error) {
	for _, word := range slices.Concat(only, skip) {
		if !slices.ContainsFunc(checks, func(c Check) bool { return c.is(word) }) {
			return nil, unknownWord(checks, word)
		}
	}
	wanted := map[string]bool{}
	var want func(c Check)
	want = func(c Check) {
		if wanted[c.ID] || slices.ContainsFunc(skip, c.is) {
			return
		}
		wanted[c.ID] = true
		for _, other := range checks {
			if slices.Contains(c.Needs, other.ID) {
				want(other)
			}
		}
	}
	for _, c := range checks {
		if len(only) == 0 || slices.ContainsFunc(only, c.is) {
			want(c)
		}
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return !wanted[c.ID] }), nil
}

func (c Check) is(word string) bool { return c.ID == word || c.Group() == word }

func unknownWord(checks []Check, word string) error {
	known := slices.Clone(Groups())
	for _, c := range checks {
		known = append(known, c.ID)
	}
	if near := nearest(word, known); near != "" {
		return fmt.Errorf("no check or group is called %q; did you mean %q?", word, near)
	}
	return fmt.Errorf("no check or group is called %q; 'todoctl doctor --list' shows them", word)
}

// nearest is the known word with the fewest edits, if they are few for its length.
func nearest(word string, known []string) string {
	best, fewest := "", max(3, len(word)/3)
	for _, k := range known {
		if n := spelling.Distance(word, k); n < fewest {
			best, fewest = k, n
		}
	}
	return best
}
