package kafka

import "github.com/twmb/franz-go/pkg/kgo"

// A lane follows the records of one partition of the source until they are
// acknowledged, in whatever order that happens, so that Next never passes one that
// is not.
type lane struct {
	done  ReplayPartition
	first int64 // the number of waiting[0]
	wait  []waiting
}

// waiting is a record that was sent, with those behind it that the filter left out.
type waiting struct {
	ReplayPartition      // what is added when it is acknowledged; Next is where the partition is then
	acked           bool // it waits for one before it
}

// add returns the number of a record that is about to be sent.
func (l *lane) add(rec *kgo.Record) int64 {
	w := waiting{ReplayPartition: ReplayPartition{Next: rec.Offset + 1, Records: 1, Bytes: RecordBytes(rec)}}
	if Replayed(rec) {
		w.Again = 1
	}
	l.wait = append(l.wait, w)
	return l.first + int64(len(l.wait)) - 1
}

// skip passes over a record that isn't sent.
func (l *lane) skip(rec *kgo.Record) {
	at := &l.done
	if len(l.wait) > 0 {
		at = &l.wait[len(l.wait)-1].ReplayPartition
	}
	at.Next = max(at.Next, rec.Offset+1)
	at.Filtered++
}

// ack notes that the record of a number is acknowledged.
func (l *lane) ack(number int64) {
	l.wait[number-l.first].acked = true
	for len(l.wait) > 0 && l.wait[0].acked {
		w := l.wait[0].ReplayPartition
		l.wait = l.wait[1:]
		l.first++
		l.done.Next = max(l.done.Next, w.Next) // a broker that lost records may send old ones again
		l.done.Records += w.Records
		l.done.Bytes += w.Bytes
		l.done.Filtered += w.Filtered
		l.done.Again += w.Again
	}
}
