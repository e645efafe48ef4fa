package dlq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// JobOptions say which dead letters are dealt with.
type JobOptions struct {
	Topics []string
	Select Selection

	// Redrive refuses letters that can't go back, and those that have been redriven
	// MaxRedrives times before.
	Redrive     bool
	MaxRedrives int

	// DryRun looks only: nothing is held, and nothing can be done.
	DryRun bool

	// Waiting is told once when somebody else deals with dead letters.
	Waiting func(error)
}

// A Job is the dead letters of the backlog that are about to be redriven or discarded.
type Job struct {
	o    JobOptions
	box  *Box
	hold *hold
	plan Plan

	origins map[string]int // partitions of the topics that letters came from; 0 where there is none
	piles   map[string]map[int32]*pile
}

// A pile is a partition's letters from the committed offset on.
type pile struct {
	end    int64 // behind the last
	marks  []mark
	chosen []int // of marks, those to be dealt with
}

// A Plan says what a Job would do.
type Plan struct {
	Selected int       `json:"selected"` // those that are refused not counted
	Rows     []PlanRow `json:"letters"`  // by topic, reason and origin, in the order in which they were met
	Refused  []Refusal `json:"refused"`
}

// A PlanRow is letters of a kind.
type PlanRow struct {
	Topic  string `json:"topic"`
	Reason string `json:"reason"`
	Origin string `json:"origin_topic"`
	Count  int    `json:"count"`
}

// A Refusal is letters that are selected and can't be redriven.
type Refusal struct {
	Why     string `json:"why"`
	Count   int    `json:"count"`
	Example string `json:"example"` // a place
}

// NewJob makes itself the one that deals with dead letters, unless it is a dry run, and
// reads the backlog. Somebody else is a *BusyError, a topic that doesn't exist a
// *kafka.UnknownTopicError. The client is for o's brokers, and stays the caller's.
func NewJob(ctx context.Context, cl *kgo.Client, o kafka.Options, opts JobOptions) (_ *Job, err error) {
	box, err := Open(ctx, cl, o, opts.Topics)
	if err != nil {
		return nil, err
	}
	j := &Job{o: opts, box: box, origins: make(map[string]int), piles: make(map[string]map[int32]*pile), plan: Plan{Rows: []PlanRow{}, Refused: []Refusal{}}}
	defer func() {
		if err != nil {
			j.Close()
		}
	}()
	if !opts.DryRun && len(opts.Topics) > 0 {
		partitions := 0
		for _, spans := range box.spans {
			partitions += len(spans)
		}
		if j.hold, err = take(ctx, cl, o, opts.Topics, partitions, opts.Waiting); err != nil {
			return nil, err
		}
		if j.box, err = Open(ctx, cl, o, opts.Topics); err != nil { // somebody may have settled some before
			return nil, err
		}
	}
	return j, j.scan(ctx)
}

// Close lets others deal with dead letters.
func (j *Job) Close() {
	if j.hold != nil {
		j.hold.close()
	}
}

// Plan is what the job would do.
func (j *Job) Plan() Plan { return j.plan }

// Only is the letter of a job that has a single one.
func (j *Job) Only(ctx context.Context) (Letter, error) { return j.box.at(ctx, j.first()[0]) }

func (j *Job) scan(ctx context.Context) error {
	for topic, spans := range j.box.spans {
		j.piles[topic] = make(map[int32]*pile, len(spans))
		for p, span := range spans {
			j.piles[topic][p] = &pile{end: span.End}
		}
	}
	err := j.box.Read(ctx, false, func(l Letter, settled bool) error {
		p := j.piles[l.Record.Topic][l.Record.Partition]
		p.marks = append(p.marks, mark{offset: l.Record.Offset, settled: settled})
		if settled || !j.o.Select.Has(l) {
			return nil
		}
		why, err := j.refuse(ctx, l)
		if err != nil {
			return err
		}
		if why != "" {
			j.plan.refuse(why, l)
			return nil
		}
		p.chosen = append(p.chosen, len(p.marks)-1)
		j.plan.add(l)
		return nil
	})
	if err != nil {
		return err
	}
	return j.fits()
}

// fits tells whether the ledgers can hold what would be settled.
func (j *Job) fits() error {
	for topic, piles := range j.piles {
		for n, p := range piles {
			after := &pile{end: p.end, marks: append([]mark(nil), p.marks...)}
			for _, i := range p.chosen {
				after.marks[i].settled = true
			}
			if _, err := tally(after.end, after.marks).metadata(); err != nil {
				return fmt.Errorf("%s[%d]: %w", topic, n, err)
			}
		}
	}
	return nil
}

// refuse says why the letter can't be redriven, or "".
func (j *Job) refuse(ctx context.Context, l Letter) (string, error) {
	if !j.o.Redrive {
		return "", nil
	}
	topic := l.Origin.Topic
	switch partitions, err := j.partitions(ctx, topic); {
	case err != nil:
		return "", err
	case strings.HasSuffix(topic, Suffix):
		return fmt.Sprintf("it came from %s, which has dead letters itself", topic), nil
	case partitions == 0:
		return fmt.Sprintf("topic %s, where it came from, doesn't exist", topic), nil
	case l.Redrives >= j.o.MaxRedrives:
		return fmt.Sprintf("it was redriven %d times already, and --max-redrives is %d", l.Redrives, j.o.MaxRedrives), nil
	}
	return "", nil
}

// partitions is how many partitions a topic has, 0 if there is none of that name.
func (j *Job) partitions(ctx context.Context, topic string) (int, error) {
	if n, ok := j.origins[topic]; ok {
		return n, nil
	}
	found, err := kadm.NewClient(j.box.cl).ListTopicsWithInternal(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("read metadata of topic %q: %w", topic, err)
	}
	t := found[topic]
	if err := t.Err; err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) && !errors.Is(err, kerr.InvalidTopicException) {
		return 0, fmt.Errorf("read metadata of topic %q: %w", topic, err)
	}
	n := len(t.Partitions)
	if t.Err != nil || t.IsInternal {
		n = 0
	}
	j.origins[topic] = n
	return n, nil
}

func (p *Plan) add(l Letter) {
	p.Selected++
	row := PlanRow{Topic: l.Record.Topic, Reason: l.Reason, Origin: l.Origin.Topic}
	for i := range p.Rows {
		has := p.Rows[i]
		if has.Count = 0; has == row {
			p.Rows[i].Count++
			return
		}
	}
	row.Count = 1
	p.Rows = append(p.Rows, row)
}

func (p *Plan) refuse(why string, l Letter) {
	for i := range p.Refused {
		if p.Refused[i].Why == why {
			p.Refused[i].Count++
			return
		}
	}
	p.Refused = append(p.Refused, Refusal{Why: why, Count: 1, Example: l.Place().String()})
}
