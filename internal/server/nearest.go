package server

import (
	"slices"

	"github.com/todoctl/todoctl/internal/spelling"
)

// nearest returns the word that is the fewest edits away from the given one, the
// first of equals. It looks at no more of the given word than a parameter's name
// could have.
func nearest(word string, words []string) string {
	const most = 32
	word = word[:min(len(word), most)]
	return slices.MinFunc(words, func(a, b string) int { return spelling.Distance(word, a) - spelling.Distance(word, b) })
}
