package doctor

import (
	"bytes"
	"strings"
)

// lost tells whether a name is that of something in the folder which Dapr doesn't load
// for a reason that is a finding of its own: so what is missing isn't the name.
func (s *subject) lost(name string) bool {
	for _, b := range s.res.broken {
		if bytes.Contains(b.text, []byte(name)) {
			return true
		}
	}
	for _, d := range s.res.documents {
		if d.name == name && s.passedOver(d) {
			return true
		}
	}
	for _, c := range s.res.components() {
		if _, known := s.types[c.typ]; c.name == name && !known {
			return true
		}
	}
	return false
}

// lostKind tells whether a document of that kind may be among those.
func (s *subject) lostKind(kind string) bool {
	for _, b := range s.res.broken {
		if bytes.Contains(b.text, []byte(kind)) {
			return true
		}
	}
	for _, d := range s.res.documents {
		if s.passedOver(d) && nearestFew(d.kind, []string{kind}) != "" {
			return true
		}
	}
	return false
}

// passedOver tells whether a document means to be one of Dapr's and isn't.
func (s *subject) passedOver(d *document) bool {
	versions, known := kinds()[d.kind]
	if known {
		return !contains(versions, d.apiVersion)
	}
	return strings.HasPrefix(d.apiVersion, "dapr.io/") && nearestFew(d.kind, keysOf(kinds())) != ""
}
