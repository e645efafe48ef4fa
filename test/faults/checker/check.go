package checker

// Check holds the evidence against the invariants.
func Check(e Evidence) *Report {
	c := check{
		Report: &Report{counts: map[string]int{}, examples: map[string][]string{}},
		byID:   make(map[string]*Row, len(e.Rows)), byTrace: make(map[string][]*Row, len(e.Rows)),
		byTask: map[int64][]*Row{}, updates: map[Place]*Row{},
	}
	for i := range e.Rows {
		row := &e.Rows[i]
		c.byID[row.ID] = row
		if row.Parked {
			c.Parked++
		}
		switch row.Topic {
		case Changes:
			c.byTrace[row.Trace] = append(c.byTrace[row.Trace], row)
			c.byTask[row.Task] = append(c.byTask[row.Task], row)
		case Updates:
			c.updates[Place{row.Task, row.Seq}] = row
		}
	}
	c.pairs()
	c.answers(e.Operations)
	c.topic(e.Records)
	c.outbox(e.Rows)
	c.state(e.Tasks)
	for _, contradiction := range e.Contradictions {
		c.violated(Answers, "%s", contradiction)
	}
	if !e.Recovered || e.Recovery > e.Bound {
		c.violated(Recovery, "the outbox isn't empty %s after the last fault, allowed are %s", e.Recovery, e.Bound)
	}
	return c.Report
}

type check struct {
	*Report
	byID    map[string]*Row
	byTrace map[string][]*Row
	byTask  map[int64][]*Row
	updates map[Place]*Row    // of the topic Updates
	onTopic map[string]Record // the first record of each event
}

// A Place is an event of a topic by its task and its place in the task's order.
type Place struct{ Task, Seq int64 }

// pairs checks that each change has its event on Updates, and none is there besides.
func (c *check) pairs() {
	changes := 0
	for task, rows := range c.byTask {
		changes += len(rows)
		for _, row := range rows {
			update := c.updates[Place{task, row.Seq}]
			if update == nil {
				c.violated(Loss, "event %s, %d of task %d: the update that belongs to it isn't in the outbox", row.ID, row.Seq, task)
			} else if update.Trace != row.Trace {
				c.violated(State, "event %s, %d of task %d: the update is of another request", row.ID, row.Seq, task)
			}
		}
	}
	if len(c.updates) > changes {
		c.violated(Phantom, "%d updates of %d changes", len(c.updates), changes)
	}
}

// topic goes through the records: I2, I3 and I4.
func (c *check) topic(records []Record) {
	c.onTopic = make(map[string]Record, len(records))
	type line struct {
		topic string
		task  int64
	}
	last := map[line]Record{} // of a task on a topic, the first occurrence that came last
	for _, r := range records {
		row := c.byID[r.ID]
		if row == nil {
			c.violated(Phantom, "record %d/%d, event %s of task %d: no such row", r.Partition, r.Offset, r.ID, r.TaskID)
			continue
		}
		if r.Topic != row.Topic {
			c.violated(Phantom, "record %d/%d of %s, event %s: its row is for %s", r.Partition, r.Offset, r.Topic, r.ID, row.Topic)
			continue
		}
		if r.Content != row.Content {
			c.violated(Repetition, "record %d/%d, event %s: not what its row has", r.Partition, r.Offset, r.ID)
		}
		if first, ok := c.onTopic[r.ID]; ok {
			c.Duplicates++
			if first.Content != r.Content || first.Key != r.Key {
				c.violated(Repetition, "record %d/%d, event %s: not what %d/%d has", r.Partition, r.Offset, r.ID, first.Partition, first.Offset)
			}
			continue
		}
		c.onTopic[r.ID] = r
		at := line{r.Topic, r.TaskID}
		c.follows(last[at], r)
		last[at] = r
	}
	c.Events = len(c.onTopic)
}

// follows checks a first occurrence against the one before of the same task: the
// zero Record stands for none.
func (c *check) follows(before, r Record) {
	if r.Sequence != before.Sequence+1 {
		c.violated(Order, "%s, task %d: %d at %d/%d comes after %d", r.Topic, r.TaskID, r.Sequence, r.Partition, r.Offset, before.Sequence)
	}
	if before.ID != "" && before.Partition != r.Partition {
		c.violated(Order, "%s, task %d: %d on partition %d, %d on partition %d", r.Topic, r.TaskID, before.Sequence, before.Partition, r.Sequence, r.Partition)
	}
}

// outbox goes through the rows: each is on the topic, and its columns say what its
// payload says.
func (c *check) outbox(rows []Row) {
	for _, row := range rows {
		if _, ok := c.onTopic[row.ID]; !ok {
			c.violated(Loss, "event %s, %d of task %d, published %t, parked %t: not on the topic", row.ID, row.Seq, row.Task, row.Published, row.Parked)
		}
		if row.Seq != row.Sequence || row.Task != row.TaskID {
			c.violated(State, "event %s: the row is %d of task %d, its payload %d of task %d", row.ID, row.Seq, row.Task, row.Sequence, row.TaskID)
		}
	}
}

// state holds the tasks against their last events.
func (c *check) state(tasks []Task) {
	there := make(map[int64]bool, len(tasks))
	for _, t := range tasks {
		there[t.ID] = true
		last := c.lastRow(t.ID)
		if last == nil {
			c.violated(State, "task %d has no event", t.ID)
			continue
		}
		if last.Type == deleted || last.Sequence != t.Sequence || last.Title != t.Title || last.Completed != t.Completed {
			c.violated(State, "task %d at %d isn't what its event %d (%s) says", t.ID, t.Sequence, last.Sequence, last.Type)
		}
	}
	for id, rows := range c.byTask {
		if last := c.lastRow(id); last.Type != deleted && !there[id] {
			c.violated(State, "task %d is gone, its last event is %s", id, last.Type)
		}
		if last := c.lastRow(id); last.Seq != int64(len(rows)) {
			c.violated(State, "task %d has %d events, the last is %d", id, len(rows), last.Seq)
		}
	}
}

func (c *check) lastRow(task int64) *Row {
	var last *Row
	for _, row := range c.byTask[task] {
		if last == nil || row.Seq > last.Seq {
			last = row
		}
	}
	return last
}
