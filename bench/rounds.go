package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// A contender is measured in turn with others.
type contender struct {
	name string
	run  func(context.Context) (turn, error)
}

// A turn is what a contender did in one round.
type turn struct {
	rate      float64            // changes or events a second
	published float64            // events that reached the topic meanwhile, a second
	cpu       map[string]float64 // microseconds of the cores for one change, by part
}

// A standing is what a contender did in all rounds.
type standing struct {
	name  string
	turns []turn
}

func (s standing) spread(figure func(turn) float64) spread {
	var all spread
	for _, t := range s.turns {
		all = append(all, figure(t))
	}
	return all
}

func (s standing) rates() spread { return s.spread(func(t turn) float64 { return t.rate }) }

// interleave gives every contender its turn in every round.
func (r *rig) interleave(ctx context.Context, what string, db database, contenders []contender) ([]standing, error) {
	standings := make([]standing, len(contenders))
	for round := range r.rounds {
		for i, c := range contenders {
			if err := db.settle(ctx); err != nil {
				return nil, err
			}
			t, err := c.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			r.note("%s, %s, round %d of %d: %s: %s/s", what, db.name(), round+1, r.rounds, c.name, count(t.rate))
			standings[i].name = c.name
			standings[i].turns = append(standings[i].turns, t)
		}
	}
	return standings, nil
}

// cpuTable says where the time of the cores went.
func cpuTable(title string, standings []standing) table {
	parts := map[string]bool{}
	for _, s := range standings {
		for part := range s.turns[0].cpu {
			parts[part] = true
		}
	}
	t := table{title: title, head: append([]string{""}, slices.Sorted(maps.Keys(parts))...)}
	t.head = append(t.head, "all")
	for _, s := range standings {
		row, all := []string{s.name}, 0.0
		for _, part := range t.head[1 : len(t.head)-1] {
			if _, ok := s.turns[0].cpu[part]; !ok {
				row = append(row, "")
				continue
			}
			m := s.spread(func(t turn) float64 { return t.cpu[part] }).median()
			all += m
			row = append(row, count(m))
		}
		t.add(append(row, count(all))...)
	}
	return t
}
