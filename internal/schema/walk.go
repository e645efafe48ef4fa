package schema

import (
	"bytes"
	"encoding/json"
)

// A walker passes over a valid JSON text once, value by value. On a text that isn't
// valid it stops at its end; what it found is worthless then.
type walker struct {
	b []byte
	i int
}

func (w *walker) space() {
	for w.i < len(w.b) && (w.b[w.i] == ' ' || w.b[w.i] == '\t' || w.b[w.i] == '\n' || w.b[w.i] == '\r') {
		w.i++
	}
}

// peek is the first byte of the next token, 0 at the end.
func (w *walker) peek() byte {
	w.space()
	if w.i >= len(w.b) {
		return 0
	}
	return w.b[w.i]
}

func (w *walker) eat(c byte) bool {
	if w.peek() != c {
		return false
	}
	w.i++
	return true
}

// skip passes over a value and returns it as it stands.
func (w *walker) skip() []byte {
	c := w.peek()
	start := w.i
	switch c {
	case '"':
		w.str()
	case '{', '[':
		w.nested()
	default:
		w.word()
	}
	return w.b[start:w.i]
}

// word passes over a number, true, false or null.
func (w *walker) word() {
	for ; w.i < len(w.b); w.i++ {
		switch w.b[w.i] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return
		}
	}
}

// nested passes over an object or an array.
func (w *walker) nested() {
	for depth := 0; w.i < len(w.b); {
		switch w.b[w.i] {
		case '"':
			w.str()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				w.i++
				return
			}
		}
		w.i++
	}
}

// str passes over a string and returns it with its quotes.
func (w *walker) str() []byte {
	start := w.i
	for i := start + 1; i < len(w.b); i++ {
		switch w.b[i] {
		case '\\':
			i++
		case '"':
			w.i = i + 1
			return w.b[start:w.i]
		}
	}
	w.i = len(w.b)
	return w.b[start:]
}

// members calls each with every key of an object, as text; each passes over the value.
func (w *walker) members(each func(key []byte)) {
	if !w.eat('{') || w.eat('}') {
		return
	}
	for w.peek() == '"' {
		key := text(w.str())
		w.eat(':')
		before := w.i
		each(key)
		if !w.eat(',') || w.i == before {
			break
		}
	}
	w.eat('}')
}

// elements calls each at every element of an array; each passes over it.
func (w *walker) elements(each func(i int)) int {
	if !w.eat('[') || w.eat(']') {
		return 0
	}
	for n := 1; ; n++ {
		before := w.i
		each(n - 1)
		if !w.eat(',') || w.i == before {
			w.eat(']')
			return n
		}
	}
}

// text is what a valid JSON string stands for.
func text(quoted []byte) []byte {
	if len(quoted) < 2 {
		return nil
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // valid
	return []byte(s)
}
