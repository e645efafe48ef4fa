package main

import (
	"bufio"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/ui"
)

// lastByDefault is how many events tail shows before it follows, as tail(1) does
// with lines.
const lastByDefault = 10

type tailFlags struct {
	offset            string
	num               int64
	last              int
	follow, exitAtEnd bool
	partitions        []int32
}

func (a *app) eventsTailCommand() *cobra.Command {
	var f tailFlags
	cmd := &cobra.Command{
		Use: "tail TOPIC...", Short: "Show the last events of topics and follow, like tail -f",
		Long: `Show the last 10 events of topics and follow, like tail -f. On a terminal an event is
a line for people, in a pipe a line of JSON that loses nothing.

Offsets (-o), per partition: ` + kafka.OffsetForms + `.
A range that has an end is read to it, and that's all.`,
		Example: `  todoctl events tail task-events
  todoctl events tail task-events -o start -e            # all there is
  todoctl events tail task-events reminders -o @-1h      # of the last hour, and follow
  todoctl events tail task-events -o -100 -e --json | jq .event.type`,
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeTopics,
		RunE:              func(cmd *cobra.Command, topics []string) error { return a.runTail(cmd, topics, f) },
		Annotations:       map[string]string{outputWords: "text json value"},
	}
	settingFlags(cmd, "brokers", "data-dir")
	flags := cmd.Flags()
	flags.StringVarP(&f.offset, "offset", "o", "", "where to begin, and maybe end")
	flags.Int64VarP(&f.num, "num", "n", 0, "stop after this many events; 0 is no limit")
	flags.IntVar(&f.last, "last", lastByDefault, "begin with this many of the last events, in all partitions together")
	flags.BoolVarP(&f.follow, "follow", "f", true, "wait for new events")
	flags.BoolVarP(&f.exitAtEnd, "exit-at-end", "e", false, "stop at the end of the partitions")
	flags.Int32SliceVarP(&f.partitions, "partition", "p", nil, "only this partition; repeat it for several")
	flags.StringVar(&a.output, "output", "text", "text, json or value (the bytes as they are); in a pipe json")
	completeWords(cmd, "output", "text", "json", "value")
	return cmd
}

func (f tailFlags) options(topics []string, cmd *cobra.Command) (kafka.TailOptions, error) {
	t := kafka.TailOptions{
		Topics: topics, Partitions: f.partitions, Num: f.num,
		ExitAtEnd: f.exitAtEnd || !f.follow,
	}
	if f.num < 0 || f.last < 0 {
		return t, usagef("--num and --last count events: they can't be negative")
	}
	if f.offset == "" {
		t.Last = f.last
		if f.last == 0 {
			t.Range.From.Kind = kafka.End
		}
		return t, nil
	}
	if cmd.Flags().Changed("last") {
		return t, usagef("--offset and --last both say where to begin: give one")
	}
	var err error
	t.Range, err = kafka.ParseRange(f.offset, time.Now())
	if err != nil {
		return t, usageError{err}
	}
	return t, nil
}

func (a *app) runTail(cmd *cobra.Command, topics []string, f tailFlags) error {
	cfg, err := a.load(cmd)
	if err != nil {
		return err
	}
	t, err := f.options(topics, cmd)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(a.stdout, 64<<10)
	t.Idle = out.Flush
	t.Trouble = func(err error) {
		if err != nil {
			fmt.Fprintf(a.stderr, "waiting: %s\n", ui.CleanLines(err.Error()))
			return
		}
		fmt.Fprintln(a.stderr, "the broker is back")
	}
	appendRecord := a.recordFormat(cmd)
	var line []byte
	ctx, stop := untilReaderGone(cmd.Context(), a.stdout)
	defer stop()
	err = kafka.Tail(ctx, kafkaOptions(cfg.List("brokers")), t, func(records []*kgo.Record) error {
		for _, r := range records {
			line = appendRecord(line[:0], r)
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
	if ctx.Err() != nil && cmd.Context().Err() == nil {
		return nil // the reader has seen enough
	}
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	return err
}

// recordFormat is how a record is written: for people on a terminal, as JSON in a
// pipe, unless it was said.
func (a *app) recordFormat(cmd *cobra.Command) func([]byte, *kgo.Record) []byte {
	p := a.printer()
	piped := p.Width == 0 && !cmd.Flags().Changed("output")
	switch {
	case a.output == "value":
		return kafka.AppendValue
	case a.json || piped || a.format() == ui.JSON:
		return new(kafka.JSONFormatter).AppendJSON
	default:
		text := kafka.TextFormatter{Color: p.Color, Width: p.Width, Location: time.Local}
		return text.AppendText
	}
}
