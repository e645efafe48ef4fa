package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// An outcome is what became of a check.
type outcome struct {
	Result
	blocked string // the id of the check that explains why there is no result
	took    time.Duration
	done    chan struct{} // closed when the rest may be read
}

// Run runs the checks side by side, each when those that it depends on are done, and
// waits for all. What they depend on must be among them, or it counts as not checked.
func Run(ctx context.Context, checks []Check, limits Limits) Report {
	ctx, cancel := context.WithTimeout(ctx, limits.All)
	defer cancel()
	began := time.Now()
	r := runner{checks: checks, limit: limits.Check, outcomes: make(map[string]*outcome, len(checks))}
	for _, c := range checks {
		r.outcomes[c.ID] = &outcome{done: make(chan struct{})}
	}
	var wg sync.WaitGroup
	for _, c := range checks {
		wg.Go(func() {
			o := r.outcomes[c.ID]
			defer close(o.done)
			r.run(ctx, c, o)
		})
	}
	wg.Wait()
	return r.report(time.Since(began))
}

type runner struct {
	checks   []Check
	limit    time.Duration
	outcomes map[string]*outcome
}

func (r *runner) run(ctx context.Context, c Check, o *outcome) {
	for _, id := range c.Needs {
		need := r.outcomes[id]
		if need == nil {
			o.Skip = id + " is left out"
			return
		}
		<-need.done // bounded: every check is
		switch {
		case need.blocked != "":
			o.blocked = need.blocked
		case need.blocks(r.severity(id)):
			o.blocked = id
		case need.Beside:
			o.Beside = true
		case need.Skip != "":
			o.Skip = need.Skip
		default:
			continue
		}
		return
	}
	began := time.Now()
	o.Result = bounded(ctx, c, r.limit)
	o.took = time.Since(began)
	if len(o.Findings) > 0 {
		o.blocked = r.cause(c)
	}
}

// blocks reports whether what depends on the check can't be checked.
func (o *outcome) blocks(s Severity) bool { return len(o.Findings) > 0 && s == Error }

func (r *runner) severity(id string) Severity {
	i := slices.IndexFunc(r.checks, func(c Check) bool { return c.ID == id })
	return r.checks[i].Severity
}

// cause is the first check that explains the findings of c.
func (r *runner) cause(c Check) string {
	for _, word := range c.After {
		for _, other := range r.checks {
			if other.ID == c.ID || (other.ID != word && other.Group() != word) {
				continue
			}
			o := r.outcomes[other.ID]
			<-o.done
			if o.blocks(other.Severity) {
				if o.blocked != "" {
					return o.blocked
				}
				return other.ID
			}
		}
	}
	return ""
}

// bounded runs a check within the limit. One that doesn't heed its context is left
// behind: there is no way to end it, and the program ends soon.
func bounded(ctx context.Context, c Check, limit time.Duration) Result {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	result := make(chan Result, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				result <- skipped(fmt.Sprintf("the check itself failed: %v", v))
			}
		}()
		result <- c.Run(ctx)
	}()
	select {
	case r := <-result:
		return r.of(c)
	case <-ctx.Done():
	}
	// Most return right after their context ends, with something better to say.
	grace := time.NewTimer(limit / 20)
	defer grace.Stop()
	select {
	case r := <-result:
		return r.of(c)
	case <-grace.C:
		if errors.Is(ctx.Err(), context.Canceled) {
			return skipped("interrupted")
		}
		return skipped(fmt.Sprintf("no result within %s", limit))
	}
}

// of puts the check's own words into its findings.
func (r Result) of(c Check) Result {
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Check, f.Group, f.Severity = c.ID, c.Group(), c.Severity
		f.Fixable = f.Fix != nil
		f.Message = strings.Join(strings.Fields(f.Message), " ")
		if f.Mend == "" {
			f.Mend = c.Mend
		}
		if f.Evidence == nil {
			f.Evidence = []Fact{}
		}
	}
	return r
}
