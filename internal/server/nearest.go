package server

import "slices"

// nearest returns the word that is the fewest edits away from the given one, the
// first of equals. It looks at no more of the given word than a parameter's name
// could have.
func nearest(word string, words []string) string {
	const most = 32
	word = word[:min(len(word), most)]
	return slices.MinFunc(words, func(a, b string) int { return distance(word, a) - distance(word, b) })
}

// distance is Levenshtein's: how many insertions, deletions and replacements of
// one byte lead from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
