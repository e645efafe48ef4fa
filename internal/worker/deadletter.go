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

// bury publishes an event as a dead letter and acknowledges it after that.
func (w *Worker) bury(ctx context.Context, e event, f failure) (status, string) {
	if err := w.publishLetter(ctx, e, f); err != nil {
		return retry, resultRetried
	}
	return success, resultDead
}

// publishLetter publishes an event as a dead letter and logs how that went.
func (w *Worker) publishLetter(ctx context.Context, e event, f failure) error {
	letter, key, err := w.deadLetter(e, f)
	if err == nil {
		err = w.o.Publisher.Publish(ctx, e.origin.Topic+deadLetterSuffix, key, letter)
	}
	if err != nil {
		w.log.Error("dead letter can't be published: the event waits", append(e.origin.attrs(), "event_id", e.id, "err", errors.Join(f.err, err))...)
		return err
	}
	w.log.Error("dead letter", append(e.origin.attrs(), "event_id", e.id, "type", e.text("type"), "reason", f.reason(), "err", f.err)...)
	return nil
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
