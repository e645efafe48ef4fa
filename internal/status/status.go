// Package status tells how an event stack is at one moment: API, broker, topics,
// sidecar, database, outbox, consumer groups and worker, each well or with the reason
// why not and the command that tells more.
//
// Guarantees: looking changes nothing. The parts are read side by side, each bounded by
// Limit; one that doesn't answer is told as such and holds up none of the others.
//
// It prints nothing and doesn't look for causes: that is package doctor's work.
package status

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/topics"
)

// Limit bounds each part.
const Limit = 3 * time.Second

// Options say what is looked at.
type Options struct {
	APIURL      string
	Client      *kgo.Client
	Specs       []topics.Spec
	Sidecar     stack.Endpoint
	Pubsub      string
	NoSidecar   string // why none is needed; "" where one is
	Database    string // a URL or path
	WorkerAddr  string // HOST:PORT
	WorkerGroup string
	NoWorker    bool   // the stack was started without one
	Version     string // of this todoctl

	MaxAge    time.Duration // of the oldest event in the outbox
	MaxLagAge time.Duration // of the oldest record that a group with members hasn't read
}

// A Part is what every part tells.
type Part struct {
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"` // what is not well, in one line
	Next    string `json:"next,omitempty"`    // the command that tells more
}

// A Snapshot is the stack at one moment.
type Snapshot struct {
	OK       bool      `json:"ok"`
	NotWell  []string  `json:"not_well"` // names of parts
	Time     time.Time `json:"time"`
	Seconds  float64   `json:"seconds"` // that it took
	API      API       `json:"api"`
	Broker   Broker    `json:"broker"`
	Topics   Topics    `json:"topics"`
	Sidecar  Sidecar   `json:"sidecar"`
	Database Database  `json:"database"`
	Outbox   Outbox    `json:"outbox"`
	Groups   Groups    `json:"groups"`
	Worker   Worker    `json:"worker"`
	Versions Versions  `json:"versions"`
}

// API is the task API.
type API struct {
	Part
	URL string `json:"url"`
}

// Broker is the Kafka cluster.
type Broker struct {
	Part
	Brokers []string `json:"brokers"` // addresses that were asked
	Cluster string   `json:"cluster_id"`
	Nodes   int      `json:"nodes"`
}

// Topics are the topics that are wanted.
type Topics struct {
	Part
	Wanted          int            `json:"wanted"`
	Drift           []topics.Drift `json:"drift"`
	UnderReplicated int            `json:"under_replicated"` // partitions
	Offline         int            `json:"offline"`
}

// Sidecar is that of the task API.
type Sidecar struct {
	Part
	Addr       string            `json:"addr"`
	Off        string            `json:"off,omitempty"` // why none is needed
	AppID      string            `json:"app_id,omitempty"`
	Components []stack.Component `json:"components"`
}

// Database is the database with its schema.
type Database struct {
	Part
	Database string `json:"database"` // without any password
	Schema   int    `json:"schema_version"`
	Known    int    `json:"known_version"`
	Pending  int    `json:"pending_migrations"`
}

// Outbox is what hasn't reached the broker.
type Outbox struct {
	Part
	Pending   int64   `json:"pending"` // parked ones not counted
	Parked    int64   `json:"parked"`
	OldestAge float64 `json:"oldest_age_seconds"` // 0 when none waits
	Leads     bool    `json:"relay_leads"`
}

// Groups are the consumer groups.
type Groups struct {
	Part
	Groups []Group `json:"groups"`
}

// A Group is a consumer group. Numbers that aren't known are nil.
type Group struct {
	Group      string   `json:"group"`
	State      string   `json:"state"`
	Members    *int     `json:"members"`
	Lag        *int64   `json:"lag"`
	LagSeconds *float64 `json:"lag_seconds"`
	OK         bool     `json:"ok"` // one without members, but for the worker's, is not judged
}

// Worker is the reminder worker.
type Worker struct {
	Part
	Addr    string `json:"addr"`
	Answers bool   `json:"answers"`
	Off     bool   `json:"off"`     // the stack was started without
	Members int    `json:"members"` // of its group
}

// Versions are those of what answered; "" of what didn't.
type Versions struct {
	Todoctl string `json:"todoctl"`
	API     string `json:"api"`
	Dapr    string `json:"dapr"`
}

// parts are the parts in the order of a page.
func (s *Snapshot) parts() []named {
	return []named{
		{"api", s.API.Part}, {"broker", s.Broker.Part}, {"topics", s.Topics.Part}, {"sidecar", s.Sidecar.Part},
		{"database", s.Database.Part}, {"outbox", s.Outbox.Part}, {"groups", s.Groups.Part}, {"worker", s.Worker.Part},
	}
}

type named struct {
	name string
	Part
}

func well() Part { return Part{OK: true} }

func unwell(problem, next string) Part { return Part{Problem: problem, Next: next} }
