package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A ServiceError says that a service of a compose file didn't get ready.
type ServiceError struct {
	Service   string
	Condition string   // see Container.Condition
	Logs      []string // its last lines, at most 20
	Err       error    // why it was given up, such as a timeout; nil when it has failed by itself
}

// Error names the service and its condition.
func (e *ServiceError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s didn't get ready in time: it is %s", e.Service, e.Condition)
	}
	return fmt.Sprintf("%s didn't start: it is %s", e.Service, e.Condition)
}

// Unwrap returns why it was given up.
func (e *ServiceError) Unwrap() error { return e.Err }

// pollEvery is how often Docker is asked while it starts.
const pollEvery = 300 * time.Millisecond

// Up starts the containers and returns them when all are ready. watch is called now and
// then with those that there are, and with the last line that docker has said. When one
// fails, or ctx ends first, the error is a *ServiceError where it can be told which; a
// taken port is a *PortError.
func (c Compose) Up(ctx context.Context, watch func(list []Container, said string)) ([]Container, error) {
	var said composeWords
	ended := make(chan error, 1)
	go func() { ended <- c.start(ctx, &said) }()
	up := false
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var list []Container
	for {
		select {
		case err := <-ended:
			if err != nil {
				return nil, c.explain(ctx, list, err)
			}
			up = true
		case <-tick.C:
		case <-ctx.Done():
			if !up { // docker is interrupted, and then killed
				return nil, c.explain(ctx, list, <-ended)
			}
			return nil, c.explain(ctx, list, ctx.Err())
		}
		now, err := c.Containers(ctx)
		if err != nil {
			if ctx.Err() == nil && up {
				return nil, err
			}
			continue
		}
		list = now
		watch(list, said.text())
		switch {
		case !up:
		case len(list) == 0:
			return nil, errors.New("docker compose started no container")
		case slices.ContainsFunc(list, Container.failed):
			return nil, c.explain(ctx, list, nil)
		case !slices.ContainsFunc(list, func(c Container) bool { return !c.Ready() }):
			return list, nil
		}
	}
}

// start runs "up -d", which ends when the containers are started and what others
// depend on is healthy.
func (c Compose) start(ctx context.Context, said *composeWords) error {
	cmd := command(ctx, c.docker, c.UpArgs()[1:]...)
	cmd.Stdout, cmd.Stderr = said, said
	err := cmd.Run()
	var failed *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &failed):
		return c.startFault(ctx, said.all())
	}
	return err
}

// startFault tells what docker's complaint means.
func (c Compose) startFault(ctx context.Context, complaint string) error {
	// Such as "Bind for 127.0.0.1:6379 failed: port is already allocated", "listen tcp4
	// 127.0.0.1:6379: bind: address already in use", and "failed to bind host port for
	// 127.0.0.1:6379:172.18.0.2:6379/tcp: address already in use".
	taken := regexp.MustCompile(`((?:\[[0-9a-f:]*\]|[0-9.]+):([0-9]+))\S* (?:failed: port is already allocated|(?:bind: )?address already in use)`).FindStringSubmatch(complaint)
	if taken == nil {
		return dockerFault(complaint)
	}
	fault := &PortError{Addr: taken[1], Err: dockerFault(complaint)}
	if name := c.holder(ctx, taken[2]); name != "" {
		fault.Program = "the container " + name
	} else if port, err := strconv.Atoi(taken[2]); err == nil {
		fault.PID, fault.Program = portHolder(port)
	}
	return fault
}

// explain names the service that is at fault, where one is: the one that has failed or,
// when time is over, the first that isn't ready.
func (c Compose) explain(ctx context.Context, list []Container, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	late := errors.Is(err, context.DeadlineExceeded)
	if now, psErr := c.Containers(ctx); psErr == nil {
		list = now
	}
	i := slices.IndexFunc(list, Container.failed)
	if i < 0 && late {
		i = slices.IndexFunc(list, func(c Container) bool { return !c.Ready() })
	}
	var taken *PortError
	if i < 0 || errors.As(err, &taken) {
		return err
	}
	fault := &ServiceError{Service: list[i].Service, Condition: list[i].Condition()}
	if late {
		fault.Err = err
	}
	if lines, logErr := c.logs(ctx, fault.Service, 20); logErr == nil {
		fault.Logs = lines
	}
	return fault
}

// composeWords keep what a program says.
type composeWords struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps it.
func (l *composeWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *composeWords) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// text is the last line.
func (l *composeWords) text() string {
	lines := strings.Split(strings.TrimSpace(l.all()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
