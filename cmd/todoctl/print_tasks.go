package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/task"
	"github.com/todoctl/todoctl/internal/ui"
)

// printTask prints a task: as text one line that says what was done to it, or
// without a verb all its fields.
func (a *app) printTask(verb string, t task.Task) error {
	p := a.printer()
	return p.Print("task", t, func(w io.Writer) {
		if verb != "" {
			fmt.Fprintf(w, "%s task %d: %s\n", verb, t.ID, ui.Clean(t.Title))
			return
		}
		p.Fields(w, taskFields(t))
	})
}

func taskFields(t task.Task) [][2]string {
	all := [][2]string{
		{"id", strconv.FormatInt(t.ID, 10)},
		{"title", ui.Clean(t.Title)},
		{"status", taskStatus(t)},
		{"priority", string(t.Priority)},
		{"description", ui.Clean(t.Description)},
		{"tags", ui.Clean(strings.Join(t.Tags, ", "))},
		{"due", stamp(t.DueDate)},
		{"remind at", stamp(t.RemindAt)},
		{"remind before", before(t.RemindBefore)},
		{"channels", ui.Clean(strings.Join(t.Channels, ", "))},
		{"time zone", ui.Clean(t.Timezone)},
		{"recurrence", ui.Clean(t.Recurrence)},
		{"recurrence end", stamp(t.RecurrenceEnd)},
		{"recurs since", stamp(t.RecurrenceStart)},
		{"comes after", previous(t.PreviousID)},
		{"created", stamp(&t.CreatedAt)},
		{"updated", stamp(&t.UpdatedAt)},
		{"completed", stamp(t.CompletedAt)},
		{"sequence", strconv.FormatInt(t.Sequence, 10)},
	}
	var set [][2]string
	for _, field := range all {
		if field[1] != "" {
			set = append(set, field)
		}
	}
	return set
}

func (a *app) printTasks(found taskList) error {
	if found.Tasks == nil {
		found.Tasks = []task.Task{}
	}
	p := a.printer()
	found.Next = nil
	return p.Print("tasks", found, func(w io.Writer) {
		if len(found.Tasks) == 0 {
			fmt.Fprintln(w, "no tasks; add one with 'todoctl tasks add TITLE'")
			return
		}
		var rows [][]string
		for _, t := range found.Tasks {
			rows = append(rows, []string{strconv.FormatInt(t.ID, 10), taskStatus(t), string(t.Priority), stamp(t.DueDate), t.Title})
		}
		p.Table(w, []string{"ID", "STATUS", "PRIORITY", "DUE", "TITLE"}, rows)
		if more := found.Total - len(found.Tasks); more > 0 {
			fmt.Fprintf(w, "%d more\n", more)
		}
	})
}

func taskStatus(t task.Task) string {
	if t.Completed {
		return "completed"
	}
	return "pending"
}

// before shows minutes as a duration without seconds, such as 1h30m.
func before(minutes *int) string {
	if minutes == nil {
		return ""
	}
	if *minutes < 60 {
		return fmt.Sprintf("%dm", *minutes)
	}
	return fmt.Sprintf("%dh%dm", *minutes/60, *minutes%60)
}

func previous(id *int64) string {
	if id == nil {
		return ""
	}
	return fmt.Sprintf("task %d", *id)
}

// stamp shows a time in the zone of the terminal.
func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}
