package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/dlq"
	"github.com/todoctl/todoctl/internal/ui"
)

// dlqListFlags are what list is told.
type dlqListFlags struct {
	letterFlags
	all   bool
	limit int
	max   int64
}

func (a *app) dlqListCommand() *cobra.Command {
	var f dlqListFlags
	cmd := &cobra.Command{
		Use: "list [TOPIC...]", Aliases: []string{"ls"}, Short: "Count the dead letters by reason and type",
		Long: `Count the dead letters that nobody has dealt with, by topic, reason and type: of the
named topics, or of all whose names end in -dlq. With --all also those that were redriven
or discarded, as long as their topic keeps them.

Where the reason is "unknown (Dapr's own copy)", Dapr gave the event up by itself and
says no more. LAG is what a tool shows as the lag of group ` + dlq.Group + `:
also letters that were dealt with count there, if they lie above one that was not.`,
		Example: `  todoctl dlq list
  todoctl dlq list task-events-dlq --since 1d --type task.created
  todoctl dlq list --max 0 || echo "there are dead letters"
  todoctl dlq list --json | jq '.letters[] | select(.reason == "timeout") | .example'`,
		ValidArgsFunction: a.completeDLQ,
		RunE: func(cmd *cobra.Command, topics []string) error {
			if f.limit < 0 {
				return usagef("--limit %d: must not be negative", f.limit)
			}
			return a.onDLQ(cmd, topics, func(ctx context.Context, client *kgo.Client, cfg *config.Config, topics []string) error {
				return a.runDLQList(ctx, client, cfg, topics, f)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	f.add(a, cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "also letters that were dealt with")
	flags.IntVar(&f.limit, "limit", 0, "show this many lines, of the most frequent; 0 is no limit")
	flags.Int64Var(&f.max, "max", -1, "answer no when there are more letters")
	return exits(cmd, "0 done · 1 failed · 2 wrong usage · 3 there are more than --max · 130 interrupted")
}

// dlqList is the result of list.
type dlqList struct {
	All     bool         `json:"all"`
	Count   int64        `json:"count"` // that were asked for, also those that --limit leaves out
	OK      bool         `json:"ok"`    // not more than --max
	Topics  []dlqTopic   `json:"topics"`
	Letters []letterKind `json:"letters"` // the most frequent first
	Omitted int          `json:"omitted"` // of Letters, by --limit
}

type dlqTopic struct {
	Topic   string `json:"topic"`
	Backlog int64  `json:"backlog"` // whatever was asked for
	Lag     int64  `json:"lag"`     // of the redrive group: at least the backlog
}

// A letterKind is dead letters that have something in common.
type letterKind struct {
	Topic   string    `json:"topic"`
	Reason  string    `json:"reason"`
	Type    string    `json:"type"` // empty of what is no event
	Count   int64     `json:"count"`
	First   time.Time `json:"first"` // of the letters, not of the events
	Last    time.Time `json:"last"`
	Example string    `json:"example"` // the place of the latest
}

func (a *app) runDLQList(ctx context.Context, client *kgo.Client, cfg *config.Config, topics []string, f dlqListFlags) error {
	wanted, where, err := f.selection()
	if err != nil {
		return err
	}
	options, err := kafkaOptions(cfg)
	if err != nil {
		return err
	}
	box, err := dlq.Open(ctx, client, options, topics)
	if err != nil {
		return err
	}
	result, err := countLetters(ctx, box, wanted, f.all)
	if err != nil {
		return err
	}
	tellFailures(a.stderr, where)
	result.OK = f.max < 0 || result.Count <= f.max
	if f.limit > 0 && len(result.Letters) > f.limit {
		result.Omitted = len(result.Letters) - f.limit
		result.Letters = result.Letters[:f.limit]
	}
	p := a.printer()
	if err := p.Print("dlq.list", result, func(w io.Writer) { result.text(p, w) }); err != nil {
		return err
	}
	if !result.OK {
		return noError{fmt.Errorf("limit exceeded: there are %s, at most %d are allowed", letters(int(result.Count)), f.max)}
	}
	return nil
}

func countLetters(ctx context.Context, box *dlq.Box, wanted dlq.Selection, all bool) (dlqList, error) {
	result := dlqList{All: all, Topics: []dlqTopic{}, Letters: []letterKind{}}
	type key struct{ topic, reason, kind string }
	kinds, backlog := make(map[key]*letterKind), make(map[string]int64)
	err := box.Read(ctx, all, func(l dlq.Letter, settled bool) error {
		r := l.Record
		if !settled {
			backlog[r.Topic]++
		}
		if settled && !all || !wanted.Has(l) {
			return nil
		}
		result.Count++
		k := key{r.Topic, l.Reason, l.Event.Type}
		if kinds[k] == nil {
			kinds[k] = &letterKind{Topic: r.Topic, Reason: l.Reason, Type: l.Event.Type, First: r.Timestamp.UTC()}
		}
		kinds[k].count(l)
		return nil
	})
	for _, topic := range box.Topics() {
		result.Topics = append(result.Topics, dlqTopic{Topic: topic, Backlog: backlog[topic], Lag: box.Lag(topic)})
	}
	for _, kind := range kinds {
		result.Letters = append(result.Letters, *kind)
	}
	slices.SortFunc(result.Letters, func(a, b letterKind) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Type, b.Type))
	})
	return result, err
}

func (k *letterKind) count(l dlq.Letter) {
	at := l.Record.Timestamp.UTC()
	k.Count++
	if at.Before(k.First) {
		k.First = at
	}
	if !at.Before(k.Last) {
		k.Last, k.Example = at, l.Place().String()
	}
}

func (r dlqList) text(p ui.Printer, w io.Writer) {
	switch {
	case len(r.Topics) == 0:
		fmt.Fprintln(w, "no topic of dead letters exists; their names end in "+dlq.Suffix)
		return
	case len(r.Letters) == 0:
		fmt.Fprintln(w, "no dead letters")
		return
	}
	var rows [][]string
	for _, k := range r.Letters {
		rows = append(rows, []string{k.Topic, k.Reason, cmp.Or(k.Type, "-"), strconv.FormatInt(k.Count, 10), stamp(&k.First), stamp(&k.Last), k.Example})
	}
	p.Table(w, []string{"TOPIC", "REASON", "TYPE", "COUNT", "FIRST", "LAST", "EXAMPLE"}, rows)
	if r.Omitted > 0 {
		fmt.Fprintf(w, "and %d more lines\n", r.Omitted)
	}
	for _, t := range r.Topics {
		if t.Backlog > 0 {
			fmt.Fprintf(w, "%s: %s to deal with (LAG %d)\n", ui.Clean(t.Topic), letters(int(t.Backlog)), t.Lag)
		}
	}
}
