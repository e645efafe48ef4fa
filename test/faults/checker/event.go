package checker

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
)

// An Event is a CloudEvent as it lies in the outbox or on the topic.
type Event struct {
	ID, Type, Subject string
	Sequence          int64
	TaskID            int64 // of the data
	Title             string
	Completed         bool
	Content           [sha256.Size]byte // of all that isn't Dapr's addition
}

// content are the fields that the task API writes. Dapr adds topic, pubsubname and
// trace fields of its own, and sorts the keys.
func content() []string {
	return []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "partitionkey", "sequence", "traceparent", "data"}
}

// ParseEvent reads a CloudEvent in structured mode.
func ParseEvent(text []byte) (Event, error) {
	var envelope struct {
		ID, Type, Subject, Sequence string
		Data                        struct {
			Data struct {
				TaskID    int64 `json:"task_id"`
				Title     string
				Completed bool
			}
		}
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	sequence, err := strconv.ParseInt(envelope.Sequence, 10, 64)
	if err != nil || envelope.ID == "" {
		return Event{}, fmt.Errorf("event %q has the sequence %q", envelope.ID, envelope.Sequence)
	}
	sum, err := digest(text)
	return Event{
		ID: envelope.ID, Type: envelope.Type, Subject: envelope.Subject, Sequence: sequence,
		TaskID: envelope.Data.Data.TaskID, Title: envelope.Data.Data.Title, Completed: envelope.Data.Data.Completed,
		Content: sum,
	}, err
}

// digest is the same for texts that mean the same JSON, other fields left aside.
func digest(text []byte) (sum [sha256.Size]byte, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a number that lost digits is another one
	var all map[string]any
	if err := decoder.Decode(&all); err != nil {
		return sum, fmt.Errorf("read event: %w", err)
	}
	own := map[string]any{}
	for _, field := range content() {
		if value, ok := all[field]; ok {
			own[field] = value
		}
	}
	canonical, err := json.Marshal(own) // with sorted keys
	if err != nil {
		return sum, fmt.Errorf("write event: %w", err)
	}
	return sha256.Sum256(canonical), nil
}
