package kafka

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth is the deepest nesting that counts as JSON here; a reader of the line
// must be able to follow, and some stop at 256.
const maxDepth = 200

// A scan is one strict pass over a JSON text (RFC 8259, valid UTF-8), which keeps
// and converts nothing.
type scan struct {
	b []byte
	i int

	// rough tells that the text, though valid, doesn't belong on a line or a
	// terminal as it is: a line break between tokens, or a DEL or C1 control
	// character in a string.
	rough bool
}

// members calls each with the raw key, without its quotes, and the raw value of
// every member of the object that the text is. It returns whether the text is one
// valid object and nothing besides, not even space around it; each may have been
// called before that was known.
func (s *scan) members(each func(key, value []byte)) bool {
	return s.object(0, each) && s.i == len(s.b)
}

func (s *scan) object(depth int, each func(key, value []byte)) bool {
	if depth > maxDepth || !s.eat('{') {
		return false
	}
	if s.space(); s.eat('}') {
		return true
	}
	for {
		s.space()
		key := s.i
		if !s.str() {
			return false
		}
		keyEnd := s.i
		s.space()
		if !s.eat(':') {
			return false
		}
		s.space()
		value := s.i
		if !s.value(depth + 1) {
			return false
		}
		if each != nil {
			each(s.b[key+1:keyEnd-1], s.b[value:s.i])
		}
		if s.space(); s.eat('}') {
			return true
		}
		if !s.eat(',') {
			return false
		}
	}
}

func (s *scan) array(depth int) bool {
	if depth > maxDepth || !s.eat('[') {
		return false
	}
	if s.space(); s.eat(']') {
		return true
	}
	for {
		s.space()
		if !s.value(depth + 1) {
			return false
		}
		if s.space(); s.eat(']') {
			return true
		}
		if !s.eat(',') {
			return false
		}
	}
}

func (s *scan) value(depth int) bool {
	if s.i >= len(s.b) {
		return false
	}
	switch s.b[s.i] {
	case '"':
		return s.str()
	case '{':
		return s.object(depth, nil)
	case '[':
		return s.array(depth)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

func (s *scan) eat(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scan) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

func (s *scan) space() {
	for ; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case ' ', '\t':
		case '\n', '\r':
			s.rough = true
		default:
			return
		}
	}
}

func (s *scan) number() bool {
	s.eat('-')
	if !s.eat('0') && !s.digits() {
		return false
	}
	if s.eat('.') && !s.digits() {
		return false
	}
	if s.eat('e') || s.eat('E') {
		if !s.eat('+') {
			s.eat('-')
		}
		return s.digits()
	}
	return true
}

func (s *scan) digits() bool {
	from := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

// str passes a string with its quotes.
func (s *scan) str() bool {
	if !s.eat('"') {
		return false
	}
	for {
		s.i += plain(s.b[s.i:])
		if s.i >= len(s.b) {
			return false
		}
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return true
		case c == '\\':
			if !s.escape() {
				return false
			}
		case c < 0x20:
			return false
		case c == 0x7f:
			s.rough = true
			s.i++
		default:
			r, size := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && size == 1 {
				return false
			}
			s.rough = s.rough || r < 0xa0
			s.i += size
		}
	}
}

func (s *scan) escape() bool {
	s.i++
	if s.i >= len(s.b) {
		return false
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return true
	case 'u':
		if len(s.b)-s.i < 5 {
			return false
		}
		for _, c := range s.b[s.i+1 : s.i+5] {
			if !isHex(c) {
				return false
			}
		}
		s.i += 5
		return true
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// plain returns how many bytes at the front of b are printable ASCII that stands
// for itself in a JSON string. It looks at eight bytes at a time: in each word of
// flags, the lowest bit set marks the first byte that isn't plain.
func plain(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(b[n:])
		quote, slash, del := x^(ones*'"'), x^(ones*'\\'), x^(ones*0x7f)
		flags := x | (x-ones*0x20)&^x | (quote-ones)&^quote | (slash-ones)&^slash | (del-ones)&^del
		if flags &= highs; flags != 0 {
			return n + bits.TrailingZeros64(flags)/8
		}
	}
	for ; n < len(b); n++ {
		if c := b[n]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return n
		}
	}
	return n
}
