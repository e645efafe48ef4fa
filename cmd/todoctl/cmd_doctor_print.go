package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/todoctl/todoctl/internal/doctor"
	"github.com/todoctl/todoctl/internal/ui"
)

// printReport prints a report; the answer is no when anything was found.
func (a *app) printReport(report doctor.Report) error {
	p := a.printer()
	if err := p.Print("doctor", report, func(w io.Writer) { reportText(p, w, report) }); err != nil {
		return err
	}
	if report.OK {
		return nil
	}
	return noError{fmt.Errorf("%s", counts(report))}
}

func reportText(p ui.Printer, w io.Writer, report doctor.Report) {
	group := ""
	for _, f := range report.Findings {
		if f.Group != group {
			if group = f.Group; group != "" {
				fmt.Fprintln(w, p.Bold(group))
			}
		}
		findingText(p, w, f)
	}
	for _, line := range notChecked(report) {
		fmt.Fprintln(w, p.Faint(ui.Clean(line)))
	}
	if report.OK {
		fmt.Fprintf(w, "%s: %s in %.1f s\n", p.Good("nothing is wrong"), howMany(len(report.Passed), "check"), report.Took)
	}
}

func findingText(p ui.Printer, w io.Writer, f doctor.Finding) {
	fmt.Fprintf(w, "  %s %s: %s\n", p.Bad(string(f.Severity)), f.Check, ui.Clean(f.Message))
	width := len("mend")
	for _, fact := range f.Evidence {
		width = max(width, len(fact.Name))
	}
	for _, fact := range f.Evidence {
		fmt.Fprintf(w, "    %s  %s\n", p.Faint(fmt.Sprintf("%-*s", width, fact.Name)), ui.Clean(fact.Value))
	}
	mend := f.Mend
	if f.Fixable {
		mend += "  (--fix does it)"
	}
	fmt.Fprintf(w, "    %s  %s\n", p.Faint(fmt.Sprintf("%-*s", width, "mend")), p.Bold(ui.Clean(mend)))
}

// notChecked has a line for each reason.
func notChecked(report doctor.Report) []string {
	var reasons []string
	ids := map[string][]string{}
	for _, n := range report.NotChecked {
		reason := n.Reason
		if n.Because != "" {
			reason = "see " + n.Because
		}
		if ids[reason] == nil {
			reasons = append(reasons, reason)
		}
		ids[reason] = append(ids[reason], n.Check)
	}
	var lines []string
	for _, reason := range reasons {
		lines = append(lines, fmt.Sprintf("not checked (%s): %s", reason, strings.Join(ids[reason], ", ")))
	}
	return lines
}

// counts are the numbers of a report in words.
func counts(report doctor.Report) string {
	var words []string
	for _, severity := range []doctor.Severity{doctor.Error, doctor.Warning} {
		n := 0
		for _, f := range report.Findings {
			if f.Severity == severity {
				n++
			}
		}
		if n > 0 {
			words = append(words, howMany(n, string(severity)))
		}
	}
	line := strings.Join(words, ", ")
	if n := len(report.Fixable()); n > 0 {
		line += fmt.Sprintf("; 'todoctl doctor --fix' mends %d", n)
	}
	return line
}

// showFix shows what a fix changes, on stderr: the result is the report.
func (a *app) showFix(f doctor.Finding) {
	p := a.messages()
	fmt.Fprintln(a.stderr, p.Bold(f.Check))
	for line := range strings.SplitSeq(f.Fix.Diff(), "\n") {
		line = ui.Clean(line)
		switch {
		case strings.HasPrefix(line, "-"):
			line = p.Bad(line)
		case strings.HasPrefix(line, "+"):
			line = p.Good(line)
		}
		fmt.Fprintln(a.stderr, "  "+line)
	}
}
