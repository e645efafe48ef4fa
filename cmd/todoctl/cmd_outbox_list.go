package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/task"
	"github.com/todoctl/todoctl/internal/ui"
)

// A waitingEvent is an event in the outbox, as it is printed.
type waitingEvent struct {
	ID          string          `json:"id"`
	Topic       string          `json:"topic"`
	TaskID      int64           `json:"task_id"`
	Sequence    int64           `json:"sequence"`
	Type        string          `json:"type"`
	Time        time.Time       `json:"time"`
	Age         float64         `json:"age_seconds"`
	State       store.State     `json:"state"`
	Behind      int64           `json:"behind,omitempty"` // sequence of the task's event that must go out first
	Attempts    int             `json:"attempts"`
	NextAttempt time.Time       `json:"next_attempt"`
	ParkedAt    *time.Time      `json:"parked_at"`
	LastError   string          `json:"last_error"`
	Payload     json.RawMessage `json:"payload,omitempty"`
}

func describeWaiting(e *store.Waiting, now time.Time) *waitingEvent {
	if e == nil {
		return nil
	}
	return &waitingEvent{
		ID: e.ID, Topic: e.Topic, TaskID: e.TaskID, Sequence: e.Sequence, Type: e.Type, Time: e.Time,
		Age: max(now.Sub(e.Time), 0).Seconds(), State: e.State, Behind: e.Behind, Attempts: e.Attempts,
		NextAttempt: e.NextAttempt, ParkedAt: given(e.ParkedAt), LastError: e.LastError, Payload: e.Payload,
	}
}

// name is the event in a sentence.
func (e *waitingEvent) name() string {
	return fmt.Sprintf("%s of task %d, sequence %d", ui.Clean(e.Type), e.TaskID, e.Sequence)
}

// why is what keeps the event from going out.
func (e *waitingEvent) why() string {
	switch e.State {
	case store.Parked:
		return "parked since " + stamp(e.ParkedAt)
	case store.PutOff:
		return "put off until " + e.NextAttempt.Local().Format(time.TimeOnly)
	case store.Blocked:
		return fmt.Sprintf("blocked behind sequence %d", e.Behind)
	case store.Queued:
		return fmt.Sprintf("behind sequence %d", e.Behind)
	default:
		return "due"
	}
}

// ageText is an age of some seconds in its two largest units.
func ageText(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Truncate(time.Second)
	h, m, s := int(d/time.Hour), int(d/time.Minute)%60, int(d/time.Second)%60
	switch {
	case h >= 48:
		return fmt.Sprintf("%dd%dh", h/24, h%24)
	case h > 0:
		return fmt.Sprintf("%dh%dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm%ds", m, s)
	default:
		return fmt.Sprintf("%ds", s)
	}
}

// selectionFlags narrow what an outbox command takes.
func (a *app) selectionFlags(cmd *cobra.Command, sel *store.Selection) {
	flags := cmd.Flags()
	flags.StringVar(&sel.Topic, "topic", "", "only events of this topic")
	flags.Int64Var(&sel.TaskID, "task", 0, "only events of the task with this id")
	a.completeWaiting(cmd, "topic", func(e store.Waiting) string { return e.Topic })
	a.completeWaiting(cmd, "task", func(e store.Waiting) string { return strconv.FormatInt(e.TaskID, 10) })
}

func checkSelection(cmd *cobra.Command, sel *store.Selection) error {
	if cmd.Flags().Changed("task") && sel.TaskID < 1 {
		return usagef("--task %d: must be a whole number such as 3", sel.TaskID)
	}
	for i, id := range sel.IDs {
		parsed, err := uuid.Parse(id)
		if err != nil {
			return usagef("--id %q: must be the id of an event, such as 0198c0f4-7a3e-7cc2-8a55-0d6f1b3f2a10; 'todoctl outbox list --json' shows them", id)
		}
		sel.IDs[i] = parsed.String()
	}
	return nil
}

func (a *app) outboxListCommand() *cobra.Command {
	var q store.WaitingQuery
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the events that have not reached the broker, oldest first",
		Long: `List the events that have not reached the broker, oldest first. Only the first of a
task's events can go out: the others wait behind it, and are blocked while it is
parked or put off.`,
		Example: `  todoctl outbox list
  todoctl outbox list --parked --topic task-events
  todoctl outbox list --task 3 --payload
  todoctl outbox list --json | jq '.events[] | select(.state == "blocked")'`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Limit < 1 || q.Limit > task.MaxPage {
				return usagef("--limit %d: must be 1 to %d; --after goes on from there", q.Limit, task.MaxPage)
			}
			if err := checkSelection(cmd, &q.Selection); err != nil {
				return err
			}
			return a.onDatabase(cmd, func(ctx context.Context, db *store.Store, _ string) error {
				return a.runOutboxList(ctx, db, q)
			})
		},
	}
	settingFlags(cmd, "database", "data-dir")
	a.selectionFlags(cmd, &q.Selection)
	flags := cmd.Flags()
	flags.BoolVar(&q.Parked, "parked", false, "only parked events")
	flags.IntVar(&q.Limit, "limit", 50, "at most so many")
	flags.Int64Var(&q.After, "after", 0, "go on after this place, the one that the page before ends with")
	flags.BoolVar(&q.Payload, "payload", false, "with what is to be published")
	return cmd
}

// outboxPage is the result of list.
type outboxPage struct {
	Events []*waitingEvent `json:"events"`
	Next   *int64          `json:"next"` // for --after; null on the last page
}

func (a *app) runOutboxList(ctx context.Context, db *store.Store, q store.WaitingQuery) error {
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	found, more, err := db.Waiting(ctx, q)
	if err != nil {
		return err
	}
	now := time.Now()
	page := outboxPage{Events: []*waitingEvent{}}
	for i := range found {
		page.Events = append(page.Events, describeWaiting(&found[i], now))
	}
	if more {
		page.Next = &found[len(found)-1].Row
	}
	p := a.printer()
	return p.Print("outbox.list", page, func(w io.Writer) { page.text(p, w, q.Payload) })
}

func (page outboxPage) text(p ui.Printer, w io.Writer, payload bool) {
	switch {
	case len(page.Events) == 0:
		fmt.Fprintln(w, "nothing waits")
	case payload:
		for _, e := range page.Events {
			p.Fields(w, [][2]string{{"event", e.ID}, {"topic", ui.Clean(e.Topic)}, {"what", e.name()}, {"state", e.why()}})
			fmt.Fprintf(w, "%s\n\n", ui.Clean(string(e.Payload)))
		}
	default:
		p.Table(w, []string{"TOPIC", "TASK", "SEQ", "TYPE", "AGE", "TRIES", "NEXT TRY", "STATE", "LAST ERROR"}, page.rows())
	}
	if page.Next != nil {
		fmt.Fprintf(w, "more: --after %d\n", *page.Next)
	}
}

func (page outboxPage) rows() [][]string {
	var rows [][]string
	for _, e := range page.Events {
		next := ""
		if e.State == store.PutOff {
			next = e.NextAttempt.Local().Format(time.TimeOnly)
		}
		rows = append(rows, []string{
			e.Topic, strconv.FormatInt(e.TaskID, 10), strconv.FormatInt(e.Sequence, 10), e.Type, ageText(e.Age),
			strconv.Itoa(e.Attempts), next, e.why(), e.LastError,
		})
	}
	return rows
}

// completeWaiting completes a flag with a value of the events that wait.
func (a *app) completeWaiting(cmd *cobra.Command, flag string, value func(store.Waiting) string) {
	complete := func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.waitingWords(cmd, value), cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic("todoctl: complete --" + flag + ": " + err.Error()) // the flag is not there: a mistake in the program
	}
}

// waitingWords are the distinct values of the oldest events that wait; none when
// the database doesn't answer.
func (a *app) waitingWords(cmd *cobra.Command, value func(store.Waiting) string) []string {
	db, _, err := a.database(cmd)
	if err != nil {
		return nil
	}
	defer func() { _ = db.Close() }() // it was only read
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	found, _, err := db.Waiting(ctx, store.WaitingQuery{Limit: 200})
	if err != nil {
		return nil
	}
	var words []string
	seen := make(map[string]bool)
	for _, e := range found {
		word := value(e)
		if !seen[word] {
			seen[word] = true
			words = append(words, cobra.CompletionWithDesc(word, ui.Clean(fmt.Sprintf("%s of task %d, %s", e.Type, e.TaskID, e.State))))
		}
	}
	return words
}
