package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// CloudEventType is the media type of a CloudEvent in structured mode (CloudEvents
// 1.0.2, JSON event format, section 3).
const CloudEventType = "application/cloudevents+json"

// A Wrapping says how a JSON value becomes a message. Fields that are empty are
// taken from the value.
type Wrapping struct {
	Type   string // "" is the data's event_type, else "test"
	Source string // of a new CloudEvent
	Key    string // "" is the CloudEvent's partitionkey
}

// envelope is what Wrap reads of a CloudEvent, and of data that may say its type.
type envelope struct {
	SpecVersion  string `json:"specversion"`
	ID           string `json:"id"`
	Source       string `json:"source"`
	Type         string `json:"type"`
	PartitionKey string `json:"partitionkey"`
	EventType    string `json:"event_type"`
}

// Wrap makes a message of a JSON value. A CloudEvent is published as it is and must
// have id, source and type; anything else becomes the data of a new CloudEvent with
// an id of its own (UUIDv7).
func (w Wrapping) Wrap(value []byte) (Message, error) {
	if !json.Valid(value) {
		var any json.RawMessage
		return Message{}, fmt.Errorf("is no JSON: %w", json.Unmarshal(value, &any))
	}
	var e envelope
	err := json.Unmarshal(value, &e) // of a value that is no object it leaves e empty
	if e.SpecVersion == "" {
		return w.wrap(value, e.EventType)
	}
	switch {
	case err != nil:
		return Message{}, fmt.Errorf("has a specversion but is no CloudEvent: %w", err)
	case e.ID == "" || e.Source == "" || e.Type == "":
		return Message{}, errors.New("has a specversion but not id, source and type, which every CloudEvent has")
	}
	key := w.Key
	if key == "" {
		key = e.PartitionKey
	}
	return Message{ID: e.ID, Key: key, ContentType: CloudEventType, Data: append([]byte(nil), value...)}, nil
}

func (w Wrapping) wrap(data []byte, kind string) (Message, error) {
	if w.Type != "" {
		kind = w.Type
	}
	if kind == "" {
		kind = "test"
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Message{}, fmt.Errorf("make an event id: %w", err)
	}
	event, err := json.Marshal(struct {
		SpecVersion     string          `json:"specversion"`
		ID              string          `json:"id"`
		Source          string          `json:"source"`
		Type            string          `json:"type"`
		Time            string          `json:"time"`
		DataContentType string          `json:"datacontenttype"`
		PartitionKey    string          `json:"partitionkey,omitempty"`
		Data            json.RawMessage `json:"data"`
	}{"1.0", id.String(), w.Source, kind, time.Now().UTC().Format(time.RFC3339Nano), "application/json", w.Key, data})
	if err != nil {
		return Message{}, err
	}
	return Message{ID: id.String(), Key: w.Key, ContentType: CloudEventType, Data: event}, nil
}
