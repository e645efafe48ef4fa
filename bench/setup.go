package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/topics"
)

// setupTurns is how often each way makes the topics in a round: one takes milliseconds.
const setupTurns = 10

// measureTopics measures how long it takes to make the five topics.
func measureTopics(ctx context.Context, r *rig) (err error) {
	b, err := r.startBroker(ctx, filepath.Join(r.dir, "topics"), "127.0.0.1:0") // the rig's own is in use
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{b.addr}, ClientID: "bench"})
	if err != nil {
		return err
	}
	defer client.Close()

	ways := []string{"one CreateTopics request", "setup, in a running process", "todoctl topics setup, less todoctl version"}
	times := make([]spread, len(ways))
	for range r.rounds * setupTurns {
		for i, way := range []func(context.Context, *rig, string) (float64, error){askTopics("bare"), askTopics("setup"), wholeSetup} {
			if err := dropTopics(ctx, client); err != nil {
				return err
			}
			ms, err := way(ctx, r, b.addr)
			if err != nil {
				return fmt.Errorf("%s: %w", ways[i], err)
			}
			times[i] = append(times[i], ms)
		}
	}
	t := table{title: "Making the five topics, in ms", head: []string{"", "ms", "to the first", "goal"}}
	for i, way := range ways {
		t.add(way, times[i].tenths(), ratios(times[i], times[0]).times(), []string{"", "≤ 2 ×", "≤ 2 ×"}[i])
	}
	t.print(r.out)
	return nil
}

func dropTopics(ctx context.Context, client *kgo.Client) error {
	dropped, err := kadm.NewClient(client).DeleteTopics(ctx, topics.Names(topics.Builtin())...)
	return errors.Join(err, dropped.Error())
}

// askTopics lets a process of its own make the topics; what it takes to start isn't
// counted.
func askTopics(way string) func(context.Context, *rig, string) (float64, error) {
	return func(ctx context.Context, r *rig, addr string) (float64, error) {
		var t tally
		_, err := r.ask(ctx, &t, "child-topics", addr, way)
		return t.Seconds * 1e3, err
	}
}

func wholeSetup(ctx context.Context, r *rig, addr string) (float64, error) {
	whole, err := r.show(ctx, tool{name: "topics setup", argv: []string{r.todoctl, "topics", "setup", "--brokers", addr}})
	if err != nil {
		return 0, err
	}
	start, err := r.show(ctx, tool{name: "version", argv: []string{r.todoctl, "version"}})
	return (whole.seconds - start.seconds) * 1e3, err
}

// runTopics takes a broker and a way, makes the five topics and prints the time from
// the first connection on.
func runTopics(ctx context.Context, out io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("needs a broker and a way")
	}
	client, err := kafka.NewClient(kafka.Options{Brokers: args[:1]})
	if err != nil {
		return err
	}
	defer client.Close()
	specs, began := topics.Builtin(), time.Now()
	if args[1] == "bare" {
		err = createAll(ctx, client, specs)
	} else {
		err = setup(ctx, client, specs)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(tally{All: len(specs), Seconds: time.Since(began).Seconds()})
}

func createAll(ctx context.Context, client *kgo.Client, specs []topics.Spec) error {
	made, err := kadm.NewClient(client).CreateTopics(ctx, specs[0].Partitions, 1, nil, topics.Names(specs)...)
	return errors.Join(err, made.Error())
}

func setup(ctx context.Context, client *kgo.Client, specs []topics.Spec) error {
	state, err := topics.Read(ctx, client, topics.Names(specs))
	if err != nil {
		return err
	}
	_, err = topics.Apply(ctx, client, topics.Diff(specs, state))
	return err
}
