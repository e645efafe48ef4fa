package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/ui"
)

const (
	databaseWait = 30 * time.Second // for the database's answer to a question
	historyWait  = 3 * time.Second  // for the count of published events, which status can do without
)

func (a *app) outboxCommand() *cobra.Command {
	cmd := group("outbox", "See what has not reached the broker yet, and why; send it again", `
  todoctl outbox status
  todoctl outbox list --parked
  todoctl outbox retry --task 3
  todoctl outbox republish --since 2h            # the broker lost data`)
	cmd.AddCommand(a.outboxStatusCommand(), a.outboxListCommand(), a.outboxRetryCommand(), a.outboxRepublishCommand())
	return cmd
}

// database opens the database that a command's settings name, for a command that
// neither creates nor migrates it. The caller closes it.
func (a *app) database(cmd *cobra.Command) (*store.Store, string, error) {
	cfg, err := a.load(cmd)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), databaseWait)
	defer cancel()
	url := databaseURL(cfg)
	db, err := store.OpenExisting(ctx, url, store.Options{})
	return db, store.Describe(url), err
}

// onDatabase runs a command on the database.
func (a *app) onDatabase(cmd *cobra.Command, do func(ctx context.Context, db *store.Store, name string) error) error {
	db, name, err := a.database(cmd)
	if err != nil {
		return err
	}
	return errors.Join(do(cmd.Context(), db, name), db.Close())
}

// statusLimits are what status is held to; a negative one doesn't hold.
type statusLimits struct {
	age             time.Duration
	pending, parked int64
}

func (a *app) outboxStatusCommand() *cobra.Command {
	var limits statusLimits
	cmd := &cobra.Command{
		Use: "status", Short: "Count what waits in the outbox, and tell why",
		Long: `Count what waits in the outbox and tell why: the oldest event, the error of the event
that failed last, and whether a relay leads. With a limit it answers no (exit code 3)
when that is exceeded.`,
		Example: `  todoctl outbox status
  todoctl outbox status --max-age 30s --max-parked 0 || echo "events are stuck"
  todoctl outbox status --json --database postgres://todo:todo@127.0.0.1:5432/todo`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("max-age") {
				limits.age = -1
			} else if limits.age < 0 {
				return usagef("--max-age %s: must not be negative", limits.age)
			}
			return a.onDatabase(cmd, func(ctx context.Context, db *store.Store, name string) error {
				return a.runOutboxStatus(ctx, db, name, limits)
			})
		},
	}
	settingFlags(cmd, "database", "data-dir")
	flags := cmd.Flags()
	flags.DurationVar(&limits.age, "max-age", 0, "answer no when the oldest waiting event is older")
	flags.Int64Var(&limits.pending, "max-pending", -1, "answer no when more events wait, parked ones not counted")
	flags.Int64Var(&limits.parked, "max-parked", -1, "answer no when more events are parked")
	return exits(cmd, "0 done · 1 failed · 2 wrong usage · 3 a limit is exceeded · 130 interrupted")
}

// outboxStatus is the result of status.
type outboxStatus struct {
	Database   string          `json:"database"`
	Pending    int64           `json:"pending"` // parked ones not counted
	Parked     int64           `json:"parked"`
	OldestAge  float64         `json:"oldest_age_seconds"` // 0 when none waits
	Oldest     *waitingEvent   `json:"oldest"`
	LastFailed *waitingEvent   `json:"last_failed"`
	Published  *publishedCount `json:"published"` // null when it took too long to count
	Relay      relayStatus     `json:"relay"`
	Exceeded   []string        `json:"exceeded"` // limits
}

type publishedCount struct {
	LastHour int64      `json:"last_hour"`
	Kept     int64      `json:"kept"`
	First    *time.Time `json:"first"`
	Last     *time.Time `json:"last"`
}

type relayStatus struct {
	Leads bool   `json:"leads"`
	Addr  string `json:"addr,omitempty"` // of the leader's connection to PostgreSQL
}

func (a *app) runOutboxStatus(ctx context.Context, db *store.Store, name string, limits statusLimits) error {
	status, err := readOutboxStatus(ctx, db)
	if err != nil {
		return err
	}
	status.Database = name
	status.Exceeded = limits.exceeded(status)
	p := a.printer()
	if err := p.Print("outbox.status", status, func(w io.Writer) { status.text(p, w) }); err != nil {
		return err
	}
	if n := len(status.Exceeded); n > 0 {
		return noError{fmt.Errorf("limit exceeded: %s; 'todoctl outbox list' shows the events", status.Exceeded[0])}
	}
	return nil
}

func readOutboxStatus(ctx context.Context, db *store.Store) (s outboxStatus, err error) {
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	now := time.Now()
	o, err := db.Overview(ctx)
	if err != nil {
		return s, err
	}
	leader, err := db.Leader(ctx)
	if err != nil {
		return s, err
	}
	s = outboxStatus{
		Pending: o.Pending, Parked: o.Parked, Relay: relayStatus(leader),
		Oldest: describeWaiting(o.Oldest, now), LastFailed: describeWaiting(o.LastFailed, now),
	}
	if s.Oldest != nil {
		s.OldestAge = s.Oldest.Age
	}
	s.Published, err = countPublished(ctx, db, now)
	return s, err
}

// countPublished gives nil when it takes too long.
func countPublished(ctx context.Context, db *store.Store, now time.Time) (*publishedCount, error) {
	bounded, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	h, err := db.History(bounded, now.Add(-time.Hour))
	if err != nil {
		if bounded.Err() != nil && ctx.Err() == nil {
			return nil, nil
		}
		return nil, err
	}
	return &publishedCount{LastHour: h.Recent, Kept: h.Kept, First: given(h.First), Last: given(h.Last)}, nil
}

// given is a time that may be missing.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (l statusLimits) exceeded(s outboxStatus) []string {
	over := []string{}
	if l.age >= 0 && s.OldestAge > l.age.Seconds() {
		over = append(over, fmt.Sprintf("the oldest event waits for %s, at most %s is allowed", ageText(s.OldestAge), l.age))
	}
	if l.pending >= 0 && s.Pending > l.pending {
		over = append(over, fmt.Sprintf("%d events wait, at most %d are allowed", s.Pending, l.pending))
	}
	if l.parked >= 0 && s.Parked > l.parked {
		over = append(over, fmt.Sprintf("%d events are parked, at most %d are allowed", s.Parked, l.parked))
	}
	return over
}

func (s outboxStatus) text(p ui.Printer, w io.Writer) {
	parked := fmt.Sprint(s.Parked)
	if s.Parked > 0 {
		parked = p.Bad(parked) + ": 'todoctl outbox list --parked' shows them"
	}
	oldest, failed := "none", "none"
	if s.Oldest != nil {
		oldest = fmt.Sprintf("%s, %s: %s", ageText(s.Oldest.Age), s.Oldest.name(), s.Oldest.why())
	}
	if s.LastFailed != nil {
		failed = fmt.Sprintf("%s: %s", s.LastFailed.name(), ui.Clean(s.LastFailed.LastError))
	}
	p.Fields(w, [][2]string{
		{"database", s.Database},
		{"pending", fmt.Sprint(s.Pending)},
		{"parked", parked},
		{"oldest", oldest},
		{"last error", failed},
		{"published", s.Published.text()},
		{"relay", s.Relay.text(s.Pending > 0)},
	})
}

func (c *publishedCount) text() string {
	switch {
	case c == nil:
		return "not counted: it took too long"
	case c.Kept == 0:
		return "none kept"
	default:
		return fmt.Sprintf("%d in the last hour; %d kept, published from %s to %s", c.LastHour, c.Kept, stamp(c.First), stamp(c.Last))
	}
}

func (r relayStatus) text(needed bool) string {
	switch {
	case r.Leads && r.Addr != "":
		return "leads, from " + r.Addr
	case r.Leads:
		return "leads"
	case needed:
		return "none leads: start 'todoctl serve' with publishing on"
	default:
		return "none leads"
	}
}
