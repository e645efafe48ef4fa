package worker

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/todoctl/todoctl/internal/task"
)

// bulkType is the type of Dapr's envelope of many events.
// Source: https://docs.dapr.io/developing-applications/building-blocks/pubsub/pubsub-bulk/
const bulkType = "com.dapr.event.sent.bulk"

// A bulk is many events of one partition, in its order.
type bulk struct {
	Type    string  `json:"type"`
	Entries []entry `json:"entries"`
}

type entry struct {
	EntryID  string            `json:"entryId"`
	Event    json.RawMessage   `json:"event"`
	Metadata map[string]string `json:"metadata"`
}

// answers are what Dapr is told of a bulk: it hands over again those without SUCCESS.
type answers struct {
	Statuses []answer `json:"statuses"`
}

// parseBulk tells whether a body is Dapr's envelope of many events.
func parseBulk(contentType string, body []byte) (bulk, bool) {
	var b bulk
	if strings.HasPrefix(contentType, task.ContentType) || json.Unmarshal(body, &b) != nil {
		return bulk{}, false
	}
	return b, b.Type == bulkType && b.Entries != nil
}

// receiveMany handles events side by side, so that they share transactions. It never
// answers DROP: when some of a bulk are handed over again, Dapr 1.18.3 takes another
// entry for the dropped one (pkg/runtime/subscription/postman/http/http.go, DeliverBulk).
func (w *Worker) receiveMany(ctx context.Context, topic string, many bulk) answers {
	statuses := make([]answer, len(many.Entries))
	var handling sync.WaitGroup
	for i, one := range many.Entries {
		handling.Go(func() {
			statuses[i] = answer{EntryID: one.EntryID, Status: w.take(ctx, one.event(topic))}
		})
	}
	handling.Wait()
	return answers{statuses}
}

// event reads an entry. Dapr leaves nothing here that isn't a JSON object, but null.
func (one entry) event(topic string) event {
	from := originOf(topic, func(name string) string { return one.Metadata[name] })
	e, err := parseEvent(from, one.Event)
	if err != nil {
		return event{origin: from, attributes: map[string]json.RawMessage{"data": one.Event}}
	}
	return e
}
