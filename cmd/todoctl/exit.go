package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/todoctl/todoctl/internal/ui"
)

// The exit codes, as every command's help lists them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNo          = 3
	exitInterrupted = 130
)

// A usageError is a mistake in what was typed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// A noError is a command's answer "no": it ran, and something is not as it should
// be. What, has been printed already.
type noError struct{ error }

func (e noError) Unwrap() error { return e.error }

// exitCode is the one place where errors become exit codes.
func exitCode(ctx context.Context, err error) int {
	var usage usageError
	var no noError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &no):
		return exitNo
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	default:
		return exitFailed
	}
}

// report tells of the error that ended a command, as a line or as JSON.
func report(w io.Writer, format ui.Format, err error, code int) {
	if code == exitInterrupted {
		fmt.Fprintln(w, "interrupted")
		return
	}
	if format != ui.JSON {
		fmt.Fprintf(w, "todoctl: %s\n", ui.CleanLines(err.Error()))
		return
	}
	line, _ := json.Marshal(struct {
		Kind    string `json:"kind"`
		Version int    `json:"version"`
		Error   string `json:"error"`
		Code    int    `json:"exit_code"`
	}{"error", ui.Version, err.Error(), code})
	fmt.Fprintf(w, "%s\n", line)
}

// asksJSON tells whether arguments ask for JSON, whatever else is wrong with them.
func asksJSON(args []string) bool {
	for i, arg := range args {
		switch {
		case arg == "--":
			return false
		case arg == "--json", arg == "--output=json", arg == "--output" && i+1 < len(args) && args[i+1] == "json":
			return true
		}
	}
	return false
}
