package main

import (
	"fmt"
	"io"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/ui"
)

// waiting tells of brokers that are away, on stderr.
func (a *app) waiting(err error) {
	if err != nil {
		fmt.Fprintf(a.stderr, "waiting: %s\n", ui.CleanLines(err.Error()))
		return
	}
	fmt.Fprintln(a.stderr, "the broker is back")
}

// replayProgress tells people on a terminal how far it is; nil where nobody looks.
func (a *app) replayProgress() func(kafka.ReplayState) {
	if a.messages().Width == 0 {
		return nil
	}
	return func(s kafka.ReplayState) {
		t := s.Total()
		end := ""
		if t.Left() == 0 {
			end = "\n"
		}
		fmt.Fprintf(a.stderr, "\r%d records, %s, %d%% of the range%s", t.Records, bytesText(t.Bytes), 100*t.Next/max(t.To, 1), end)
	}
}

// replayOutcome is what a run of the command adds to the state.
type replayOutcome struct {
	DryRun    bool    `json:"dry_run"`
	Resumed   bool    `json:"resumed"`
	Done      bool    `json:"done"`                 // false of a dry run, and after an interruption or a failure
	Seconds   float64 `json:"seconds"`              // of this run
	StateFile string  `json:"state_file,omitempty"` // where --resume goes on
}

// replayResult is the result of replay.
type replayResult struct {
	replayOutcome
	ID              string                  `json:"id"`
	From            string                  `json:"from"` // topics
	To              string                  `json:"to"`
	Range           string                  `json:"range"`
	Filter          string                  `json:"filter,omitempty"`
	KeepsPartitions bool                    `json:"keeps_partitions"`
	Records         int64                   `json:"records"` // with those of the runs that this one resumed
	Bytes           int64                   `json:"bytes"`
	Filtered        int64                   `json:"filtered"`
	Again           int64                   `json:"again"`
	Partitions      []kafka.ReplayPartition `json:"partitions"`
}

func (a *app) printReplay(s kafka.ReplayState, out replayOutcome) error {
	t := s.Total()
	result := replayResult{
		replayOutcome: out, ID: s.ID, From: s.Source.Topic, To: s.Target.Topic, Range: s.Range, Filter: s.Keep,
		KeepsPartitions: s.KeepsPartitions, Records: t.Records, Bytes: t.Bytes, Filtered: t.Filtered, Again: t.Again,
		Partitions: s.Partitions,
	}
	p := a.printer()
	return p.Print("events.replay", result, func(w io.Writer) { result.text(p, w) })
}

func (r replayResult) text(p ui.Printer, w io.Writer) {
	if r.DryRun {
		rows := make([][]string, len(r.Partitions))
		for i, part := range r.Partitions {
			rows[i] = []string{
				fmt.Sprint(part.Partition), fmt.Sprintf("%d:%d", part.Next, part.To),
				fmt.Sprint(part.Records), bytesText(part.Bytes), fmt.Sprint(part.Filtered),
			}
		}
		p.Table(w, []string{"PARTITION", "OFFSETS", "RECORDS", "BYTES", "FILTERED"}, rows)
	}
	verb := "replayed"
	if r.DryRun {
		verb = "would replay"
	}
	fmt.Fprintf(w, "%s %d records (%s) of %s to %s", verb, r.Records, bytesText(r.Bytes), r.From, r.To)
	if r.Filtered > 0 {
		fmt.Fprintf(w, "; %d left out by %s", r.Filtered, ui.Clean(r.Filter))
	}
	fmt.Fprintln(w)
	if r.Again > 0 {
		fmt.Fprintf(w, "%d of them had been replayed before; --skip-replayed leaves them out\n", r.Again)
	}
	if !r.KeepsPartitions {
		fmt.Fprintln(w, "the target has fewer partitions: keys choose them")
	}
	if r.Records > 0 && !r.DryRun {
		fmt.Fprintf(w, "replay id %s\n", r.ID)
	}
}
