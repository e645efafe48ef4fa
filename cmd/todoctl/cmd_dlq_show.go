package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/dlq"
	"github.com/todoctl/todoctl/internal/ui"
)

func (a *app) dlqShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show TOPIC[PARTITION]@OFFSET|EVENT-ID", Short: "Show a dead letter: the event, the error, where it came from",
		Long: `Show a dead letter: the event, the error, where it came from, and how often it was
redriven. It is named by its place, as list shows it, or by the event's id, which is
looked for in all topics of dead letters; of several the latest is shown.`,
		Example: `  todoctl dlq show task-events-dlq[1]@42
  todoctl dlq show 0198c0f4-7a3e-7cc2-8a55-0d6f1b3f2a10
  todoctl dlq show task-events-dlq[1]@42 --json | jq .event`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			var topics []string
			if place, ok := dlq.ParsePlace(words[0]); ok {
				topics = []string{place.Topic}
			}
			return a.onDLQ(cmd, topics, func(ctx context.Context, client *kgo.Client, cfg *config.Config, topics []string) error {
				return a.runDLQShow(ctx, client, cfg, topics, words[0])
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	return cmd
}

// dlqShow is the result of show.
type dlqShow struct {
	Letter   string          `json:"letter"` // its place
	Time     time.Time       `json:"time"`
	Settled  bool            `json:"settled"` // redriven or discarded
	Reason   string          `json:"reason"`
	Error    string          `json:"error"`
	Attempts int             `json:"attempts"` // 0: not known
	First    *time.Time      `json:"first_failure"`
	Last     *time.Time      `json:"last_failure"`
	Consumer string          `json:"consumer"`
	Origin   dlqOrigin       `json:"origin"`
	Redrives int             `json:"redrives"`
	Key      *string         `json:"key"`
	EventID  string          `json:"event_id"`
	Type     string          `json:"type"`
	Event    json.RawMessage `json:"event,omitempty"` // the value where that is JSON
	Value    string          `json:"value,omitempty"` // else where it is text
	Base64   []byte          `json:"value_base64,omitempty"`
	Also     []string        `json:"also"` // places of other letters with this event
}

type dlqOrigin struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"` // -1: not known
	Offset    int64  `json:"offset"`
}

func (a *app) runDLQShow(ctx context.Context, client *kgo.Client, cfg *config.Config, topics []string, name string) error {
	options, err := kafkaOptions(cfg)
	if err != nil {
		return err
	}
	box, err := dlq.Open(ctx, client, options, topics)
	if err != nil {
		return err
	}
	var found *dlq.Letter
	var settled bool
	also := []string{}
	wanted := dlq.Selection{IDs: []string{name}}
	err = box.Read(ctx, true, func(l dlq.Letter, done bool) error {
		if !wanted.Has(l) {
			return nil
		}
		if found != nil {
			also = append(also, found.Place().String())
		}
		found, settled = &l, done
		return nil
	})
	if err != nil {
		return err
	}
	if found == nil {
		return fmt.Errorf("no dead letter is %s, or has an event of that id; 'todoctl dlq list --all' shows examples of those there are", name)
	}
	result := showLetter(*found, settled, also)
	p := a.printer()
	return p.Print("dlq.show", result, func(w io.Writer) { result.text(p, w) })
}

func showLetter(l dlq.Letter, settled bool, also []string) dlqShow {
	s := dlqShow{
		Letter: l.Place().String(), Time: l.Record.Timestamp.UTC(), Settled: settled,
		Reason: l.Reason, Error: l.Error, Attempts: l.Attempts, First: known(l.First), Last: known(l.Last),
		Consumer: l.Consumer, Origin: dlqOrigin(l.Origin), Redrives: l.Redrives,
		EventID: l.Event.ID, Type: l.Event.Type, Also: also,
	}
	if l.Record.Key != nil {
		key := string(l.Record.Key)
		s.Key = &key
	}
	switch payload := l.Payload(); {
	case json.Valid(payload):
		s.Event = payload
	case utf8.Valid(payload):
		s.Value = string(payload)
	default:
		s.Base64 = payload
	}
	return s
}

// known is a time that is set, or nil.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s dlqShow) text(p ui.Printer, w io.Writer) {
	attempts := "-"
	if s.Attempts > 0 {
		attempts = strconv.Itoa(s.Attempts)
	}
	state := "to be dealt with"
	if s.Settled {
		state = "redriven or discarded"
	}
	key := "-"
	if s.Key != nil {
		key = ui.Clean(*s.Key)
	}
	p.Fields(w, [][2]string{
		{"LETTER", ui.Clean(s.Letter)}, {"TIME", exact(&s.Time)}, {"STATE", state},
		{"REASON", ui.Clean(s.Reason)}, {"ERROR", cmp.Or(ui.Clean(s.Error), "-")},
		{"ATTEMPTS", attempts}, {"FIRST-FAILURE", exact(s.First)}, {"LAST-FAILURE", exact(s.Last)},
		{"CONSUMER", cmp.Or(ui.Clean(s.Consumer), "-")}, {"ORIGIN", ui.Clean(s.Origin.String())},
		{"REDRIVES", strconv.Itoa(s.Redrives)}, {"KEY", key},
		{"EVENT-ID", cmp.Or(ui.Clean(s.EventID), "-")}, {"TYPE", cmp.Or(ui.Clean(s.Type), "-")},
	})
	fmt.Fprintf(w, "\n%s\n", ui.CleanLines(s.payload()))
	if len(s.Also) > 0 {
		fmt.Fprintf(w, "\nthe same event is also at %s\n", ui.Clean(strings.Join(s.Also, ", ")))
	}
}

// String leaves out what is not known.
func (o dlqOrigin) String() string {
	switch {
	case o.Partition < 0:
		return o.Topic
	case o.Offset < 0:
		return fmt.Sprintf("%s[%d]", o.Topic, o.Partition)
	}
	return dlq.Place(o).String()
}

func (s dlqShow) payload() string {
	switch {
	case s.Event != nil:
		return string(indented(s.Event))
	case s.Base64 != nil:
		return strconv.QuoteToASCII(string(s.Base64))
	}
	return s.Value
}

// indented is JSON for people, and anything else as it is.
func indented(text []byte) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(text), "", "  "); err != nil {
		return text
	}
	return out.Bytes()
}

// exact is a time in full, in UTC.
func exact(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339Nano)
}
