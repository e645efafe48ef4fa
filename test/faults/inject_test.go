//go:build unix

package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// inject makes a fault happen and returns when its effect is over, with a word on
// what it hit. An error is one of the campaign, not of todoctl.
func (s *stack) inject(ctx context.Context, f fault) (note string, err error) {
	last := func() { pause(ctx, f.length) }
	switch {
	case strings.HasPrefix(f.kind, "node"):
		return s.nodes.suffer(ctx, f)
	case f.kind == "kill serve":
		return s.replicas[f.pick%len(s.replicas)].strike(syscall.SIGKILL), nil
	case f.kind == "kill leader":
		return s.leader(ctx, f.pick).strike(syscall.SIGKILL), nil
	case f.kind == "restart serve":
		return s.replicas[f.pick%len(s.replicas)].strike(syscall.SIGTERM), nil
	case f.kind == "stop leader":
		r := s.leader(ctx, f.pick)
		note := r.strike(syscall.SIGSTOP)
		last()
		r.strike(syscall.SIGCONT)
		return note, nil
	case f.kind == "kill daprd":
		return s.sidecar(s.leader(ctx, f.pick), syscall.SIGKILL), nil
	case f.kind == "stop daprd":
		r := s.leader(ctx, f.pick)
		note := s.sidecar(r, syscall.SIGSTOP)
		last()
		s.sidecar(r, syscall.SIGCONT)
		return note, nil
	case f.kind == "kill broker":
		s.broker.hold(true)
		defer s.broker.hold(false)
		note := s.broker.strike(syscall.SIGKILL)
		last()
		return note, nil
	case f.kind == "stop broker":
		note := s.broker.strike(syscall.SIGSTOP)
		last()
		s.broker.strike(syscall.SIGCONT)
		return note, nil
	case f.kind == "kill postgres":
		return "", s.db.crash(ctx, last)
	case f.kind == "terminate backends":
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
		n, err := s.db.reader.TerminateBackends(ctx)
		return fmt.Sprintf("%d connections", n), err
	case f.kind == "disk full":
		err := s.db.disk.fill(last)
		return "", errors.Join(err, s.db.revive(ctx))
	case strings.HasPrefix(f.kind, "kafka "):
		return storm(s.kafka, f, last)
	case strings.HasPrefix(f.kind, "postgres "):
		return storm(s.db.proxy, f, last)
	case strings.HasPrefix(f.kind, "kill at "):
		return s.point(ctx, fmt.Sprintf("%s=kill@%d", strings.TrimPrefix(f.kind, "kill at "), f.n), 10*time.Second, true)
	case f.kind == "point error":
		return s.point(ctx, points()[f.pick%len(points())]+"=error@1/3", f.length, false)
	case f.kind == "point pause":
		term := fmt.Sprintf("%s=pause:%s@%d", points()[f.pick%len(points())], f.length, f.n)
		return s.point(ctx, term, f.length+time.Second, false)
	default:
		return s.failRequests(ctx, f, last)
	}
}

// strike sends a signal and says whom it hit: nobody, when the program is about to be
// started again.
func (c *child) strike(sig syscall.Signal) string {
	if err := c.signal(sig); err != nil {
		return err.Error()
	}
	return c.name
}

func (s *stack) sidecar(r *replica, sig syscall.Signal) string {
	if err := r.sidecar(sig); err != nil {
		return err.Error()
	}
	return r.name
}

// storm gives a proxy bad weather for a while.
func storm(p *proxy, f fault, last func()) (string, error) {
	w := map[string]weather{"slow": slow, "cut": cut, "dead": dead, "swallow": swallow}[strings.Fields(f.kind)[1]]
	p.set(w, time.Duration(20*f.n)*time.Millisecond)
	last()
	p.set(fair, 0)
	return "", nil
}

// point arms a failpoint of all replicas for a while, or until it has done what it is
// to do once.
func (s *stack) point(ctx context.Context, term string, most time.Duration, once bool) (string, error) {
	before := s.fired()
	for _, r := range s.replicas {
		if err := r.arm(term); err != nil {
			return "", err
		}
	}
	bounded, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	poll(bounded, func() bool { return once && s.fired() > before })
	for _, r := range s.replicas {
		if err := r.arm(""); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s, %d times", term, s.fired()-before), nil
}

func (s *stack) fired() int {
	n := 0
	for _, r := range s.replicas {
		n += r.fired()
	}
	return n
}

// answers are what a broker can be ordered to answer, by the fault; Apache Kafka can't.
func answers() map[string]*kerr.Error {
	return map[string]*kerr.Error{
		"ambiguous ack":    kerr.NotEnoughReplicasAfterAppend, // the records are there all the same
		"rejected produce": kerr.NotLeaderForPartition,
		"refused produce":  kerr.MessageTooLarge,
		"topic missing":    kerr.UnknownTopicOrPartition,
	}
}

// failRequests has the broker fail requests for a while.
func (s *stack) failRequests(ctx context.Context, f fault, last func()) (string, error) {
	code, ok := answers()[f.kind]
	if !ok {
		return "", fmt.Errorf("no such fault: %s", f.kind)
	}
	order := fmt.Sprintf("/fault?topic=%s&error=%d&count=%d", topic, code.Code, f.n)
	switch f.kind {
	case "topic missing":
		order = fmt.Sprintf("/fault?topic=%s&error=%d&count=-1&metadata=true", topic, code.Code)
	case "refused produce":
		order = fmt.Sprintf("/fault?topic=%s&error=%d&count=%d", topic, code.Code, min(f.n, 3)) // ten would park
	}
	set := s.tell(ctx, http.MethodPost, order)
	last()
	return set + s.tell(ctx, http.MethodDelete, "/fault"), nil
}

// tell sends an order to the broker and says what came of it: it may have been killed
// a moment ago, with its orders.
func (s *stack) tell(ctx context.Context, method, path string) string {
	answer, err := s.order(ctx, method, path)
	if err != nil {
		return err.Error()
	}
	return answer
}
