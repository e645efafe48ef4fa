package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/todoctl/todoctl/internal/status"
	"github.com/todoctl/todoctl/internal/ui"
)

// printStatus prints a snapshot; on a terminal a watched one takes the place of the one
// before.
func (a *app) printStatus(s status.Snapshot, watched bool) error {
	p := a.printer()
	return p.Print("status", s, func(w io.Writer) {
		if watched && p.Width > 0 {
			fmt.Fprint(w, "\x1b[H\x1b[2J")
		}
		statusText(p, w, s)
		if watched && p.Width == 0 {
			fmt.Fprintln(w)
		}
	})
}

func statusText(p ui.Printer, w io.Writer, s status.Snapshot) {
	fmt.Fprintf(w, "%s  %s\n", p.Bold("todoctl "+s.Versions.Todoctl), p.Faint(s.Time.Local().Format("2006-01-02 15:04:05")))
	statusPart(p, w, "api", s.API.Part, s.API.URL, versionText("todoctl", s.Versions.API))
	statusPart(p, w, "broker", s.Broker.Part, strings.Join(s.Broker.Brokers, ", "), fmt.Sprintf("cluster %s, %s", s.Broker.Cluster, howMany(s.Broker.Nodes, "node")))
	statusPart(p, w, "topics", s.Topics.Part, asWanted(s.Topics.Wanted))
	sidecar := []string{s.Sidecar.Addr, versionText("Dapr", s.Versions.Dapr)}
	for _, c := range s.Sidecar.Components {
		sidecar = append(sidecar, c.Name+" "+c.Type+"/"+c.Version)
	}
	if s.Sidecar.Off != "" {
		sidecar = []string{"off: " + s.Sidecar.Off}
	}
	statusPart(p, w, "sidecar", s.Sidecar.Part, sidecar...)
	statusPart(p, w, "database", s.Database.Part, s.Database.Database, fmt.Sprintf("schema version %d, none pending", s.Database.Schema))
	statusPart(p, w, "outbox", s.Outbox.Part, outboxLine(s.Outbox))
	var lines []string
	for _, g := range s.Groups.Groups {
		lines = append(lines, groupLine(g))
	}
	statusPart(p, w, "groups", s.Groups.Part, append(lines, howMany(len(lines), "group"))...)
	worker := []string{s.Worker.Addr, howMany(s.Worker.Members, "member") + " in its group"}
	if s.Worker.Off {
		worker = []string{"off: the stack was started without"}
	}
	statusPart(p, w, "worker", s.Worker.Part, worker...)
}

// statusPart writes a part: its facts where it is well, else what isn't and what to do.
func statusPart(p ui.Printer, w io.Writer, name string, part status.Part, facts ...string) {
	label, lines := p.Good("well    "), facts
	if !part.OK {
		label, lines = p.Bad("not well"), []string{part.Problem, "next: " + part.Next}
	}
	head := fmt.Sprintf("%-8s  ", name)
	const indent = 20 // of name and label
	for i, line := range lines {
		for _, piece := range folded(ui.Clean(line), p.Width-indent) {
			if i == 0 && head != "" {
				fmt.Fprintln(w, p.Faint(head)+label+"  "+piece)
				head = ""
				continue
			}
			fmt.Fprintln(w, strings.Repeat(" ", indent)+piece)
		}
	}
}

// folded breaks a line at blanks; a width below 20, as where there is no terminal, breaks
// none.
func folded(line string, width int) []string {
	if width < 20 || len(line) <= width {
		return []string{line}
	}
	var lines []string
	now := ""
	for word := range strings.FieldsSeq(line) {
		if now != "" && len(now)+1+len(word) > width {
			lines, now = append(lines, now), ""
		}
		if now != "" {
			now += " "
		}
		now += word
	}
	return append(lines, now)
}

func versionText(of, version string) string {
	if version == "" {
		return "version not told"
	}
	return of + " " + version
}

func outboxLine(o status.Outbox) string {
	relay := "no relay leads"
	if o.Leads {
		relay = "a relay leads"
	}
	oldest := ""
	if o.Pending > 0 {
		oldest = ", the oldest for " + ageText(o.OldestAge)
	}
	return fmt.Sprintf("%d wait%s, %d parked, %s", o.Pending, oldest, o.Parked, relay)
}

func groupLine(g status.Group) string {
	members, lag := unknown, unknown
	if g.Members != nil {
		members = fmt.Sprint(*g.Members)
	}
	if g.Lag != nil {
		lag = fmt.Sprint(*g.Lag)
	}
	return fmt.Sprintf("%s: %s, members %s, lag %s", g.Group, g.State, members, lag)
}
