package task

import "time"

// A Query selects and orders tasks of one user. The zero value is every task,
// newest first, in pages of MaxPage.
type Query struct {
	Status    string // "", all, pending, completed
	Priority  Priority
	Tags      []string // tasks that have all of these
	Search    string   // in title or description, whatever the case
	DueBefore *time.Time
	DueAfter  *time.Time
	Overdue   bool   // due before Now and not completed
	Sort      string // one of SortFields; "" is created_at, newest first
	Desc      bool   // looked at only when Sort is set
	Limit     int    // tasks in a page; 0 is MaxPage
	Cursor    string // Next of the page before
	Now       time.Time
}

// MaxPage is the largest page, in tasks.
const MaxPage = 1000

// SortFields are the names that Query.Sort takes. Tasks without a due date come
// last in both directions; equal ones are ordered by id.
func SortFields() []string {
	return []string{"created_at", "updated_at", "due_date", "priority", "title", "id"}
}

// A Page is one page of a query's answer.
type Page struct {
	Tasks []Task
	Total int    // tasks that the query selects, on all pages
	Next  string // cursor of the next page, "" on the last one
}
