package doctor

import (
	"slices"
	"strconv"
	"strings"

	"github.com/todoctl/todoctl/internal/spelling"
)

func quoted(name string) string {
	if name == "" {
		return "without a name"
	}
	return strconv.Quote(name)
}

func contains(list []string, word string) bool { return slices.Contains(list, word) }

func keysOf[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// nearestFew is the known word that is at most two edits away, whatever the case.
func nearestFew(word string, known []string) string {
	best, fewest := "", min(3, len(word))
	for _, k := range slices.Sorted(slices.Values(known)) {
		if n := spelling.Distance(strings.ToLower(word), strings.ToLower(k)); n < fewest {
			best, fewest = k, n
		}
	}
	return best
}
