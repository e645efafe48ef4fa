package server

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A Record is a record of the log of updates. Data is that of a task.sync event,
// and empty for whatever else lies on the topic.
type Record struct {
	Partition int32
	Offset    int64
	Data      []byte
}

// An update is a change of one task, ready to be sent to its user's streams.
type update struct {
	partition int32
	offset    int64
	user      string
	text      []byte // the server-sent event but for its id; shared, never changed
}

// size is about what the update takes of memory.
func (u *update) size() int { return len(u.text) + len(u.user) + 96 }

// syncData is the data of a task.sync event.
type syncData struct {
	UserID string `json:"user_id"`
	Data   struct {
		TaskID        int64           `json:"task_id"`
		Action        string          `json:"action"`
		FieldsChanged []string        `json:"fields_changed"`
		Snapshot      json.RawMessage `json:"snapshot"`
	} `json:"data"`
}

// taskSync is the data of the server-sent event task.sync.
type taskSync struct {
	ID            int64           `json:"id"`
	Action        string          `json:"action"`
	FieldsChanged []string        `json:"fields_changed"`
	Task          json.RawMessage `json:"task"`
}

// update makes the update of a record, nil when it tells of no task's change.
func (r Record) update() *update {
	if len(r.Data) == 0 {
		return nil
	}
	var in syncData
	if json.Unmarshal(r.Data, &in) != nil || in.UserID == "" || in.Data.TaskID < 1 || in.Data.Action == "" ||
		!bytes.HasPrefix(in.Data.Snapshot, []byte("{")) {
		return nil
	}
	out := taskSync{ID: in.Data.TaskID, Action: in.Data.Action, FieldsChanged: in.Data.FieldsChanged, Task: in.Data.Snapshot}
	if out.FieldsChanged == nil {
		out.FieldsChanged = []string{}
	}
	text, err := eventText("task.sync", out)
	if err != nil {
		return nil
	}
	return &update{partition: r.Partition, offset: r.Offset, user: in.UserID, text: text}
}

// eventText is a server-sent event without its id. The data is one line: JSON
// escapes the line breaks of strings, and the encoder takes out all others.
func eventText(event string, data any) ([]byte, error) {
	var text bytes.Buffer
	text.WriteString("event: " + event + "\ndata: ")
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(data); err != nil {
		return nil, fmt.Errorf("encode %s: %w", event, err)
	}
	text.WriteByte('\n')
	return text.Bytes(), nil
}

// A message is one server-sent event for one stream.
type message struct {
	id   string
	text []byte
}

// streamReset is the data of the event reset.
type streamReset struct {
	Reason string `json:"reason"`
}

func resetMessage(id, reason string) message {
	text, err := eventText("reset", streamReset{reason})
	if err != nil {
		text = []byte("event: reset\ndata: {}\n\n")
	}
	return message{id, text}
}
