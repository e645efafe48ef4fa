package topics

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Delete deletes topics with all their records, in one request, and returns when the
// cluster doesn't show them any more, at most 10 s later. The failures are by topic;
// the error joins them, and what didn't fail is done.
func Delete(ctx context.Context, cl *kgo.Client, names []string) (map[string]error, error) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = int32(visibleWithin.Milliseconds())
	req.TopicNames = names // up to version 5 of the request, Topics from 6 on
	for _, name := range names {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("delete topics: %w", err)
	}
	outcome := make(map[string]error, len(names))
	for _, name := range names {
		outcome[name] = errNoAnswer
	}
	for _, t := range resp.Topics {
		if t.Topic != nil {
			outcome[*t.Topic] = answer(t.ErrorCode, t.ErrorMessage)
		}
	}
	awaitGone(ctx, cl, outcome)
	var failed []error
	for _, name := range names {
		if err := outcome[name]; err != nil {
			failed = append(failed, fmt.Errorf("delete topic %q: %w", name, err))
		}
	}
	return outcome, errors.Join(failed...)
}
