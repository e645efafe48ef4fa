package checker

import "slices"

const deleted = "task.deleted"

// answers holds what clients were told against the rows: I1, I2 and the answers
// themselves.
func (c *check) answers(operations []Operation) {
	sent := make(map[string]bool, len(operations))
	keyed := map[string][]Operation{}
	for _, o := range operations {
		sent[o.Trace] = true
		if o.Outcome == OK && !o.Replayed {
			c.Changes++
		}
		if o.Key != "" {
			keyed[o.Key] = append(keyed[o.Key], o)
			continue
		}
		c.single(o)
	}
	for _, repeated := range keyed {
		c.group(repeated)
	}
	for trace, rows := range c.byTrace {
		if !sent[trace] {
			c.violated(Phantom, "event %s of task %d: nobody asked for it", rows[0].ID, rows[0].Task)
		}
	}
}

// single checks a request that was sent once.
func (c *check) single(o Operation) {
	rows := c.byTrace[o.Trace]
	if len(rows) > 1 {
		c.violated(Phantom, "%s %q: made %d times", o.Action, o.Title, len(rows))
	}
	switch {
	case o.Outcome == Fail && len(rows) > 0:
		c.violated(Phantom, "%s %q: refused, and event %s tells of it", o.Action, o.Title, rows[0].ID)
	case o.Outcome == OK && len(rows) == 0:
		c.violated(Loss, "%s of task %d, %d: answered with 2xx and not in the outbox", o.Action, o.TaskID, o.Sequence)
	case o.Outcome == OK:
		c.match(o, rows[0])
	}
}

// group checks the repetitions of one request under one idempotency key: one of
// them made the change, and all answers tell of that.
func (c *check) group(operations []Operation) {
	var rows []*Row
	for _, o := range operations {
		rows = append(rows, c.byTrace[o.Trace]...)
	}
	if len(rows) > 1 {
		c.violated(Phantom, "idempotency key %s: made %d times", operations[0].Key, len(rows))
	}
	for _, o := range operations {
		switch {
		case o.Outcome == Fail && len(c.byTrace[o.Trace]) > 0:
			c.violated(Phantom, "%s with key %s: refused, and event %s tells of it", o.Action, o.Key, c.byTrace[o.Trace][0].ID)
		case o.Outcome == OK && len(rows) == 0:
			c.violated(Loss, "%s of task %d with key %s: answered with 2xx and not in the outbox", o.Action, o.TaskID, o.Key)
		case o.Outcome == OK:
			c.match(o, rows[0])
		}
	}
}

// match checks that the row is the change that was answered.
func (c *check) match(o Operation, row *Row) {
	switch {
	case row.Task != o.TaskID,
		o.Sequence != 0 && row.Seq != o.Sequence,
		o.Title != "" && row.Title != o.Title,
		!slices.Contains(types(o.Action), row.Type):
		c.violated(Answers, "%s %q answered with task %d at %d: the row is %s, %d of task %d, %q",
			o.Action, o.Title, o.TaskID, o.Sequence, row.Type, row.Seq, row.Task, row.Title)
	}
}

// types are the events that an action can make.
func types(action string) []string {
	switch action {
	case "create":
		return []string{"task.created"}
	case "toggle":
		return []string{"task.completed", "task.reopened"}
	case "delete":
		return []string{deleted}
	default:
		return []string{"task.updated"}
	}
}
