package dlq

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Selection says which letters are meant: those that fit every field that is set. The
// zero Selection means all.
type Selection struct {
	Filter  func(*kgo.Record) bool // as of kafka.Filter.Matcher
	Reasons []string               // of which the letter has one, whatever its case; "unknown" is ReasonUnknown
	IDs     []string               // ids of events, or places of letters such as task-events-dlq[1]@42
}

// Has tells whether the letter is meant.
func (s Selection) Has(l Letter) bool {
	switch {
	case s.Filter != nil && !s.Filter(l.Record):
		return false
	case len(s.Reasons) > 0 && !slices.ContainsFunc(s.Reasons, func(want string) bool { return sameReason(want, l.Reason) }):
		return false
	case len(s.IDs) == 0:
		return true
	}
	return l.Event.ID != "" && slices.Contains(s.IDs, l.Event.ID) || slices.Contains(s.IDs, l.Place().String())
}

func sameReason(want, has string) bool {
	short, _, _ := strings.Cut(has, " (")
	return strings.EqualFold(want, has) || strings.EqualFold(want, short)
}
