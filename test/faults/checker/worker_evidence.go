package checker

import "time"

// A Reminder is one time at which one task is to be thought of.
type Reminder struct {
	Task int64
	At   int64 // microseconds since 1970: databases keep no more
}

// ReminderAt names the reminder of a task at a time.
func ReminderAt(task int64, at time.Time) Reminder { return Reminder{task, at.UnixMicro()} }

// A Telling is one notification: a line of the log channel, or what a webhook brought.
type Telling struct {
	ID string // of the event that it is for
	Reminder
}

// A Run is one process of a worker, from its start to its end, and the lines that its
// log channel wrote.
type Run struct {
	Name  string
	Lines []Telling

	// Noted are the events of which the worker has said that their line was sent and noted,
	// Buried where the records were whose dead letters it has said to be published and
	// noted.
	Noted  map[string]bool
	Buried []Origin

	// Cuts are the moments at which its process was killed or stopped.
	Cuts []Cut
}

// A Cut is a moment at which a worker was killed or stopped, in whatever it did.
type Cut struct {
	At     int             // the number of lines before it
	Killed bool            // else stopped, and it goes on
	Open   map[string]bool // events whose line is before it and that the worker hadn't said to be noted
}

// A Message is a record of a topic, whatever is in it.
type Message struct {
	Place  Origin
	Key    string
	Value  []byte
	Header map[string]string
}

// An Origin is a place in a topic.
type Origin struct {
	Topic     string
	Partition int
	Offset    int64
}

// A Fate is what is to become of a kind of poison: its event's effect, a dead letter
// with this reason, one without reason (Dapr's own), or nothing at all.
type Fate string

// The fates that are no reason of a dead letter.
const (
	Told    Fate = "told"
	Copied  Fate = "copied" // by Dapr, with the origin in headers
	Ignored Fate = "ignored"
)

// PoisonKey begins the keys of poison; the kind and a number follow, with slashes before
// them.
const PoisonKey = "poison"

// A Sample is what there was at a moment of the campaign. The committed offsets were
// read first.
type Sample struct {
	At        time.Time
	Committed map[string]map[int]int64 // of the worker's group, by topic and partition
	Owed      map[string]bool          // notifications that the database had to be made, as CHANNEL/EVENT; read second
	Lines     map[string]int           // of each run, by its name
	Posts     int
	Letters   map[string]map[int]int64 // the ends of the dead letter topics
}

// A WorkerEvidence is all that CheckWorker goes by.
type WorkerEvidence struct {
	Wishes   []Reminder // that clients were promised with a 2xx and never asked to change again
	Unwanted []Reminder // that clients took back well before their time, with a 2xx
	Series   []int64    // recurring tasks whose completion was answered with 2xx
	Runs     []Run
	Posts    []Telling // that the webhook's receiver took, repetitions too
	Rows     []DueRow  // the reminders' events of the outbox
	Next     []NextTask
	Messages []Message // of task-events and reminders
	Letters  []Message // of the dead letter topics
	Poison   map[string]Fate
	Flight   int // attempts that a worker may have under way at a time
	Samples  []Sample

	Recovery, Bound time.Duration // from the last fault until nothing waited
	Recovered       bool
}

// A DueRow is a row of the outbox for the topic reminders.
type DueRow struct {
	ID, Type string
	Seq      int64 // of the task's reminder events
	Reminder
}

// A NextTask is a task that follows another one in its series.
type NextTask struct {
	Task, Previous int64
	Made           time.Time
}
