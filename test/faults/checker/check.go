package checker

// Check holds the evidence against the invariants.
func Check(e Evidence) *Report {
	c := check{
		Report: &Report{counts: map[string]int{}, examples: map[string][]string{}},
		byID:   make(map[string]*Row, len(e.Rows)), byTrace: make(map[string][]*Row, len(e.Rows)),
		byTask: map[int64][]*Row{},
	}
	for i := range e.Rows {
		row := &e.Rows[i]
		c.byID[row.ID] = row
		c.byTrace[row.Trace] = append(c.byTrace[row.Trace], row)
		c.byTask[row.Task] = append(c.byTask[row.Task], row)
		if row.Parked {
			c.Parked++
		}
	}
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
	onTopic map[string]Record // the first record of each event
}

// topic goes through the records: I2, I3 and I4.
func (c *check) topic(records []Record) {
	c.onTopic = make(map[string]Record, len(records))
	last := map[int64]Record{} // of a task, the first occurrence that came last
	for _, r := range records {
		row := c.byID[r.ID]
		if row == nil {
			c.violated(Phantom, "record %d/%d, event %s of task %d: no such row", r.Partition, r.Offset, r.ID, r.TaskID)
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
		c.follows(last[r.TaskID], r)
		last[r.TaskID] = r
	}
	c.Events = len(c.onTopic)
}

// follows checks a first occurrence against the one before of the same task: the
// zero Record stands for none.
func (c *check) follows(before, r Record) {
	if r.Sequence != before.Sequence+1 {
		c.violated(Order, "task %d: %d at %d/%d comes after %d", r.TaskID, r.Sequence, r.Partition, r.Offset, before.Sequence)
	}
	if before.ID != "" && before.Partition != r.Partition {
		c.violated(Order, "task %d: %d on partition %d, %d on partition %d", r.TaskID, before.Sequence, before.Partition, r.Sequence, r.Partition)
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
