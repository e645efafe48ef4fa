package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

// titles runs a query to its last page and returns all titles in order.
func titles(t *testing.T, s *Store, q task.Query) []string {
	t.Helper()
	list := []string{}
	for {
		page, err := s.Tasks(t.Context(), "u1", q)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range page.Tasks {
			list = append(list, found.Title)
		}
		if page.Next == "" {
			if page.Total != len(list) {
				t.Errorf("total %d, but %d tasks on all pages", page.Total, len(list))
			}
			return list
		}
		q.Cursor = page.Next
	}
}

// garden fills a database with tasks that differ in every field.
func garden(t *testing.T, s *Store, clock *clock) {
	t.Helper()
	now := clock.Now()
	for _, row := range []struct {
		title, description string
		priority           task.Priority
		tags               []string
		due                *time.Time
		done               bool
	}{
		{"banana", "yellow, 100% ripe", task.Low, []string{"fruit", "food"}, ptr(now.Add(2 * time.Hour)), false},
		{"Apple", "red_round", task.Urgent, []string{"fruit"}, ptr(now.Add(-time.Hour)), false},
		{"cherry", "", task.Medium, []string{}, nil, true},
		{"Émile", "Straße", task.High, []string{"a\"b", "food"}, ptr(now.Add(-time.Hour)), true},
		{"apple pie", "for ÉMILE", task.Medium, []string{"food"}, nil, false},
	} {
		c := create("u1", row.title)
		c.Patch.Description, c.Patch.Priority, c.Patch.Tags = &row.description, &row.priority, &row.tags
		c.Patch.DueDate, c.Patch.Completed = row.due, &row.done
		change(t, s, c)
		clock.advance(time.Second)
	}
	change(t, s, create("u2", "not mine"))
	first, err := s.Tasks(t.Context(), "u1", task.Query{Sort: "id", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	change(t, s, rename("u1", first.Tasks[0].ID, "Banana")) // updated last
}

func TestTasksFiltersAndSorts(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := openStore(t, url, Options{Now: clock.Now})
		start := clock.Now()
		garden(t, s, clock)
		byID := func(q task.Query) task.Query {
			q.Sort = "id"
			return q
		}
		for name, test := range map[string]struct {
			query task.Query
			want  []string
		}{
			"newest first":       {task.Query{}, []string{"apple pie", "Émile", "cherry", "Apple", "Banana"}},
			"all":                {byID(task.Query{Status: "all"}), []string{"Banana", "Apple", "cherry", "Émile", "apple pie"}},
			"pending":            {byID(task.Query{Status: "pending"}), []string{"Banana", "Apple", "apple pie"}},
			"completed":          {byID(task.Query{Status: "completed"}), []string{"cherry", "Émile"}},
			"priority":           {byID(task.Query{Priority: task.Medium}), []string{"cherry", "apple pie"}},
			"one tag":            {byID(task.Query{Tags: []string{"food"}}), []string{"Banana", "Émile", "apple pie"}},
			"two tags":           {byID(task.Query{Tags: []string{"food", "fruit"}}), []string{"Banana"}},
			"quoted tag":         {byID(task.Query{Tags: []string{`a"b`}}), []string{"Émile"}},
			"part of a tag":      {byID(task.Query{Tags: []string{"foo"}}), []string{}},
			"search":             {byID(task.Query{Search: "APPLE"}), []string{"Apple", "apple pie"}},
			"search description": {byID(task.Query{Search: "émile"}), []string{"Émile", "apple pie"}},
			"search percent":     {byID(task.Query{Search: "0%"}), []string{"Banana"}},
			"search underscore":  {byID(task.Query{Search: "d_r"}), []string{"Apple"}},
			"search wildcard":    {byID(task.Query{Search: "a%e"}), []string{}},
			"due before":         {byID(task.Query{DueBefore: ptr(start.Add(2 * time.Hour))}), []string{"Apple", "Émile"}},
			"due after":          {byID(task.Query{DueAfter: ptr(start.Add(-time.Hour))}), []string{"Banana", "Apple", "Émile"}},
			"due between":        {byID(task.Query{DueAfter: &start, DueBefore: ptr(start.Add(3 * time.Hour))}), []string{"Banana"}},
			"overdue":            {byID(task.Query{Overdue: true, Now: start}), []string{"Apple"}},
			"overdue by clock":   {byID(task.Query{Overdue: true}), []string{"Apple"}},
			"by id, down":        {task.Query{Sort: "id", Desc: true}, []string{"apple pie", "Émile", "cherry", "Apple", "Banana"}},
			"by creation":        {task.Query{Sort: "created_at"}, []string{"Banana", "Apple", "cherry", "Émile", "apple pie"}},
			"by update":          {task.Query{Sort: "updated_at"}, []string{"Apple", "cherry", "Émile", "apple pie", "Banana"}},
			"by update, down":    {task.Query{Sort: "updated_at", Desc: true}, []string{"Banana", "apple pie", "Émile", "cherry", "Apple"}},
			"by due date":        {task.Query{Sort: "due_date"}, []string{"Apple", "Émile", "Banana", "cherry", "apple pie"}},
			"by due date, down":  {task.Query{Sort: "due_date", Desc: true}, []string{"Banana", "Émile", "Apple", "apple pie", "cherry"}},
			"by priority":        {task.Query{Sort: "priority"}, []string{"Banana", "cherry", "apple pie", "Émile", "Apple"}},
			"by priority, down":  {task.Query{Sort: "priority", Desc: true}, []string{"Apple", "Émile", "apple pie", "cherry", "Banana"}},
			"by title":           {task.Query{Sort: "title"}, []string{"Apple", "apple pie", "Banana", "cherry", "Émile"}},
			"by title, down":     {task.Query{Sort: "title", Desc: true}, []string{"Émile", "cherry", "Banana", "apple pie", "Apple"}},
			"much at once": {task.Query{Status: "pending", Tags: []string{"food"}, Search: "p", Sort: "title"},
				[]string{"apple pie", "Banana"}},
		} {
			for _, limit := range []int{0, 1, 2} {
				test.query.Limit = limit
				if diff := cmp.Diff(test.want, titles(t, s, test.query)); diff != "" {
					t.Errorf("%s, %d a page (-want +got):\n%s", name, limit, diff)
				}
			}
		}
	})
}

func TestTasksRefusesNonsense(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		for range 2 {
			change(t, s, create("u1", "a"))
		}
		page, err := s.Tasks(t.Context(), "u1", task.Query{Sort: "title", Limit: 1})
		if err != nil || page.Next == "" {
			t.Fatal(page, err)
		}
		for field, q := range map[string]task.Query{
			"status":   {Status: "done"},
			"priority": {Priority: "later"},
			"sort":     {Sort: "title; DROP TABLE tasks"},
			"query":    {Tags: []string{"\xff"}},
			"cursor":   {Sort: "title", Desc: true, Cursor: page.Next},
		} {
			_, err := s.Tasks(t.Context(), "u1", q)
			var invalid *task.InvalidError
			if !errors.As(err, &invalid) || invalid.Problems[0].Field != field {
				t.Errorf("%+v: %v, want an InvalidError of %s", q, err, field)
			}
		}
	})
}

// Each task that was there from the first page to the last comes exactly once,
// whatever comes and goes meanwhile.
func TestPagingWhileTasksComeAndGo(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		var changes []task.Change
		for i := range 60 {
			c := create("u1", fmt.Sprintf("t%02d", i*7%60))
			if i%3 == 0 {
				c.Patch.DueDate = ptr(time.Unix(int64(i%5)*3600, 0))
			}
			changes = append(changes, c)
		}
		var stay []int64
		for i, r := range queueUp(s, changes...) {
			if r.err != nil {
				t.Fatal(r.err)
			}
			if i%4 != 0 {
				stay = append(stay, r.result.Task.ID)
			}
		}
		for _, sort := range task.SortFields() {
			for _, desc := range []bool{false, true} {
				extra := change(t, s, create("u1", "t30 comes and goes")).ID
				var seen []int64
				q := task.Query{Sort: sort, Desc: desc, Limit: 7}
				for more := true; more; more = q.Cursor != "" {
					page, err := s.Tasks(t.Context(), "u1", q)
					if err != nil {
						t.Fatal(err)
					}
					for _, found := range page.Tasks {
						if slices.Contains(stay, found.ID) {
							seen = append(seen, found.ID)
						}
					}
					q.Cursor = page.Next
					change(t, s, remove("u1", extra))
					extra = change(t, s, create("u1", fmt.Sprintf("t%02d new", len(seen)))).ID
				}
				slices.Sort(seen)
				if diff := cmp.Diff(stay, seen); diff != "" {
					t.Errorf("sort %s, desc %t (-want +got):\n%s", sort, desc, diff)
				}
			}
		}
	})
}

func TestOwnership(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		mine := change(t, s, create("u1", "mine")).ID
		for _, user := range []string{"u2", "", "U1", "u1 ", "%"} {
			if _, err := s.Task(t.Context(), user, mine); !errors.Is(err, task.ErrNotFound) {
				t.Errorf("Task as %q: %v", user, err)
			}
			for _, c := range []task.Change{rename(user, mine, "x"), toggle(user, mine), remove(user, mine)} {
				if _, err := s.Change(context.Background(), c); !errors.Is(err, task.ErrNotFound) {
					t.Errorf("change as %q: %v", user, err)
				}
			}
			if page, err := s.Tasks(t.Context(), user, task.Query{}); err != nil || page.Total != 0 || len(page.Tasks) != 0 {
				t.Errorf("Tasks as %q: %+v, %v", user, page, err)
			}
		}
		if got := mustTask(t, s, "u1", mine); got.Title != "mine" || got.Sequence != 1 {
			t.Errorf("the task was touched: %+v", got)
		}
	})
}
