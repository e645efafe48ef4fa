package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// confirm asks before something is destroyed. Where nobody can be asked it is a
// usage error.
func (a *app) confirm(ctx context.Context, what string) error {
	in, err := a.terminal(what)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s? [y/N] ", what)
	line, err := readLine(ctx, bufio.NewReader(in))
	if err != nil {
		return fmt.Errorf("%s: no answer: %w", what, err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errors.New("left as it is")
}

// terminal is where answers come from.
func (a *app) terminal(what string) (*os.File, error) {
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, usagef("%s: there is no terminal to ask; give --yes if it is meant", what)
	}
	return in, nil
}

// confirmNames asks for each name to be typed before what bears it is destroyed; tell
// says of a name what would be lost. Where nobody can be asked it is a usage error.
func (a *app) confirmNames(ctx context.Context, what string, names []string, tell func(string) string) error {
	in, err := a.terminal(what)
	if err != nil {
		return err
	}
	answers := bufio.NewReader(in)
	for _, name := range names {
		fmt.Fprintf(a.stderr, "%s\ntype its name to go on: ", tell(name))
		line, err := readLine(ctx, answers)
		if err != nil {
			return fmt.Errorf("%s: no answer: %w", what, err)
		}
		if strings.TrimSpace(line) != name {
			return errors.New("that is not its name; everything is left as it is")
		}
	}
	return nil
}

// readLine returns when a line was typed or the context ends. The read itself can't
// be ended: it is left to the end of the process.
func readLine(ctx context.Context, r *bufio.Reader) (string, error) {
	type answer struct {
		line string
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := r.ReadString('\n')
		typed <- answer{line, err}
	}()
	select {
	case a := <-typed:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
