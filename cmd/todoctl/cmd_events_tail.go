package main

import (
	"fmt"
	"io"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/ui"
)

// lastByDefault is how many events tail shows before it follows, as tail(1) does
// with lines.
const lastByDefault = 10

// gcPercent lets more garbage gather than Go's own 100: what a tail keeps is small, and
// half of its CPU time would go into looking through it again and again.
const gcPercent = 400

type tailFlags struct {
	offset            string
	num               int64
	last              int
	follow, exitAtEnd bool
	partitions        []int32
	regex             bool
	group             string
	readCommitted     bool
	filter            filterFlags
	layout            string
	raw, metaOnly     bool
}

func (a *app) eventsTailCommand() *cobra.Command {
	var f tailFlags
	cmd := &cobra.Command{
		Use: "tail TOPIC...", Short: "Show the last events of topics and follow, like tail -f",
		Long: `Show the last 10 events of topics and follow, like tail -f. On a terminal an event is
a line for people, in a pipe a line of JSON that loses nothing. What is at hand of
several partitions is ordered by time.

Offsets (-o), per partition: ` + kafka.OffsetForms + `.
A range that has an end is read to it, and that's all.

Filters look at the record and at the CloudEvent in it; an event is shown that passes
them all. --last and --num count what is shown. --where is a CEL expression (cel.dev)
over ` + kafka.WhereNames + `;
an event that it can't be worked out for is left out, and counted.

With --group the group's own offsets say where to begin; what was shown is committed.
Where the group has none, it begins at the start, or with -o end at the end.

Layouts (--format): ` + kafka.LayoutForms + `.`,
		Example: `  todoctl events tail task-events
  todoctl events tail task-events -o start -e            # all there is
  todoctl events tail task-events reminders -o @-1h      # of the last hour, and follow
  todoctl events tail task-events -o -100 -e --json | jq .event.type
  todoctl events tail task-events --task 123 -o start -e # all about task 123
  todoctl events tail -r '^task-' --type created --since 1d
  todoctl events tail task-events --where 'data.data.priority == "high" && !has(event.traceparent)'
  todoctl events tail task-events -g audit -e >> audit.jsonl
  todoctl events tail task-events --format '%o %k %s\n'`,
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeTopics,
		RunE:              func(cmd *cobra.Command, topics []string) error { return a.runTail(cmd, topics, f) },
		Annotations:       map[string]string{outputWords: "text json value"},
	}
	brokerFlags(cmd, "data-dir")
	flags := cmd.Flags()
	flags.StringVarP(&f.offset, "offset", "o", "", "where to begin, and maybe end")
	flags.Int64VarP(&f.num, "num", "n", 0, "stop after this many events; 0 is no limit")
	flags.IntVar(&f.last, "last", lastByDefault, "begin with this many of the last events, in all partitions together")
	flags.BoolVarP(&f.follow, "follow", "f", true, "wait for new events")
	flags.BoolVarP(&f.exitAtEnd, "exit-at-end", "e", false, "stop at the end of the partitions")
	flags.Int32SliceVarP(&f.partitions, "partition", "p", nil, "only this partition; repeat it for several")
	flags.BoolVarP(&f.regex, "regex", "r", false, "TOPIC is a regular expression; new topics that match are followed too")
	flags.StringVarP(&f.group, "group", "g", "", "read as a member of this consumer group, and commit")
	flags.BoolVar(&f.readCommitted, "read-committed", false, "leave out open and aborted transactions")
	f.filter.add(cmd)
	f.filter.addTimes(cmd)
	flags.StringVar(&f.layout, "format", "", `layout of an event, as in rpk and kcat: '%t %o %k %s\n'`)
	flags.BoolVar(&f.raw, "raw", false, "the record as it is stored: no CloudEvent is looked for in what is shown")
	flags.BoolVar(&f.metaOnly, "meta-only", false, "sizes in place of key, value and headers")
	flags.StringVar(&a.output, "output", "text", "text, json or value (the bytes as they are); in a pipe json")
	completeWords(cmd, "output", "text", "json", "value")
	return cmd
}

func (f tailFlags) options(topics []string, cmd *cobra.Command) (kafka.TailOptions, error) {
	t := kafka.TailOptions{
		Topics: topics, Partitions: f.partitions, Num: f.num, Group: f.group,
		ExitAtEnd: f.exitAtEnd || !f.follow, ReadCommitted: f.readCommitted,
	}
	if f.num < 0 || f.last < 0 {
		return t, usagef("--num and --last count events: they can't be negative")
	}
	now := time.Now()
	var err error
	if t.Filter, err = f.filter.filter(now); err != nil {
		return t, err
	}
	if f.regex {
		if t.Patterns, err = compile(topics); err != nil {
			return t, err
		}
	}
	switch last := cmd.Flags().Changed("last"); {
	case f.offset != "" && last:
		return t, usagef("--offset and --last both say where to begin: give one")
	case f.offset != "":
		if t.Range, err = kafka.ParseRange(f.offset, now); err != nil {
			return t, usageError{err}
		}
	case f.group != "":
	case !last && !t.Filter.Since.IsZero():
		t.Range.From = kafka.Point{Kind: kafka.AtTime, N: t.Filter.Since.UnixMilli()}
	case f.last == 0:
		t.Range.From.Kind = kafka.End
	default:
		t.Last = f.last
	}
	return t, f.checkGroup(t, cmd)
}

func compile(texts []string) ([]*regexp.Regexp, error) {
	patterns := make([]*regexp.Regexp, len(texts))
	for i, text := range texts {
		var err error
		if patterns[i], err = regexp.Compile(text); err != nil {
			return nil, usagef("topic %q is no regular expression: %w", text, err)
		}
	}
	return patterns, nil
}

func (f tailFlags) checkGroup(t kafka.TailOptions, cmd *cobra.Command) error {
	from, to := t.Range.From.Kind, t.Range.To.Kind
	switch {
	case f.group == "" && !cmd.Flags().Changed("group"):
		return nil
	case f.group == "":
		return usagef("--group needs a name")
	case len(f.partitions) > 0:
		return usagef("--group and --partition: the group says which partitions are read")
	case cmd.Flags().Changed("last"):
		return usagef("--group and --last: the group says where to begin")
	case f.offset != "" && (from != kafka.Start && from != kafka.End || to != kafka.Open):
		return usagef("--group and --offset %s: the group says where to begin; start or end is for a group that has read nothing yet", f.offset)
	}
	return nil
}

func (a *app) runTail(cmd *cobra.Command, topics []string, f tailFlags) error {
	cfg, err := a.loadKafka(cmd)
	if err != nil {
		return err
	}
	t, err := f.options(topics, cmd)
	if err != nil {
		return err
	}
	appendRecord, err := a.recordFormat(cmd, f)
	if err != nil {
		return err
	}
	if a.env("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	shown := a.newTally(f.filter.given())
	out := eventWriter{to: shown.over(a.stdout), append: appendRecord}
	t.Idle, t.Seen = out.flush, shown.saw
	t.Trouble = func(err error) {
		if err != nil {
			fmt.Fprintf(shown.over(a.stderr), "waiting: %s\n", ui.CleanLines(err.Error()))
			return
		}
		fmt.Fprintln(shown.over(a.stderr), "the broker is back")
	}
	options, err := kafkaOptions(cfg)
	if err != nil {
		return err
	}
	ctx, stop := untilReaderGone(cmd.Context(), a.stdout)
	defer stop()
	shown.start()
	err = kafka.Tail(ctx, options, t, func(records []*kgo.Record) error {
		shown.showed(len(records))
		return out.write(records)
	})
	shown.stop()
	if ctx.Err() != nil && cmd.Context().Err() == nil {
		return nil // the reader has seen enough
	}
	if flushErr := out.flush(); err == nil {
		err = flushErr
	}
	tellFailures(a.stderr, t.Filter.Where)
	return err
}

// An eventWriter writes events in large pieces.
type eventWriter struct {
	to     io.Writer
	append func([]byte, *kgo.Record) []byte
	buf    []byte
}

func (w *eventWriter) write(records []*kgo.Record) error {
	const enough = 64 << 10
	for _, r := range records {
		if w.buf = w.append(w.buf, r); len(w.buf) < enough {
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (w *eventWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.to.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

func tellFailures(w io.Writer, where *kafka.Where) {
	if where == nil {
		return
	}
	if n, first := where.Failures(); n > 0 {
		fmt.Fprintf(w, "--where could not be worked out for %s events, which were left out; the first: %s\n", grouped(n), ui.CleanLines(first.Error()))
	}
}

// recordFormat is how a record is written: for people on a terminal, as JSON in a
// pipe, unless it was said.
func (a *app) recordFormat(cmd *cobra.Command, f tailFlags) (func([]byte, *kgo.Record) []byte, error) {
	p := a.printer()
	said := cmd.Flags().Changed("output") || a.json
	switch {
	case cmd.Flags().Changed("format") && said:
		return nil, usagef("--format and --output both say how events look: give one")
	case f.metaOnly && (a.output == "value" || cmd.Flags().Changed("format")):
		return nil, usagef("--meta-only leaves nothing to show of --format or --output value")
	case cmd.Flags().Changed("format"):
		format, err := kafka.NewLayout(f.layout)
		if err != nil {
			return nil, usageError{err}
		}
		return format, nil
	case a.output == "value":
		return kafka.AppendValue, nil
	case p.Width == 0 && !said || a.format() == ui.JSON:
		lines := kafka.JSONFormatter{Raw: f.raw, MetaOnly: f.metaOnly}
		return lines.AppendJSON, nil
	default:
		text := kafka.TextFormatter{Color: p.Color, Width: p.Width, Location: time.Local, Raw: f.raw, MetaOnly: f.metaOnly}
		return text.AppendText, nil
	}
}
