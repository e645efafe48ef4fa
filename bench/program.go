package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A tool is a contender that runs to its end as a process of its own.
type tool struct {
	name  string
	argv  []string
	input string // the file that is its standard input; "" for none
	lacks string // why it can't run; its row says so
	goal  string // in words, of its ratios
}

// A showing is what one run of a tool took.
type showing struct {
	seconds, cpu, memory float64 // cpu in seconds of the cores, memory in MB at its most
}

// show runs a tool with its output thrown away. The memory is that of the process
// and all below it, looked at every 10 ms: the kernel's own figure for a child that
// has ended counts what the bench held when it started it.
func (r *rig) show(ctx context.Context, c tool) (showing, error) {
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env = r.dir, r.env
	var problem bytes.Buffer
	cmd.Stderr = &problem
	if c.input != "" {
		in, err := os.Open(c.input)
		if err != nil {
			return showing{}, err
		}
		defer in.Close()
		cmd.Stdin = in
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return showing{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	peak, err := peakUntil(cmd.Process.Pid, ended)
	if err != nil {
		return showing{}, fmt.Errorf("%s: %w: %s", c.name, err, strings.TrimSpace(problem.String()))
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return showing{time.Since(began).Seconds(), used.Seconds(), peak}, nil
}

// peakUntil is the most that a process and those below it held, until it ended.
func peakUntil(pid int, ended <-chan error) (peak float64, err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return peak, err
		case <-tick.C:
			peak = max(peak, treePeak(pid))
		}
	}
}

// treePeak adds up the most that the process and its children ever held, in MB.
func treePeak(pid int) float64 {
	held, _ := memory(pid, "VmHWM") // it may have ended
	children, _ := os.ReadFile(filepath.Clean(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)))
	for child := range strings.FieldsSeq(string(children)) {
		var id int
		if _, err := fmt.Sscan(child, &id); err == nil {
			held += treePeak(id)
		}
	}
	return held
}

// A ranking is what the tools did in all rounds.
type ranking struct {
	tool
	showings []showing
}

func (k ranking) spread(figure func(showing) float64) spread {
	var s spread
	for _, one := range k.showings {
		s = append(s, figure(one))
	}
	return s
}

// takeTurns gives every tool that can run its turn in every round. before is called
// ahead of each.
func (r *rig) takeTurns(ctx context.Context, what string, tools []tool, before func(context.Context) error) ([]ranking, error) {
	ranks := make([]ranking, len(tools))
	for i, c := range tools {
		ranks[i].tool = c
	}
	for round := range r.rounds {
		for i, c := range tools {
			if c.lacks != "" {
				continue
			}
			if before != nil {
				if err := before(ctx); err != nil {
					return nil, err
				}
			}
			s, err := r.show(ctx, c)
			if err != nil {
				return nil, err
			}
			r.note("%s, round %d of %d: %s: %.2f s", what, round+1, r.rounds, c.name, s.seconds)
			ranks[i].showings = append(ranks[i].showings, s)
		}
	}
	return ranks, nil
}

// toolTable compares the tools, at n items of so many bytes each, with the first.
func toolTable(title string, ranks []ranking, n int, size float64) table {
	t := table{title: title, head: []string{"", "records/s", "MB/s", "to the first", "goal", "CPU s", "most memory MB"}}
	rate := func(s showing) float64 { return float64(n) / s.seconds }
	first := ranks[0].spread(rate)
	for _, k := range ranks {
		if k.lacks != "" {
			t.add(k.name, "not run: "+k.lacks, "", "", k.goal, "", "")
			continue
		}
		rates := k.spread(rate)
		t.add(k.name, rates.counts(), count(rates.median()*size/1e6), ratios(rates, first).times(), k.goal,
			k.spread(func(s showing) float64 { return s.cpu }).tenths(),
			count(slices.Max(k.spread(func(s showing) float64 { return s.memory }))))
	}
	return t
}

// missing says that a program isn't on PATH, "" when it is.
func missing(name string) string {
	if _, err := exec.LookPath(name); err != nil {
		return "no " + name + " on PATH"
	}
	return ""
}
