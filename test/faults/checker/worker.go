package checker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The names of what a worker must hold.
const (
	Untold  = "I5 lost"    // a notification or a next task is missing
	Twice   = "I5 twice"   // an effect was had more often than once
	Made    = "I5 made up" // an effect that nothing called for
	Letters = "I6 dead letters"
	Commit  = "I8 commit"
)

const (
	changesTopic = Changes
	suffix       = "-dlq"
)

// A WorkerReport is the judgement on the workers of a campaign.
type WorkerReport struct {
	*Report
	Due      int // reminders that were to be told
	Told     int // of them, by the log channel
	Excused  int // lines that came again because a worker was cut off between sending and noting
	Reposted int // webhooks that came again, with an id that the receiver knew
	Series   int // next tasks
	Poison   int // records of it, redriven ones too
	Letters  int // dead letters of all kinds
	Again    int // dead letters by a worker of a record that had one
	Copied   int // the same of Dapr's own, which knows of no receipts
	Redriven int // records that a redrive sent back
	Checked  int // records below a committed offset, over all samples
}

// CheckWorker holds the evidence against I5, I6, I7 and I8, see the package's doc.
func CheckWorker(e WorkerEvidence) *WorkerReport {
	c := workerCheck{
		WorkerReport: &WorkerReport{Report: &Report{counts: map[string]int{}, examples: map[string][]string{}}},
		e:            e, due: map[string]Reminder{}, lines: map[string][]place{}, posts: map[string]int{}, letters: map[Origin][]letter{},
	}
	for _, m := range e.Messages {
		c.read = append(c.read, readMessage(m))
	}
	c.rows()
	c.log()
	c.webhooks()
	c.wishes()
	c.series()
	c.deadLetters()
	c.messages()
	c.samples()
	if !e.Recovered || e.Recovery > e.Bound {
		c.violated(Recovery, "events wait %s after the last fault, allowed are %s", e.Recovery, e.Bound)
	}
	return c.WorkerReport
}

type workerCheck struct {
	*WorkerReport
	e       WorkerEvidence
	read    []message
	due     map[string]Reminder // that events tell of, by their ids
	lines   map[string][]place  // where an event is in the log, in no order
	posts   map[string]int      // the first post of an event, counted from 0
	letters map[Origin][]letter // dead letters by where they came from
}

// A place is a line of a run.
type place struct{ run, line int }

// rows reads what fell due from the outbox: each follows its scheduling, and none
// twice.
func (c *workerCheck) rows() {
	bySeq := map[Place]DueRow{}
	for _, row := range c.e.Rows {
		bySeq[Place{row.Task, row.Seq}] = row
	}
	seen := map[Reminder]string{}
	for _, row := range c.e.Rows {
		if row.Type != "reminder.due" {
			continue
		}
		c.due[row.ID] = row.Reminder
		if before := bySeq[Place{row.Task, row.Seq - 1}]; before.Type != "reminder.scheduled" || before.At != row.At {
			c.violated(Made, "event %s, %d of task %d: due, and before it was %q", row.ID, row.Seq, row.Task, before.Type)
		}
		if first, ok := seen[row.Reminder]; ok {
			c.violated(Twice, "task %d fell due twice for one time, as event %s and %s", row.Task, first, row.ID)
		}
		seen[row.Reminder] = row.ID
	}
	c.Due = len(c.due)
}

// log goes through the lines of the log channel: each due event has one.
func (c *workerCheck) log() {
	for run, r := range c.e.Runs {
		for line, t := range r.Lines {
			c.lines[t.ID] = append(c.lines[t.ID], place{run, line})
			c.called("line", t)
		}
	}
	for id, reminder := range c.due {
		places := c.lines[id]
		if len(places) == 0 {
			c.violated(Untold, "event %s, task %d: no line in the log", id, reminder.Task)
			continue
		}
		c.Told++
	}
	for id, places := range c.lines {
		for range len(places) - 1 {
			c.again(id, places)
		}
	}
}

// called checks that something called for a notification, and that it says the same.
func (c *workerCheck) called(what string, t Telling) {
	if strings.HasPrefix(t.ID, PoisonKey) {
		return // held against the messages
	}
	if want, ok := c.due[t.ID]; !ok || want != t.Reminder {
		c.violated(Made, "%s of event %s, task %d: nothing of the kind fell due", what, t.ID, t.Task)
	}
}

// again judges a repeated line: it is excused where one of the event's lines was sent and
// not noted when its run was killed or stopped, or was under way when it was stopped.
func (c *workerCheck) again(id string, places []place) {
	for _, at := range places {
		for _, cut := range c.e.Runs[at.run].Cuts {
			if cut.Open[id] && at.line < cut.At || !cut.Killed && at.line >= cut.At && at.line < cut.At+c.e.Flight {
				c.Excused++
				return
			}
		}
	}
	var where []string
	for _, at := range places {
		where = append(where, fmt.Sprintf("line %d of %d of %s", at.line, len(c.e.Runs[at.run].Lines), c.e.Runs[at.run].Name))
	}
	c.violated(Twice, "event %s: %s", id, strings.Join(where, ", "))
}

// webhooks goes through the posts: who looks at ids takes each due event once.
func (c *workerCheck) webhooks() {
	for i, t := range c.e.Posts {
		c.called("webhook", t)
		if _, ok := c.posts[t.ID]; ok {
			c.Reposted++
			continue
		}
		c.posts[t.ID] = i
	}
	for id, reminder := range c.due {
		if _, ok := c.posts[id]; !ok {
			c.violated(Untold, "event %s, task %d: no webhook", id, reminder.Task)
		}
	}
}

// wishes holds what clients were promised against what fell due.
func (c *workerCheck) wishes() {
	fell := map[Reminder]bool{}
	for _, r := range c.due {
		fell[r] = true
	}
	for _, wish := range c.e.Wishes {
		if !fell[wish] {
			c.violated(Untold, "task %d: its reminder didn't fall due", wish.Task)
		}
	}
	for _, r := range c.e.Unwanted {
		if fell[r] {
			c.violated(Made, "task %d: its reminder was taken back and fell due", r.Task)
		}
	}
}

// series checks that each completed task of one has one next task.
func (c *workerCheck) series() {
	next := map[int64]int{}
	for _, n := range c.e.Next {
		next[n.Previous]++
	}
	c.Series = len(c.e.Next)
	for _, id := range c.e.Series {
		if next[id] == 0 {
			c.violated(Untold, "task %d of a series: completed, and there is no next one", id)
		}
	}
	completed := map[int64]bool{}
	for _, m := range c.read {
		if m.recurs {
			completed[m.task] = true
		}
	}
	for id, n := range next {
		if n > 1 {
			c.violated(Twice, "task %d of a series has %d next ones", id, n)
		}
		if !completed[id] {
			c.violated(Made, "task %d has a next one, and nothing tells that it was completed", id)
		}
	}
}

// A message is a record with what the checker wants to know of it.
type message struct {
	Message
	id, kind string
	task     int64
	recurs   bool // a task of a series was completed
	redriven bool
	poison   string // its kind, "" for none
}

func readMessage(m Message) message {
	var event struct {
		ID, Type     string
		RedriveCount any
		Data         struct {
			Data struct {
				TaskID     int64 `json:"task_id"`
				Recurrence string
			}
		}
	}
	read := message{Message: m}
	err := json.Unmarshal(m.Value, &event)
	read.id, read.kind, read.redriven = event.ID, event.Type, event.RedriveCount != nil
	if words := strings.Split(m.Key, "/"); len(words) == 3 && words[0] == PoisonKey {
		read.poison = words[1]
		return read
	}
	data := event.Data.Data
	read.task = data.TaskID
	read.recurs = err == nil && m.Place.Topic == changesTopic && event.Type == "task.completed" && data.Recurrence != "" && data.Recurrence != "none"
	return read
}

// unread names the kinds of poison that the campaign has and of which no record is
// there.
func (c *workerCheck) unread(seen map[string]bool) {
	for _, kind := range slices.Sorted(maps.Keys(c.e.Poison)) {
		if !seen[kind] {
			c.violated(Letters, "no record of the poison %q is there: nothing was shown with it", kind)
		}
	}
}
