package kafka

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth is the deepest nesting that counts as JSON here; a reader of the line
// must be able to follow, and some stop at 256.
const maxDepth = 200

// bad is the position behind what isn't valid.
const bad = -1

// A scan is one strict pass over a JSON text (RFC 8259, valid UTF-8), which keeps
// and converts nothing. Its methods take the position of what they pass and return
// the position behind it, or bad; they are on the way of every record, so positions
// are kept in registers.
type scan struct {
	b []byte

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
	return len(s.b) > 0 && s.b[0] == '{' && s.object(0, 0, each) == len(s.b)
}

// object passes the object whose brace is at i.
func (s *scan) object(i, depth int, each func(key, value []byte)) int {
	if depth > maxDepth {
		return bad
	}
	if i = s.space(i + 1); i < len(s.b) && s.b[i] == '}' {
		return i + 1
	}
	for {
		key := i
		if i = s.str(i); i == bad {
			return bad
		}
		keyEnd := i - 1
		if i = s.space(i); i == len(s.b) || s.b[i] != ':' {
			return bad
		}
		value := s.space(i + 1)
		if i = s.value(value, depth+1); i == bad {
			return bad
		}
		if each != nil {
			each(s.b[key+1:keyEnd], s.b[value:i])
		}
		if i = s.space(i); i == len(s.b) {
			return bad
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return bad
		}
	}
}

// array passes the array whose bracket is at i.
func (s *scan) array(i, depth int, each func(element []byte)) int {
	if depth > maxDepth {
		return bad
	}
	if i = s.space(i + 1); i < len(s.b) && s.b[i] == ']' {
		return i + 1
	}
	for {
		element := i
		if i = s.value(i, depth+1); i == bad {
			return bad
		}
		if each != nil {
			each(s.b[element:i])
		}
		if i = s.space(i); i == len(s.b) {
			return bad
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return bad
		}
	}
}

func (s *scan) value(i, depth int) int {
	if i >= len(s.b) {
		return bad
	}
	switch s.b[i] {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, depth, nil)
	case '[':
		return s.array(i, depth, nil)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	}
	return s.number(i)
}

func (s *scan) word(i int, w string) int {
	if len(s.b)-i < len(w) || string(s.b[i:i+len(w)]) != w {
		return bad
	}
	return i + len(w)
}

// space is small enough to be inlined: mostly there is none.
func (s *scan) space(i int) int {
	if i < len(s.b) && s.b[i] <= ' ' {
		return s.spaces(i)
	}
	return i
}

func (s *scan) spaces(i int) int {
	for ; i < len(s.b); i++ {
		switch s.b[i] {
		case ' ', '\t':
		case '\n', '\r':
			s.rough = true
		default:
			return i
		}
	}
	return i
}

func (s *scan) number(i int) int {
	if s.b[i] == '-' {
		i++
	}
	if i < len(s.b) && s.b[i] == '0' {
		i++
	} else if i = s.digits(i); i == bad {
		return bad
	}
	if i < len(s.b) && s.b[i] == '.' {
		if i = s.digits(i + 1); i == bad {
			return bad
		}
	}
	if i < len(s.b) && s.b[i]|0x20 == 'e' {
		if i++; i < len(s.b) && (s.b[i] == '+' || s.b[i] == '-') {
			i++
		}
		return s.digits(i)
	}
	return i
}

func (s *scan) digits(i int) int {
	from := i
	for i < len(s.b) && s.b[i]-'0' <= 9 {
		i++
	}
	if i == from {
		return bad
	}
	return i
}

// str passes a string with its quotes.
func (s *scan) str(i int) int {
	b := s.b
	if i >= len(b) || b[i] != '"' {
		return bad
	}
	for i++; i < len(b); {
		if len(b)-i >= 8 {
			flags := notPlain(binary.LittleEndian.Uint64(b[i:]))
			if flags == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(flags) / 8
		} else if isPlain(b[i]) {
			i++
			continue
		}
		if b[i] == '"' {
			return i + 1
		}
		if i = s.special(i); i == bad {
			return bad
		}
	}
	return bad
}

// special passes what doesn't stand for itself, or isn't ASCII, in a string.
func (s *scan) special(i int) int {
	switch c := s.b[i]; {
	case c == '\\':
		return s.escape(i + 1)
	case c < 0x20:
		return bad
	case c == 0x7f:
		s.rough = true
		return i + 1
	}
	r, size := utf8.DecodeRune(s.b[i:])
	if r == utf8.RuneError && size == 1 {
		return bad
	}
	s.rough = s.rough || r < 0xa0
	return i + size
}

func (s *scan) escape(i int) int {
	if i >= len(s.b) {
		return bad
	}
	switch s.b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if len(s.b)-i < 5 {
			return bad
		}
		for _, c := range s.b[i+1 : i+5] {
			if !isHex(c) {
				return bad
			}
		}
		return i + 5
	}
	return bad
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isPlain tells whether c is printable ASCII that stands for itself in a JSON string.
func isPlain(c byte) bool { return 0x20 <= c && c < 0x7f && c != '"' && c != '\\' }

// notPlain looks at eight bytes at once: in its result, the lowest bit set is in the
// first byte that isn't plain; what is above it means nothing. A byte over 0x7f has
// its high bit, and DEL has it after adding one. A quote is 0x20 and a control
// character less than 0x20 once bit 1 is flipped, which nothing else is; a backslash is
// 0 against itself: subtracting one more than that borrows, and sets the high bit.
func notPlain(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	return (x | (x + ones) | ((x ^ ones*0x02) - ones*0x21) | ((x ^ ones*'\\') - ones)) & highs
}

// plain returns how many bytes at the front of b are plain.
func plain(b []byte) int {
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		if flags := notPlain(binary.LittleEndian.Uint64(b[n:])); flags != 0 {
			return n + bits.TrailingZeros64(flags)/8
		}
	}
	for n < len(b) && isPlain(b[n]) {
		n++
	}
	return n
}
