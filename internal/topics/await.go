package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// visibleWithin bounds the wait for topics to appear or to be gone, firstPause is
// the pause between the first two looks.
const (
	visibleWithin = 10 * time.Second
	firstPause    = 5 * time.Millisecond
)

func nextPause(pause time.Duration) time.Duration { return min(2*pause, 100*time.Millisecond) }

// await waits until what was made has as many partitions as wanted, with leaders,
// and fails the steps whose topics haven't in time.
func (a applying) await(ctx context.Context) {
	wait, cancel := context.WithTimeout(ctx, visibleWithin)
	defer cancel()
	for pause := firstPause; ; pause = nextPause(pause) {
		waiting, err := a.unready(wait)
		if len(waiting) == 0 && err == nil {
			return
		}
		select {
		case <-wait.Done():
		case <-time.After(pause):
			continue
		}
		for i, s := range a.steps {
			if a.awaited(i) && (err != nil || slices.Contains(waiting, s.Topic)) {
				a.errs[i] = errors.Join(fmt.Errorf("made, but without leaders for all partitions after %v", visibleWithin), err)
			}
		}
		return
	}
}

// awaited tells whether step i has made partitions.
func (a applying) awaited(i int) bool {
	return a.errs[i] == nil && (a.steps[i].Action == CreateTopic || a.steps[i].Action == AddPartitions)
}

// unready returns the topics that a step has made or enlarged and the cluster
// doesn't show so yet.
func (a applying) unready(ctx context.Context) ([]string, error) {
	want := make(map[string]int)
	var names []string
	for i, s := range a.steps {
		if !a.awaited(i) {
			continue
		}
		n, _ := strconv.Atoi(s.New) // enlarge has parsed it
		if s.Action == CreateTopic {
			n = int(s.Spec.Partitions)
		}
		want[s.Topic] = n
		names = append(names, s.Topic)
	}
	if len(names) == 0 {
		return nil, nil
	}
	resp, err := requestMetadata(ctx, a.cl, names)
	if err != nil {
		return names, err
	}
	for _, t := range resp.Topics {
		led := 0
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 && p.Leader >= 0 {
				led++
			}
		}
		if t.Topic != nil && t.ErrorCode == 0 && led >= want[*t.Topic] {
			delete(want, *t.Topic)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { _, waits := want[name]; return !waits }), nil
}

// awaitGone waits for the end of what was deleted: until then nobody can create a
// topic of that name.
func awaitGone(ctx context.Context, cl *kgo.Client, outcome map[string]error) {
	wait, cancel := context.WithTimeout(ctx, visibleWithin)
	defer cancel()
	var names []string
	for name, err := range outcome {
		if err == nil {
			names = append(names, name)
		}
	}
	for pause := firstPause; len(names) > 0; pause = nextPause(pause) {
		resp, err := requestMetadata(wait, cl, names)
		if err == nil {
			names = names[:0]
			for _, t := range resp.Topics {
				if t.Topic != nil && !errors.Is(kerr.ErrorForCode(t.ErrorCode), kerr.UnknownTopicOrPartition) {
					names = append(names, *t.Topic)
				}
			}
		}
		if len(names) == 0 {
			return
		}
		select {
		case <-time.After(pause):
		case <-wait.Done():
			for _, name := range names {
				outcome[name] = errors.Join(fmt.Errorf("marked for deletion, but still there after %v", visibleWithin), err)
			}
			return
		}
	}
}
