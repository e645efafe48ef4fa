package kafka

import (
	"bytes"
	"strings"
)

// A needle is text that is looked for in very many values, of which few have it. It
// is found by its rarest byte, which is several times faster than by its first: an
// event's values are mostly small letters and quotes.
type needle struct {
	text []byte
	at   int // of the rarest byte
}

// common are the bytes that JSON events have most, the commonest first.
const common = `"eatsidrno:,ucpl-0m_12gyfhb.3w{}T`

func newNeedle(text string) needle {
	n, rarest := needle{text: []byte(text)}, -1
	for i := range len(text) {
		rank := strings.IndexByte(common, text[i])
		if rank < 0 {
			rank = len(common)
		}
		if rank > rarest {
			rarest, n.at = rank, i
		}
	}
	return n
}

// index is bytes.Index.
func (n needle) index(b []byte) int {
	if len(n.text) == 0 {
		return 0
	}
	from := n.at
	for from < len(b) {
		i := bytes.IndexByte(b[from:], n.text[n.at])
		if i < 0 {
			return -1
		}
		start := from + i - n.at
		if bytes.HasPrefix(b[start:], n.text) {
			return start
		}
		from += i + 1
	}
	return -1
}

func (n needle) in(b []byte) bool { return n.index(b) >= 0 }
