package worker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// deadLetterSuffix makes a topic's dead letter topic.
const deadLetterSuffix = "-dlq"

// maxError bounds the error in a dead letter, in bytes.
const maxError = 2000

// A failure is why an event is a dead letter.
type failure struct {
	err      error
	attempts int       // 0 where they weren't counted
	first    time.Time // zero for now
	spent    bool      // another attempt might help, and there were enough
}

func (f failure) reason() string {
	switch {
	case isInvalid(f.err):
		return reasonInvalid
	case f.spent:
		return reasonAttempts
	default:
		return reasonPermanent
	}
}

// bury publishes an event as a dead letter, notes that, and acknowledges it after that.
// One that comes again has its dead letter already, unless the worker died between the
// broker's ack and the note. Events and each channel have dead letters of their own: the
// consumer tells them.
func (w *Worker) bury(ctx context.Context, consumer string, e event, f failure) (status, string) {
	record := recordID(e)
	noted, err := w.o.Store.Handled(ctx, record, []string{consumer})
	switch {
	case err != nil:
		w.log.Warn("event waits", append(e.origin.attrs(), "event_id", e.id, "err", errors.Join(f.err, err))...)
		return retry, resultRetried
	case len(noted) > 0:
		return success, resultRepeated
	}
	if err := w.publishLetter(ctx, e, f); err != nil {
		return retry, resultRetried
	}
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime) // Dapr may have gone
	defer cancel()
	fresh, err := w.o.Store.Handle(noting, consumer, record, nil)
	switch {
	case err != nil:
		w.log.Warn("dead letter can't be noted: it may come again", append(e.origin.attrs(), "event_id", e.id, "err", err)...)
	case fresh:
		w.log.Error("dead letter", append(e.origin.attrs(), "event_id", e.id, "type", e.text("type"), "reason", f.reason(), "err", f.err)...)
	}
	return success, resultDead
}

// recordID tells a record by its place and by what is in it: a topic that was made anew
// has other records at the same places, and a redriven event has another place. What
// Dapr may add for a trace is left out.
func recordID(e event) string {
	said := maps.Clone(e.attributes)
	for _, name := range []string{"traceid", "traceparent", "tracestate"} {
		delete(said, name)
	}
	content, _ := json.Marshal(said) // sorted; it was JSON when it came
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %s %s", e.id, e.origin.Topic, e.origin.Partition, e.origin.Offset, content))
	return hex.EncodeToString(sum[:])
}

// publishLetter publishes an event as a dead letter, and logs it when it can't.
func (w *Worker) publishLetter(ctx context.Context, e event, f failure) error {
	letter, key, err := w.deadLetter(e, f)
	if err == nil {
		err = w.o.Publisher.Publish(ctx, e.origin.Topic+deadLetterSuffix, key, letter)
	}
	if err != nil {
		w.log.Error("dead letter can't be published: the event waits", append(e.origin.attrs(), "event_id", e.id, "err", errors.Join(f.err, err))...)
	}
	return err
}

// deadLetter is the very CloudEvent with extension attributes that say why it is here
// and where it came from, all of them strings. An event without id gets one by which
// its repeats are recognised.
func (w *Worker) deadLetter(e event, f failure) (letter []byte, key string, err error) {
	now := w.o.Now()
	if f.first.IsZero() {
		f.first = now
	}
	said := map[string]string{
		"dlqreason": f.reason(), "dlqerror": brief(f.err), "dlqattempts": strconv.Itoa(max(1, f.attempts)),
		"dlqfirst": f.first.UTC().Format(time.RFC3339Nano), "dlqlast": now.UTC().Format(time.RFC3339Nano), "dlqconsumer": w.o.Group,
		"dlqtopic": e.origin.Topic, "dlqpartition": e.origin.Partition, "dlqoffset": e.origin.Offset, "dlqkey": e.origin.Key,
	}
	if e.id == "" {
		said["id"] = substituteID(e)
	}
	attributes := maps.Clone(e.attributes)
	for name, value := range said {
		if value == "" {
			delete(attributes, name) // of an earlier death
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, "", err
		}
		attributes[name] = text
	}
	letter, err = json.Marshal(attributes)
	return letter, cmp.Or(e.origin.Key, e.text("partitionkey")), err
}

// substituteID tells an event without id by its place, or by its content.
func substituteID(e event) string {
	if e.origin.Offset != "" {
		return fmt.Sprintf("%s-%s-%s", e.origin.Topic, e.origin.Partition, e.origin.Offset)
	}
	content, _ := json.Marshal(e.attributes) // sorted; it was JSON when it came
	sum := sha256.Sum256(content)
	return "sha256-" + hex.EncodeToString(sum[:])
}

func brief(err error) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\n", "; "), "\uFFFD")
	if len(text) > maxError {
		return strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return text
}
