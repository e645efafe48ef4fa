package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/ui"
)

func (a *app) outboxRetryCommand() *cobra.Command {
	var sel store.Selection
	var dryRun bool
	cmd := &cobra.Command{
		Use: "retry", Short: "Try parked and put-off events again now",
		Long: `Try parked and put-off events again now, as if they had never been tried: all of
them, or those that are selected. Nothing is lost by it: what can't be published is
put off and parked again.`,
		Example: `  todoctl outbox retry
  todoctl outbox retry --task 3
  todoctl outbox retry --topic task-events --dry-run`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkSelection(cmd, &sel); err != nil {
				return err
			}
			return a.onDatabase(cmd, func(ctx context.Context, db *store.Store, _ string) error {
				return a.runOutboxRetry(ctx, db, sel, dryRun)
			})
		},
	}
	settingFlags(cmd, "database", "data-dir")
	a.selectionFlags(cmd, &sel)
	cmd.Flags().StringSliceVar(&sel.IDs, "id", nil, "only the event with this id; repeat it for several")
	a.completeWaiting(cmd, "id", func(e store.Waiting) string { return e.ID })
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only count them")
	return cmd
}

// outboxRetry is the result of retry.
type outboxRetry struct {
	DryRun bool `json:"dry_run"`
	Events int  `json:"events"`
}

func (a *app) runOutboxRetry(ctx context.Context, db *store.Store, sel store.Selection, dryRun bool) error {
	if err := checkWaiting(ctx, db, sel.IDs); err != nil {
		return err
	}
	n, err := db.Retry(ctx, sel, dryRun)
	if err != nil && n == 0 {
		return err
	}
	result := outboxRetry{DryRun: dryRun, Events: n}
	printErr := a.printer().Print("outbox.retry", result, func(w io.Writer) {
		switch {
		case n == 0:
			fmt.Fprintln(w, "nothing to retry: none of the events is parked or put off")
		case dryRun:
			fmt.Fprintf(w, "would retry %s\n", events(n))
		default:
			fmt.Fprintf(w, "%s due now\n", events(n))
		}
	})
	return errors.Join(err, printErr)
}

// checkWaiting refuses ids of events that don't wait in the outbox.
func checkWaiting(ctx context.Context, db *store.Store, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	found, _, err := db.Waiting(ctx, store.WaitingQuery{Selection: store.Selection{IDs: ids}, Limit: len(ids)})
	if err != nil {
		return err
	}
	unknown := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return slices.ContainsFunc(found, func(e store.Waiting) bool { return e.ID == id })
	})
	if len(unknown) > 0 {
		return fmt.Errorf("no event waits with the id %s; 'todoctl outbox list --json' shows those that do", strings.Join(unknown, ", "))
	}
	return nil
}

func events(n int) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

// republishFlags are what republish is told.
type republishFlags struct {
	store.Republication
	since, until string
	yes          bool
}

func (a *app) outboxRepublishCommand() *cobra.Command {
	var f republishFlags
	cmd := &cobra.Command{
		Use: "republish --since TIME", Short: "Publish events once more that were published already",
		Long: `Publish events once more that were published already and are still kept: for a broker
that lost data. Consumers see them a second time, with the same ids, each task's in
order. A relay may run meanwhile. After an interruption the same command with the
--until that it names does what is left.

TIME is 2026-02-17, 2026-02-17T12:00:00Z, or a duration ago such as 90m or 2d.`,
		Example: `  todoctl outbox republish --since 2h --dry-run
  todoctl outbox republish --since 2026-02-17T12:00:00Z --until 2026-02-17T13:00:00Z
  todoctl outbox republish --since 1d --task 3 --yes`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.read(cmd, time.Now()); err != nil {
				return err
			}
			return a.onDatabase(cmd, func(ctx context.Context, db *store.Store, _ string) error {
				return a.runOutboxRepublish(ctx, db, f)
			})
		},
	}
	settingFlags(cmd, "database", "data-dir")
	a.selectionFlags(cmd, &f.Selection)
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", "events published at this time or later")
	flags.StringVar(&f.until, "until", "", "and before this time (default now)")
	flags.BoolVar(&f.DryRun, "dry-run", false, "only count them")
	flags.BoolVarP(&f.yes, "yes", "y", false, "don't ask")
	return cmd
}

func (f *republishFlags) read(cmd *cobra.Command, now time.Time) error {
	if f.since == "" {
		return usagef("say since when: --since 2h, or --since 2026-02-17T12:00:00Z")
	}
	var err error
	if f.Since, err = parseMoment("since", f.since, now); err != nil {
		return err
	}
	f.Until = now.Truncate(time.Millisecond)
	if f.until != "" {
		if f.Until, err = parseMoment("until", f.until, now); err != nil {
			return err
		}
	}
	if !f.Since.Before(f.Until) {
		return usagef("--since %s is not before --until %s", f.Since.Format(time.RFC3339), f.Until.Format(time.RFC3339))
	}
	return checkSelection(cmd, &f.Selection)
}

// parseMoment reads a time in the grammar of `events tail -o @TIME`.
func parseMoment(flag, s string, now time.Time) (time.Time, error) {
	r, err := kafka.ParseRange("@"+s, now)
	if err != nil || r.From.Kind != kafka.AtTime || r.To.Kind != kafka.Open {
		return time.Time{}, usagef("--%s %q: must be a time such as 2026-02-17T12:00:00Z, or a duration ago such as 90m or 2d", flag, s)
	}
	return time.UnixMilli(r.From.N).UTC(), nil
}

// outboxRepublish is the result of republish.
type outboxRepublish struct {
	DryRun bool      `json:"dry_run"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Events int       `json:"events"`
	Done   bool      `json:"done"` // false after an interruption or a failure
}

func (a *app) runOutboxRepublish(ctx context.Context, db *store.Store, f republishFlags) error {
	count := f.Republication
	count.DryRun = true
	total, err := db.Republish(ctx, count)
	if err != nil {
		return err
	}
	if f.DryRun || total == 0 {
		return a.printRepublish(f, total, nil)
	}
	if !f.yes {
		if err := a.confirm(ctx, fmt.Sprintf("publish %s again, so that consumers see them a second time", events(total))); err != nil {
			return err
		}
	}
	f.Progress = a.progress(total)
	n, err := db.Republish(ctx, f.Republication)
	if err != nil && a.format() == ui.Text { // as JSON the result tells it
		if f.Progress != nil {
			fmt.Fprintln(a.stderr) // leave the line of the progress
		}
		fmt.Fprintf(a.stderr, "not all is done; go on with: todoctl outbox republish --since %s --until %s\n", f.Since.Format(time.RFC3339Nano), f.Until.Format(time.RFC3339Nano))
	}
	return errors.Join(err, a.printRepublish(f, n, err))
}

// progress tells people on a terminal how far it is; nil where nobody looks.
func (a *app) progress(total int) func(int) {
	if a.messages().Width == 0 {
		return nil
	}
	return func(n int) {
		fmt.Fprintf(a.stderr, "\r%d of %s", n, events(total))
		if n >= total {
			fmt.Fprintln(a.stderr)
		}
	}
}

func (a *app) printRepublish(f republishFlags, n int, failure error) error {
	result := outboxRepublish{DryRun: f.DryRun, Since: f.Since, Until: f.Until, Events: n, Done: failure == nil && !f.DryRun}
	return a.printer().Print("outbox.republish", result, func(w io.Writer) {
		between := fmt.Sprintf("published from %s to %s", stamp(&f.Since), stamp(&f.Until))
		switch {
		case n == 0:
			fmt.Fprintf(w, "nothing to republish: no event is kept that was %s\n", between)
		case f.DryRun:
			fmt.Fprintf(w, "would republish %s, %s\n", events(n), between)
		default:
			fmt.Fprintf(w, "%s, %s, wait to be published again\n", events(n), between)
		}
	})
}
