// Package doctor finds what is wrong with an event stack and says how to mend it.
//
// Each check looks for one fault of a catalogue. Checks run side by side along what
// they depend on; each is bounded, all together are bounded, and the panic of one is
// contained. A fault that explains others stands for them: what it explains is "not
// checked" and no finding of its own.
//
// Guarantees: looking changes nothing, in files, topics, database or processes. Any
// bytes in a YAML file give a finding or silence. What is reported is certain from
// what was read; where a check can't be certain, it says nothing.
//
// It prints nothing, asks nothing and reads no flags and no environment: the caller
// hands in what is to be examined. Fixes are values that the caller may apply.
package doctor

import (
	"context"
	"strings"
	"time"
)

// A Severity tells what a fault does.
type Severity string

// The severities. An error keeps the stack, or a part of it, from working; a warning
// loses, delays or confuses something while all seems well.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Groups returns the groups of the checks in the order of a report.
func Groups() []string {
	return []string{"environment", "files", "broker", "topics", "sidecar", "database", "events"}
}

// A Check looks for one fault.
type Check struct {
	ID       string // GROUP.NAME
	Severity Severity
	Title    string // what is checked, in a few words

	// Symptom, Cause and Mend are the check's entry in docs/troubleshooting.md: what
	// a person sees without doctor, why, and what to do.
	Symptom, Cause, Mend string

	Needs []string // ids of checks that must be well, or this one is not run
	After []string // ids or groups whose errors, if they have any, explain this one's findings
	Fixes bool     // some of its findings can be mended by --fix

	Run func(ctx context.Context) Result
}

// Group is the first part of the id.
func (c Check) Group() string {
	group, _, _ := strings.Cut(c.ID, ".")
	return group
}

// A Result is the outcome of running a check. The zero Result is: all is well.
type Result struct {
	Findings []Finding
	Skip     string // why it was not checked
	Beside   bool   // there is nothing to check: no word about it
}

func found(findings ...Finding) Result { return Result{Findings: findings} }
func skipped(why string) Result        { return Result{Skip: why} }
func beside() Result                   { return Result{Beside: true} }

// A Finding is a fault that was found.
type Finding struct {
	Check    string   `json:"check"`
	Group    string   `json:"group"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`  // one sentence
	Evidence []Fact   `json:"evidence"` // what was seen, and what is wanted
	Mend     string   `json:"mend"`     // a command, or what to write
	Fixable  bool     `json:"fixable"`  // by --fix

	Fix Fix `json:"-"`
}

// A Fact is a piece of evidence.
type Fact struct {
	Name  string `json:"name"` // such as at, found, wanted, port, holder
	Value string `json:"value"`
}

// facts pairs names with values; a name with an empty value is left out.
func facts(pairs ...string) []Fact {
	list := []Fact{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, Fact{pairs[i], pairs[i+1]})
		}
	}
	return list
}

// Limits bound an examination.
type Limits struct {
	Check time.Duration // of one check
	All   time.Duration // of all together
}

// DefaultLimits are 5 s for a check and 30 s for all.
func DefaultLimits() Limits { return Limits{Check: 5 * time.Second, All: 30 * time.Second} }
