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
	at   int // of the rarest byte; -1 where all are digits, of which values are full
}

// common are the bytes that JSON events have most, the commonest first.
const common = `"eatsidrno:,01ucpl-23456789mgyfhb._w{}T`

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
	if strings.Trim(text, "0123456789") == "" {
		n.at = -1
	}
	return n
}

// index is bytes.Index.
func (n needle) index(b []byte) int {
	if n.at < 0 {
		return bytes.Index(b, n.text)
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
