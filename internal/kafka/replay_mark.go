package kafka

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The headers that a replay appends to every record, behind those that it has. A
// record that is replayed again gets them again: the last pair is of the latest
// replay, the first pair tells where the record was first.
const (
	ReplayIDHeader     = "todoctl-replay-id"     // ReplayState.ID
	ReplayOriginHeader = "todoctl-replay-origin" // such as task-events[1]@42
)

// Replayed tells whether the record is the product of a replay.
func Replayed(r *kgo.Record) bool {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == ReplayIDHeader {
			return true
		}
	}
	return false
}

// again is the record as it is produced to the target. It shares the memory of r.
func (r *Replay) again(rec *kgo.Record) *kgo.Record {
	origin := make([]byte, 0, len(rec.Topic)+24)
	origin = append(append(origin, rec.Topic...), '[')
	origin = append(strconv.AppendInt(origin, int64(rec.Partition), 10), "]@"...)
	origin = strconv.AppendInt(origin, rec.Offset, 10)

	headers := make([]kgo.RecordHeader, 0, len(rec.Headers)+2)
	headers = append(headers, rec.Headers...)
	headers = append(headers,
		kgo.RecordHeader{Key: ReplayIDHeader, Value: []byte(r.state.ID)},
		kgo.RecordHeader{Key: ReplayOriginHeader, Value: origin})
	return &kgo.Record{
		Topic: r.o.ToTopic, Partition: rec.Partition, Timestamp: rec.Timestamp,
		Key: rec.Key, Value: rec.Value, Headers: headers,
	}
}
