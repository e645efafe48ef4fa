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

	"github.com/todoctl/todoctl/internal/notify"
)

// deadLetterSuffix makes a topic's dead letter topic.
const deadLetterSuffix = "-dlq"

// maxError bounds the error in a dead letter, in bytes.
const maxError = 2000

// A failure is why an event is a dead letter.
type failure struct {
	consumer string // "" for none in particular
	err      error
	attempts int       // 0 where they weren't counted
	first    time.Time // zero for now
}

func (f failure) reason() string {
	switch {
	case isInvalid(f.err):
		return reasonInvalid
	case notify.IsPermanent(f.err):
		return reasonPermanent
	default:
		return reasonAttempts
	}
}

// bury publishes an event as a dead letter and acknowledges it after that.
func (w *Worker) bury(ctx context.Context, e event, f failure) (status, string) {
	letter, key, err := deadLetter(e, f, w.o.Now())
	if err == nil {
		err = w.o.Publisher.Publish(ctx, e.origin.topic+deadLetterSuffix, key, letter)
	}
	if err != nil {
		w.log.Error("dead letter can't be published: the event waits", append(e.origin.attrs(), "event_id", e.id, "err", errors.Join(f.err, err))...)
		return retry, resultRetried
	}
	w.log.Error("dead letter", append(e.origin.attrs(), "event_id", e.id, "type", e.text("type"), "reason", f.reason(), "err", f.err)...)
	return success, resultDead
}

// deadLetter is the very CloudEvent with extension attributes that say why it is here
// and where it came from, all of them strings. An event without id gets one by which
// its repeats are recognised.
func deadLetter(e event, f failure, now time.Time) (letter []byte, key string, err error) {
	if f.first.IsZero() {
		f.first = now
	}
	said := map[string]string{
		"dlqreason": f.reason(), "dlqerror": brief(f.err), "dlqattempts": strconv.Itoa(max(1, f.attempts)),
		"dlqfirst": f.first.UTC().Format(time.RFC3339Nano), "dlqlast": now.UTC().Format(time.RFC3339Nano), "dlqconsumer": f.consumer,
		"dlqtopic": e.origin.topic, "dlqpartition": e.origin.partition, "dlqoffset": e.origin.offset, "dlqkey": e.origin.key,
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
	return letter, cmp.Or(e.origin.key, e.text("partitionkey")), err
}

// substituteID tells an event without id by its place, or by its content.
func substituteID(e event) string {
	if e.origin.offset != "" {
		return fmt.Sprintf("%s-%s-%s", e.origin.topic, e.origin.partition, e.origin.offset)
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
