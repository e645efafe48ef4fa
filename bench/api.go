package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	warm     = time.Second // of a turn, before anything is counted
	peerName = "bench_peer"
)

// measureAPI measures creating a task with its event.
func measureAPI(ctx context.Context, r *rig) error {
	for _, db := range r.databases {
		if err := r.measureAPIOn(ctx, db); err != nil {
			return fmt.Errorf("%s: %w", db.name(), err)
		}
	}
	return nil
}

func (r *rig) measureAPIOn(ctx context.Context, db database) (err error) {
	names := []string{peerName, "bench_silent", "bench_relayed", "bench_guide"}
	for _, name := range names[:3] {
		if err := prepare(ctx, db, name); err != nil {
			return err
		}
	}
	defer func() {
		for _, name := range names {
			err = errors.Join(err, db.drop(context.WithoutCancel(ctx), name))
		}
	}()
	contenders := []contender{
		db.peer(),
		{"todoctl serve, relay off", func(ctx context.Context) (turn, error) {
			return r.loadTurn(ctx, db, func() (*backend, error) { return r.silent(ctx, db.url("bench_silent")) })
		}},
		{"todoctl serve, relay on", func(ctx context.Context) (turn, error) {
			return r.loadTurn(ctx, db, func() (*backend, error) { return r.relaying(ctx, db.url("bench_relayed")) })
		}},
	}
	missing := r.python.install(ctx, r)
	if missing == nil {
		if err := db.create(ctx, "bench_guide"); err != nil {
			return err
		}
		contenders = append(contenders, contender{"the guide's way: FastAPI, insert, then publish", func(ctx context.Context) (turn, error) {
			return r.loadTurn(ctx, db, func() (*backend, error) { return r.python.serve(ctx, r, db.guideURL("bench_guide")) })
		}})
	}
	standings, err := r.interleave(ctx, "create", db, contenders)
	if err != nil {
		return err
	}
	r.printAPI(db, standings, missing)
	return nil
}

// loadTurn puts the load on a backend for a turn.
func (r *rig) loadTurn(ctx context.Context, db database, start func() (*backend, error)) (_ turn, err error) {
	b, err := start()
	if err != nil {
		return turn{}, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	before, err := records(ctx, r.topic)
	if err != nil {
		return turn{}, err
	}
	pids := map[string]int{"server": b.cmd.Process.Pid, "sidecar": r.sidecar.PID(), "broker": r.broker.cmd.Process.Pid}
	for part, pid := range db.pids() {
		pids[part] = pid
	}
	meter := startMeter(pids)
	t, took, err := r.load(ctx, load{addr: b.addr, clients: r.clients, warm: warm, length: r.round})
	if err != nil {
		return turn{}, err
	}
	cpu := meter.each(t.All)
	cpu["load"] = microseconds(took, t.All)
	after, err := records(ctx, r.topic)
	return turn{rate: t.Rate, published: float64(after-before) / (warm + r.round).Seconds(), cpu: cpu}, err
}

// load runs the load process. A request that failed fails the whole.
func (r *rig) load(ctx context.Context, l load) (tally, time.Duration, error) {
	var t tally
	took, err := r.ask(ctx, &t, l.args()...)
	if err == nil && t.Failures > 0 {
		err = fmt.Errorf("%d requests failed, one with: %s", t.Failures, t.Failure)
	}
	return t, took, err
}

func (r *rig) printAPI(db database, standings []standing, missing error) {
	peer, silent, relayed := standings[0].rates(), standings[1].rates(), standings[2].rates()
	goal := map[string]string{"PostgreSQL": "≥ 2.5 ×", "SQLite": "≥ 4.5 ×"}[db.name()]
	t := table{
		title: fmt.Sprintf("HTTP create with event, %s, %d clients", db.name(), r.clients),
		head:  []string{"", "changes/s", "to the peer", "goal", "to the guide's way", "goal", "published meanwhile/s"},
	}
	rows := []struct{ peer, goal, guide, guideGoal string }{
		{}, {ratios(silent, peer).times(), goal, "", ""}, {ratios(relayed, peer).times(), "", "", ""}, {},
	}
	if missing == nil {
		guide := standings[3].rates()
		rows[1].guide, rows[1].guideGoal = ratios(silent, guide).times(), "≥ 40 ×"
		rows[2].guide, rows[2].guideGoal = ratios(relayed, guide).times(), "≥ 40 ×"
	}
	for i, s := range standings {
		published := ""
		if i > 1 {
			published = count(s.spread(func(t turn) float64 { return t.published }).median())
		}
		t.add(s.name, s.rates().counts(), rows[i].peer, rows[i].goal, rows[i].guide, rows[i].guideGoal, published)
	}
	if missing != nil {
		t.add("the guide's way", "not run: "+missing.Error(), "", "", "", "", "")
	}
	t.print(r.out)
	cpu := cpuTable("CPU of one change in µs, "+db.name(), standings)
	cpu.print(r.out)
}
