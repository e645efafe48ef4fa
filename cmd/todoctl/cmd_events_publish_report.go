package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/todoctl/todoctl/internal/ui"
)

// published is the result of a publish.
type published struct {
	Topic     string  `json:"topic"` // "" where the lines name theirs
	Events    int64   `json:"events"`
	LastID    string  `json:"last_id"` // of the CloudEvent that was acknowledged last
	Bytes     int64   `json:"bytes"`   // of keys, values and headers
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	Failed    int64   `json:"failed"`  // not acknowledged
	Skipped   int64   `json:"skipped"` // not sent
}

func (p *publishing) result() published {
	r := published{
		Topic: p.topic, Events: p.events.Load(), Bytes: p.bytes.Load(), Failed: p.failed.Load(), Skipped: p.skipped.Load(),
	}
	if last := p.last.Load(); last != nil {
		r.LastID = last.ID()
	}
	if !p.began.IsZero() {
		r.Seconds = time.Since(p.began).Seconds()
		r.PerSecond = float64(r.Events) / max(r.Seconds, 1e-6)
	}
	return r
}

// publishResult prints what became of it and returns why it isn't well, if it isn't.
func (a *app) publishResult(ctx context.Context, p *publishing, dryRun bool) error {
	r := p.result()
	interrupted := ctx.Err() != nil
	if stopped := p.stopped.Load(); stopped != nil && !interrupted {
		return fmt.Errorf("%w (%d published before)", *stopped, r.Events)
	}
	printer := a.printer()
	if dryRun {
		fmt.Fprintf(a.stderr, "would publish %s\n", r.count())
	} else if err := printer.Print("published", r, r.write); err != nil {
		return err
	}
	switch {
	case interrupted:
		return ctx.Err()
	case r.Failed+r.Skipped > 0:
		return fmt.Errorf("%d of %s were not published", r.Failed+r.Skipped, events(int(r.Events+r.Failed+r.Skipped)))
	}
	return nil
}

func (r published) count() string {
	return events(int(r.Events)) + " to " + cmp.Or(r.Topic, "the topics of the lines")
}

func (r published) write(w io.Writer) {
	if r.Events == 1 && r.LastID != "" && r.Failed+r.Skipped == 0 {
		fmt.Fprintf(w, "published event %s to %s\n", ui.Clean(r.LastID), cmp.Or(r.Topic, "its topic"))
		return
	}
	fmt.Fprintf(w, "published %s: %s in %.2f s, %.0f a second", r.count(), bytesText(r.Bytes), r.Seconds, r.PerSecond)
	if r.Failed+r.Skipped > 0 {
		fmt.Fprintf(w, "; %d failed, %d skipped", r.Failed, r.Skipped)
	}
	fmt.Fprintln(w)
}

// status is the line of the progress.
func (p *publishing) status() string {
	text := fmt.Sprintf("%d events, %s", p.events.Load(), bytesText(p.bytes.Load()))
	if bad := p.failed.Load() + p.skipped.Load(); bad > 0 {
		text += fmt.Sprintf(", %d failed or skipped", bad)
	}
	return text
}

// skipped is the message for an entry that is passed over.
func (a *app) skipped(err error) string {
	if a.format() != ui.JSON {
		return "skipped: " + err.Error()
	}
	line, _ := json.Marshal(struct {
		Kind    string `json:"kind"`
		Version int    `json:"version"`
		Error   string `json:"error"`
	}{"skipped", ui.Version, err.Error()})
	return string(line)
}
