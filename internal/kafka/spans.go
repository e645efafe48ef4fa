package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadSpans hands the committed records of the spans to emit, in batches as Tail does,
// and returns nil when all have been read to their ends, which each needs. It reads
// with a client of its own; whether a broker answers at all is for the caller to find
// out before.
func ReadSpans(ctx context.Context, o Options, spans Spans, emit func([]*kgo.Record) error) error {
	t := TailOptions{ExitAtEnd: true, ReadCommitted: true, Trouble: func(error) {}}
	cl, err := NewClient(o, t.clientOpts()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	return t.consume(ctx, cl, spans, emit)
}
