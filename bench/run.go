package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A program is what the process hands to run.
type program struct {
	self          string // the path of this program, which is its own children too
	args, env     []string
	out, progress io.Writer
}

func fail(w io.Writer, err error) int {
	fmt.Fprintln(w, "bench:", err)
	return 1
}

// run prints the tables that are asked for, or plays a child's part.
func run(ctx context.Context, p program) error {
	if len(p.args) > 0 {
		if role, ok := roles()[p.args[0]]; ok {
			return role(ctx, p.out, p.args[1:])
		}
	}
	o, err := parse(p)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	return measureAll(ctx, p, o)
}

// roles are the parts that the bench plays in processes of their own.
func roles() map[string]func(context.Context, io.Writer, []string) error {
	return map[string]func(context.Context, io.Writer, []string) error{
		"child-broker": runBroker,
		"child-load":   runLoad,
		"child-sqlite": runSQLitePeer,
		"child-bulk":   runBulk,
		"child-fill":   runFill, "child-poll": runPoll, "child-produce": runProduceLines, "child-topics": runTopics,
	}
}

// options are what the tables are measured with.
type options struct {
	tables    []string
	databases []string
	todoctl   string
	daprd     string
	venv      string
	guide     string
	dir       string
	rounds    int
	round     time.Duration
	clients   int
	events    int
	pending   int
	records   int
	volume    float64 // MB
}

func parse(p program) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(p.progress)
	f.Usage = func() {
		fmt.Fprintln(p.progress, "usage: bench [flags] ["+strings.Join(tableNames(), "] [")+"]")
		f.PrintDefaults()
	}
	var databases string
	f.StringVar(&databases, "db", "postgres,sqlite", "the databases")
	f.IntVar(&o.rounds, "rounds", 3, "rounds, in each of which every contender has its turn")
	f.DurationVar(&o.round, "round", 6*time.Second, "how long a turn is")
	f.IntVar(&o.clients, "clients", 64, "clients at a time")
	f.IntVar(&o.events, "events", 200_000, "events of the relay and publish tables")
	f.IntVar(&o.pending, "pending", 1_000_000, "rows of the memory table")
	f.IntVar(&o.records, "records", 1_000_000, "events of the tail table")
	f.Float64Var(&o.volume, "volume", 2000, "MB of the volume table's topic")
	f.StringVar(&o.todoctl, "todoctl", "bin/todoctl", "the program to measure")
	f.StringVar(&o.daprd, "daprd", "", "the sidecar (default TODOCTL_DAPRD, beside todoctl, on PATH)")
	f.StringVar(&o.guide, "guide", "bench/guide-backend", "the guide's backend; empty to leave it out")
	f.StringVar(&o.venv, "venv", "", "Python environment of the guide's backend, made when it isn't there (default: a temporary one)")
	f.StringVar(&o.dir, "dir", os.TempDir(), "folder to work in, on the disk that is to be measured")
	if err := f.Parse(p.args); err != nil {
		return o, err
	}
	o.databases, o.tables = strings.Split(databases, ","), f.Args()
	return o, o.complete()
}

func (o *options) complete() error {
	if len(o.tables) == 0 {
		o.tables = tableNames()
	}
	for _, name := range o.tables {
		if tables()[name] == nil {
			return fmt.Errorf("no table is called %q: there are %s", name, strings.Join(tableNames(), ", "))
		}
	}
	for _, name := range o.databases {
		if name != "postgres" && name != "sqlite" {
			return fmt.Errorf("no database is called %q: there are postgres and sqlite", name)
		}
	}
	if o.rounds < 1 || o.round <= 0 || o.clients < 1 || o.events < 1 || o.pending < 1 || o.records < 1 || o.volume <= 0 {
		return errors.New("rounds, round, clients, events, pending, records and volume must be positive")
	}
	for _, path := range []*string{&o.todoctl, &o.guide} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		if _, err := os.Stat(abs); err != nil {
			return fmt.Errorf("%w: run it in the checkout, after `make build`", err)
		}
		*path = abs
	}
	return nil
}

// tableNames are the tables in the order in which they are measured. Those before
// tail need the databases.
func tableNames() []string {
	return []string{"api", "relay", "latency", "memory", "tail", "publish", "topics", "start", "volume"}
}

// needDatabases tells whether one of the tables does.
func (o *options) needDatabases() bool {
	return slices.ContainsFunc(o.tables, func(name string) bool { return slices.Contains(tableNames()[:4], name) })
}

// tables are what can be measured, by name. Each prints what it found.
func tables() map[string]func(context.Context, *rig) error {
	return map[string]func(context.Context, *rig) error{
		"api": measureAPI, "relay": measureRelay, "latency": measureLatency, "memory": measureMemory,
		"tail": measureTail, "publish": measurePublish, "topics": measureTopics, "start": measureStart, "volume": measureVolume,
	}
}

// measureAll sets up what the tables share and measures one after the other.
func measureAll(ctx context.Context, p program, o options) (err error) {
	r, err := newRig(ctx, p, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.describe(ctx); err != nil {
		return err
	}
	for _, name := range o.tables {
		r.note("%s, load average %s", name, loadAverage())
		if err := tables()[name](ctx, r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
