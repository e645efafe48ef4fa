package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/ui"
)

// replayFlags are what replay is told.
type replayFlags struct {
	offset       string
	partitions   []int32
	to           string
	toBrokers    []string
	filter       filterFlags
	skipReplayed bool
	uncommitted  bool
	rate         float64
	state        string

	dryRun, yes, resume, restart bool
}

func (a *app) eventsReplayCommand() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use: "replay TOPIC", Short: "Produce a part of a topic again, to the same topic or another",
		Long: `Produce a part of a topic again: to another topic (--to), to other brokers (--to-brokers),
or to the topic itself, for which it asks. Keys, values, headers and timestamps stay as
they are, each partition keeps its order, and a record stays on its partition where the
target has as many. Two headers are added: todoctl-replay-id, and todoctl-replay-origin
such as task-events[1]@42; --skip-replayed leaves out records that have them.

What is replayed ends where the topic ends when the replay begins. Records of open and
aborted transactions are left out, unless --read-uncommitted is given.

How far it is stands in a state file until all is done. After Ctrl-C or a crash the same
command with --resume goes on from there, with the range of the first run. A record is in
the target at least once: after a crash those of the last second may be there twice, with
the same two headers.

Offsets (-o), per partition: ` + kafka.OffsetForms + `.`,
		Example: `  todoctl events replay task-events --to task-events-copy --dry-run
  todoctl events replay task-events --to task-events-copy -o @2026-02-17:2026-02-18
  todoctl events replay task-events --to-brokers staging:9092 --rate 500
  todoctl events replay task-events --to task-events-copy --resume
  todoctl events replay task-events -o @-1h --type task.created --yes   # into itself`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeTopics,
		RunE:              func(cmd *cobra.Command, words []string) error { return a.runReplay(cmd, words[0], f) },
	}
	brokerFlags(cmd, "data-dir")
	flags := cmd.Flags()
	flags.StringVarP(&f.offset, "offset", "o", "start", "where to begin, and maybe end")
	flags.Int32SliceVarP(&f.partitions, "partition", "p", nil, "only this partition; repeat it for several")
	flags.StringVar(&f.to, "to", "", "the topic to produce to (default the same topic)")
	flags.StringSliceVar(&f.toBrokers, "to-brokers", nil, "the Kafka bootstrap addresses to produce to (default the same brokers)")
	f.filter.add(cmd)
	flags.BoolVar(&f.skipReplayed, "skip-replayed", false, "leave out what a replay has produced")
	flags.BoolVar(&f.uncommitted, "read-uncommitted", false, "also records of open and aborted transactions")
	flags.Float64Var(&f.rate, "rate", 0, "records a second; 0 is no limit")
	flags.StringVar(&f.state, "state", "", "the state file (default in the data folder, one for each pair of topics)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only read, and count")
	flags.BoolVar(&f.resume, "resume", false, "go on with the replay that was interrupted")
	flags.BoolVar(&f.restart, "restart", false, "forget the replay that was interrupted")
	flags.BoolVarP(&f.yes, "yes", "y", false, "don't ask")
	if err := cmd.RegisterFlagCompletionFunc("to", a.completeTopics); err != nil {
		panic("todoctl: complete --to: " + err.Error()) // the flag is not there: a mistake in the program
	}
	return cmd
}

func (a *app) runReplay(cmd *cobra.Command, topic string, f replayFlags) error {
	cfg, err := a.loadKafka(cmd)
	if err != nil {
		return err
	}
	opts, err := f.options(cfg, topic)
	if err != nil {
		return err
	}
	opts.Trouble = a.waiting
	opts.Progress = a.replayProgress()
	r, err := kafka.OpenReplay(cmd.Context(), opts)
	if err != nil {
		return replayRefusal(err, opts.StateFile)
	}
	defer r.Close()
	if f.dryRun {
		if err := r.Count(cmd.Context()); err != nil {
			return err
		}
		return a.printReplay(r.State(), replayOutcome{DryRun: true})
	}
	if r.Same() && !f.yes && !f.resume {
		what := fmt.Sprintf("produce up to %d records of topic %q into the same topic, so that consumers see them a second time", r.State().Total().Left(), topic)
		if err := a.confirm(cmd.Context(), what); err != nil {
			return err
		}
	}
	return a.replay(cmd.Context(), r, f, opts.StateFile)
}

// options are what the flags say.
func (f replayFlags) options(cfg *config.Config, topic string) (kafka.ReplayOptions, error) {
	from, err := kafkaOptions(cfg)
	if err != nil {
		return kafka.ReplayOptions{}, err
	}
	to := from // with TLS and login as at the source
	to.Brokers = f.toBrokers
	o := kafka.ReplayOptions{
		From: from, Topic: topic, Partitions: f.partitions, To: to, ToTopic: f.to,
		Uncommitted: f.uncommitted, Rate: f.rate,
		StateFile: f.state, Resume: f.resume, Restart: f.restart, DryRun: f.dryRun,
	}
	switch {
	case f.rate < 0:
		return o, usagef("--rate %v: must be a number of records a second, or 0 for no limit", f.rate)
	case f.resume && f.restart:
		return o, usagef("--resume goes on, --restart begins anew: give one")
	}
	if o.Range, err = kafka.ParseRange(f.offset, time.Now()); err != nil {
		return o, usageError{err}
	}
	if o.Keep, o.KeepText, err = f.keep(); err != nil {
		return o, err
	}
	if o.StateFile == "" {
		o.StateFile = filepath.Join(cfg.Get("data-dir"), stateName(topic, f))
	}
	return o, nil
}

// stateName is the name of the state file: one for each pair of topics and target.
func stateName(topic string, f replayFlags) string {
	name := "replay-" + topic
	if f.to != "" && f.to != topic {
		name += "-to-" + f.to
	}
	if len(f.toBrokers) > 0 {
		name += "-at-" + strings.NewReplacer(":", "-", "/", "-", `\`, "-").Replace(f.toBrokers[0])
	}
	return name + ".json"
}

// keep is what the flags leave of the range, nil for all of it, and the same in words.
func (f replayFlags) keep() (func(*kgo.Record) bool, string, error) {
	filter, err := f.filter.filter(time.Now())
	if err != nil {
		return nil, "", err
	}
	words, wanted := f.filter.words(), filter.Matcher()
	if !f.skipReplayed {
		return wanted, strings.Join(words, " "), nil
	}
	return func(r *kgo.Record) bool {
		return !kafka.Replayed(r) && (wanted == nil || wanted(r))
	}, strings.Join(append(words, "skip-replayed"), " "), nil
}

// replayRefusal tells what to do about the state file.
func replayRefusal(err error, file string) error {
	switch {
	case errors.Is(err, kafka.ErrUnfinished):
		return usagef("%w %s: go on with it with --resume, or begin anew with --restart", err, file)
	case errors.Is(err, kafka.ErrNothingToResume):
		return usagef("%w %s: leave out --resume to begin one", err, file)
	default:
		return err
	}
}

// replay runs it and prints what became of it.
func (a *app) replay(ctx context.Context, r *kafka.Replay, f replayFlags, file string) error {
	began := time.Now()
	err := r.Run(ctx)
	out := replayOutcome{Resumed: f.resume, Done: err == nil, Seconds: time.Since(began).Seconds()}
	if err != nil {
		out.StateFile = file
		if a.messages().Width > 0 {
			fmt.Fprintln(a.stderr) // leave the line of the progress
		}
		if a.format() == ui.Text { // as JSON the result tells it
			fmt.Fprintf(a.stderr, "not all is done; the same command with --resume goes on (%s)\n", ui.Clean(file))
		}
	}
	return errors.Join(err, a.printReplay(r.State(), out))
}
