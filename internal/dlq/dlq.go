// Package dlq knows dead letters: how they are written, what they say, which of them
// are still to be dealt with, and how they go back to where they came from.
//
// A dead letter is a record of a topic whose name ends in "-dlq". There are three
// kinds, and Parse reads them all: CloudEvents with the attributes of Cause.Attach,
// records with the headers of Cause.Headers, and the copies that Dapr makes by
// itself, which don't say why.
//
// The backlog is what nobody has dealt with. It is kept in the committed offsets of
// the consumer group Group: a partition's offset is that of the first letter that is
// not settled, and the commit's metadata lists what is settled above it.
//
// Guarantees: a letter is settled only after its event was acknowledged by the topic
// that it came from, or its discarding is on the disk. So after a crash a letter may
// be dealt with twice, with the same event id, and never not at all. Letters that are
// not selected stay in the backlog. At most one at a time deals with letters: it is
// the only member of Group, and only a member's commits are taken.
//
// It doesn't decide what becomes a dead letter, and deletes none: that is the
// topic's retention's business.
package dlq

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Suffix ends the name of every topic of dead letters.
const Suffix = "-dlq"

// Group is the consumer group whose committed offsets are the backlog's.
const Group = "todoctl-dlq-redrive"

// Topics returns the names of the topics of dead letters that the cluster has.
func Topics(ctx context.Context, cl *kgo.Client) ([]string, error) {
	found, err := kadm.NewClient(cl).ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var names []string
	for _, name := range found.Names() {
		if strings.HasSuffix(name, Suffix) {
			names = append(names, name)
		}
	}
	return names, nil
}

// A Place is where a record is.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p Place) String() string { return fmt.Sprintf("%s[%d]@%d", p.Topic, p.Partition, p.Offset) }

// ParsePlace reads what String writes.
func ParsePlace(s string) (Place, bool) {
	rest, offset, ok := strings.Cut(s, "]@")
	open := strings.LastIndexByte(rest, '[')
	if !ok || open < 1 {
		return Place{}, false
	}
	partition, err := strconv.ParseUint(rest[open+1:], 10, 31)
	if err != nil {
		return Place{}, false
	}
	n, err := strconv.ParseUint(offset, 10, 63)
	if err != nil {
		return Place{}, false
	}
	return Place{Topic: rest[:open], Partition: int32(partition), Offset: int64(n)}, true
}
