package worker

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/todoctl/todoctl/internal/task"
)

// An event is a CloudEvent as Dapr hands it over.
type event struct {
	id, version string
	kind        string // a type of package task; "" for one that nobody here knows
	data        json.RawMessage
	body        json.RawMessage            // as it came
	attributes  map[string]json.RawMessage // all of them
	origin      origin
}

// An origin is where an event was read. What Dapr doesn't tell is "".
type origin struct{ Topic, Partition, Offset, Key string }

// originOf reads what Dapr's Kafka component tells in headers or metadata
// (components-contrib 1.18, common/component/kafka/consumer.go).
func originOf(topic string, get func(name string) string) origin {
	return origin{topic, get("__partition"), get("__offset"), get("__key")}
}

// parseEvent fails only for what is no JSON object.
func parseEvent(from origin, body []byte) (event, error) {
	e := event{origin: from, body: body}
	if err := json.Unmarshal(body, &e.attributes); err != nil {
		return e, err
	}
	if e.attributes == nil {
		return e, errors.New("is null")
	}
	var data struct {
		EventType string          `json:"event_type"`
		Data      json.RawMessage `json:"data"`
	}
	_ = json.Unmarshal(e.attributes["data"], &data) // what is no object has no type and no data
	e.id, e.version, e.data = e.text("id"), e.text("specversion"), data.Data
	for _, name := range []string{e.text("type"), data.EventType} {
		if e.kind == "" {
			e.kind = canonical(from.Topic, name)
		}
	}
	return e, nil
}

// text is an attribute that is a string, else "".
func (e event) text(name string) string {
	var s string
	if json.Unmarshal(e.attributes[name], &s) != nil {
		return ""
	}
	return s
}

// canonical is the type that a name stands for: task.created, task_created and created
// are the same.
func canonical(topic, name string) string {
	name = strings.Replace(name, "_", ".", 1)
	if !strings.Contains(name, ".") {
		name = map[string]string{task.Topic: "task.", task.RemindersTopic: "reminder."}[topic] + name
	}
	switch name {
	case task.TypeCreated, task.TypeUpdated, task.TypeCompleted, task.TypeReopened, task.TypeDeleted,
		task.TypeScheduled, task.TypeDue, task.TypeCancelled:
		return name
	}
	return ""
}
