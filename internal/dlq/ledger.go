package dlq

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
)

// A ledger is what is settled of a partition. The zero ledger has nothing settled.
type ledger struct {
	next  int64 // all below is settled
	above []run // what is settled above next: ascending, not empty, with gaps between
}

// A run is the offsets from From, up to but without To.
type run struct{ from, to int64 }

func (l ledger) settled(offset int64) bool {
	i := sort.Search(len(l.above), func(i int) bool { return l.above[i].to > offset })
	return offset < l.next || i < len(l.above) && l.above[i].from <= offset
}

// Brokers take 4096 bytes of metadata by default (offset.metadata.max.bytes). A run
// takes some 3 of them, if neither it nor the gap before it is over 127 offsets.
const (
	maxMetadata    = 4000
	metadataPrefix = "todoctl-dlq/1 "
)

var errScattered = errors.New("too many separate letters are settled above others that are not, which the group's commit can't hold; first redrive or discard the older ones")

// metadata is the text of above: gaps and lengths in turn, as unsigned varints.
func (l ledger) metadata() (string, error) {
	if len(l.above) == 0 {
		return "", nil
	}
	var raw []byte
	at := l.next
	for _, r := range l.above {
		raw = binary.AppendUvarint(raw, uint64(r.from-at))
		raw = binary.AppendUvarint(raw, uint64(r.to-r.from))
		at = r.to
	}
	text := metadataPrefix + base64.RawURLEncoding.EncodeToString(raw)
	if len(text) > maxMetadata {
		return "", errScattered
	}
	return text, nil
}

// parseLedger reads a commit. Metadata that isn't todoctl's own, such as none after
// somebody has set the offset by hand, means that nothing is settled above.
func parseLedger(next int64, metadata string) (ledger, error) {
	l := ledger{next: next}
	text, ok := strings.CutPrefix(metadata, metadataPrefix)
	if !ok {
		return l, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return l, fmt.Errorf("list of settled offsets: %w", err)
	}
	for at := next; len(raw) > 0; {
		var r run
		for _, end := range []*int64{&r.from, &r.to} {
			n, size := binary.Uvarint(raw)
			if size <= 0 || n == 0 || n > uint64(math.MaxInt64-at) {
				return ledger{next: next}, errors.New("list of settled offsets: it is damaged")
			}
			at += int64(n)
			*end, raw = at, raw[size:]
		}
		l.above = append(l.above, r)
	}
	return l, nil
}

// A mark is a letter of a partition: where it is, and whether it is settled.
type mark struct {
	offset  int64
	settled bool
}

// tally makes a ledger of a partition's letters, ascending, behind which it ends at end.
// Offsets without a letter are part of a run only where letters on both sides are.
func tally(end int64, marks []mark) ledger {
	first := slices.IndexFunc(marks, func(m mark) bool { return !m.settled })
	if first < 0 {
		return ledger{next: end}
	}
	l := ledger{next: marks[first].offset}
	within := false
	for _, m := range marks[first:] {
		switch {
		case m.settled && within:
			l.above[len(l.above)-1].to = m.offset + 1
		case m.settled:
			l.above = append(l.above, run{m.offset, m.offset + 1})
		}
		within = m.settled
	}
	return l
}
