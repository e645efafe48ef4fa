package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/groups"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/topics"
)

// eventChecks are the checks of the events on their way.
func (s *subject) eventChecks() []Check {
	needs := []string{"broker.reach", "broker.advertised"}
	return []Check{
		{
			ID: "events.outbox", Severity: Error, Title: "events leave the outbox",
			Symptom: "tasks are saved, and their events don't arrive", Cause: "an event is refused again and again, or nothing publishes",
			Mend: "todoctl outbox list, then todoctl outbox retry", Needs: []string{"database.schema"},
			After: []string{"environment", "broker", "topics", "sidecar", "files"}, Run: s.checkOutbox,
		},
		{
			ID: "events.idle-group", Severity: Warning, Title: "consumer groups with unread events have members",
			Symptom: "events are on the topic, and the consumer doesn't see them", Cause: "the consumer isn't running, or reads under another group",
			Mend: "start the consumer, or delete the group: todoctl groups delete GROUP", Needs: needs, Run: s.checkGroups,
		},
		{
			ID: "events.wrapped-twice", Severity: Warning, Title: "events are wrapped once",
			Symptom: "a consumer finds `specversion` inside data", Cause: "a CloudEvent was published as plain JSON, so Dapr wrapped it in another",
			Mend: "publish with content type application/cloudevents+json", Needs: needs, Run: s.checkWrapping,
		},
		{
			ID: "events.dead-letters", Severity: Warning, Title: "no event was dead-lettered within the hour",
			Symptom: "an event never has its effect", Cause: "its handler failed, or answers what Dapr doesn't know: SUCCESS, RETRY and DROP are the words",
			Mend: "todoctl events tail TOPIC --last 10, and mend the handler", Needs: needs, Run: s.checkDeadLetters,
		},
		{
			ID: "events.clock", Severity: Warning, Title: "clocks agree",
			Symptom: "events seem to come from the future; reminders are early or late", Cause: "the clock of a producer or of the broker is more than 2 s ahead of this machine's",
			Mend: "synchronise the clocks: timedatectl set-ntp true", Needs: needs, Run: s.checkClock,
		},
	}
}

const (
	outboxAge   = time.Minute     // after which an event has waited too long
	clockSlack  = 2 * time.Second // by which clocks may differ
	sampleSize  = 50
	recentDeath = time.Hour
)

func (s *subject) checkOutbox(ctx context.Context) Result {
	db, err := store.OpenExisting(ctx, s.databaseURL(), store.Options{})
	if err != nil {
		return skipped("the outbox can't be read: " + err.Error())
	}
	defer func() { _ = db.Close() }()
	o, err := db.Overview(ctx)
	if err != nil {
		return skipped("the outbox can't be read: " + err.Error())
	}
	why := ""
	if o.LastFailed != nil {
		why = o.LastFailed.LastError
	}
	if o.Parked > 0 {
		return found(Finding{
			Message:  fmt.Sprintf("%d events were refused ten times and are parked; the later events of their tasks wait.", o.Parked),
			Evidence: facts("parked", strconv.FormatInt(o.Parked, 10), "waiting", strconv.FormatInt(o.Pending, 10), "last error", why),
			Mend:     "todoctl outbox list --parked, then todoctl outbox retry",
		})
	}
	if o.Pending == 0 || time.Since(o.Backlog.Oldest) < outboxAge {
		return Result{}
	}
	return found(Finding{
		Message:  fmt.Sprintf("%d events wait in the outbox, the oldest for %s.", o.Pending, time.Since(o.Backlog.Oldest).Round(time.Second)),
		Evidence: facts("waiting", strconv.FormatInt(o.Pending, 10), "last error", why),
	})
}

// streams are the topics of events that exist.
func (s *subject) streams(ctx context.Context) ([]string, error) {
	have, err := kadm.NewClient(s.client).ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range topics.Names(topics.Builtin()) {
		if have.Has(name) {
			names = append(names, name)
		}
	}
	for _, sub := range s.res.subscriptions() {
		if have.Has(sub.topic) && !slices.Contains(names, sub.topic) {
			names = append(names, sub.topic)
		}
	}
	return names, nil
}

func (s *subject) checkGroups(ctx context.Context) Result {
	streams, err := s.streams(ctx)
	if err != nil {
		return skipped("topics can't be read: " + err.Error())
	}
	list, err := groups.List(ctx, s.client, []string{"Empty"})
	if err != nil {
		return skipped("groups can't be read: " + err.Error())
	}
	var r Result
	for _, g := range list {
		if g.TotalLag == nil || *g.TotalLag == 0 || strings.HasPrefix(g.Group, "console-consumer-") ||
			!slices.ContainsFunc(g.Topics, func(t string) bool { return slices.Contains(streams, t) }) {
			continue
		}
		r.Findings = append(r.Findings, Finding{
			Message:  fmt.Sprintf("Consumer group %q has no members, and %d records are unread.", g.Group, *g.TotalLag),
			Evidence: facts("group", g.Group, "topics", strings.Join(g.Topics, ", "), "unread", strconv.FormatInt(*g.TotalLag, 10)),
			Mend:     fmt.Sprintf("start its consumer, or 'todoctl groups delete %s' if it is no more", g.Group),
		})
	}
	return r
}

// sample reads the last records of each topic.
func (s *subject) sample(ctx context.Context, names []string) (map[string][]*kgo.Record, error) {
	byTopic := map[string][]*kgo.Record{}
	for _, name := range names {
		err := kafka.Tail(ctx, kafka.Options{Brokers: s.brokers(), Timeout: dialTimeout, Security: s.Security},
			kafka.TailOptions{Topics: []string{name}, Last: sampleSize, ExitAtEnd: true},
			func(records []*kgo.Record) error {
				byTopic[name] = append(byTopic[name], records...)
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	return byTopic, nil
}

// sampled reads the records of the stack's topics and calls look with those of each.
func (s *subject) sampled(ctx context.Context, dead bool, look func(topic string, records []*kgo.Record) (Finding, bool)) Result {
	names, err := s.streams(ctx)
	if err == nil {
		names = slices.DeleteFunc(names, func(name string) bool { return dead && !s.isDeadLetter(name) })
	}
	var records map[string][]*kgo.Record
	if err == nil {
		records, err = s.sample(ctx, names)
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("no answer in time")
		}
		return skipped("the last records can't be read: " + err.Error())
	}
	var r Result
	for _, name := range names {
		if f, bad := look(name, records[name]); bad {
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

func (s *subject) isDeadLetter(topic string) bool {
	return strings.HasSuffix(topic, "-dlq") ||
		slices.ContainsFunc(s.res.subscriptions(), func(sub subscription) bool { return sub.deadLetter == topic })
}

func place(r *kgo.Record) string { return fmt.Sprintf("%s[%d]@%d", r.Topic, r.Partition, r.Offset) }

func (s *subject) checkWrapping(ctx context.Context) Result {
	return s.sampled(ctx, false, func(topic string, records []*kgo.Record) (Finding, bool) {
		n, at := 0, ""
		for _, r := range records {
			var outer struct {
				Specversion string          `json:"specversion"`
				Data        json.RawMessage `json:"data"`
			}
			var inner struct {
				Specversion string `json:"specversion"`
			}
			if json.Unmarshal(r.Value, &outer) == nil && outer.Specversion != "" && json.Unmarshal(outer.Data, &inner) == nil && inner.Specversion != "" {
				n, at = n+1, place(r)
			}
		}
		return Finding{
			Message:  fmt.Sprintf("Of the last %d events on %s, %d are a CloudEvent inside a CloudEvent.", len(records), topic, n),
			Evidence: facts("last at", at, "found", "data.specversion"),
		}, n > 0
	})
}

func (s *subject) checkDeadLetters(ctx context.Context) Result {
	return s.sampled(ctx, true, func(topic string, records []*kgo.Record) (Finding, bool) {
		var last *kgo.Record
		n := 0
		for _, r := range records {
			if time.Since(r.Timestamp) < recentDeath {
				last, n = r, n+1
			}
		}
		if last == nil {
			return Finding{}, false
		}
		return Finding{
			Message:  fmt.Sprintf("Within the last hour %d events were dead-lettered to %s.", n, topic),
			Evidence: facts("last at", place(last), "when", last.Timestamp.Format(time.RFC3339), "key", string(last.Key)),
			Mend:     fmt.Sprintf("todoctl events tail %s --last 10 -e, and mend the handler: it must answer SUCCESS, RETRY or DROP", topic),
		}, true
	})
}

func (s *subject) checkClock(ctx context.Context) Result {
	r := s.sampled(ctx, false, func(topic string, records []*kgo.Record) (Finding, bool) {
		for _, r := range slices.Backward(records) {
			if ahead := time.Until(r.Timestamp); ahead > clockSlack {
				return Finding{
					Message:  fmt.Sprintf("An event on %s is from %s in the future: the clock of its producer or broker is ahead of this machine's, or this one is behind.", topic, ahead.Round(time.Second)),
					Evidence: facts("at", place(r), "timestamp", r.Timestamp.UTC().Format(time.RFC3339), "now", time.Now().UTC().Format(time.RFC3339)),
				}, true
			}
		}
		return Finding{}, false
	})
	if len(r.Findings) > 1 {
		r.Findings = r.Findings[:1] // one clock
	}
	return r
}
