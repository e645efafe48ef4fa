package doctor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestConsequencesAreNotChecked(t *testing.T) {
	bad := always(found(Finding{Message: "Bad.", Mend: "mend"}))
	checks := []Check{
		{ID: "files.a", Severity: Error, Run: bad},
		{ID: "broker.reach", Severity: Error, After: []string{"files"}, Run: bad},
		{ID: "topics.missing", Severity: Error, Needs: []string{"broker.reach"}, Run: bad},
		{ID: "topics.well", Severity: Error, Run: always(Result{})},
		{ID: "events.warned", Severity: Error, After: []string{"database.w"}, Run: bad},
		{ID: "database.w", Severity: Warning, Run: bad},
		{ID: "sidecar.gone", Severity: Error, Needs: []string{"sidecar.out"}, Run: bad},
		{ID: "sidecar.beside", Severity: Error, Run: always(beside())},
		{ID: "sidecar.under", Severity: Error, Needs: []string{"sidecar.beside"}, Run: bad},
	}
	r := Run(t.Context(), checks, DefaultLimits())
	expect(t, r, "files.a", "database.w", "events.warned")
	want := []NotChecked{
		{Check: "broker.reach", Because: "files.a"},
		{Check: "topics.missing", Because: "files.a"},
		{Check: "sidecar.gone", Reason: "sidecar.out is left out"},
	}
	if diff := cmp.Diff(want, r.NotChecked); diff != "" {
		t.Errorf("not checked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"topics.well"}, r.Passed); diff != "" {
		t.Errorf("passed (-want +got):\n%s", diff)
	}
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		var checks []Check
		for _, id := range []string{"files.deaf1", "files.deaf2", "files.deaf3"} {
			checks = append(checks, Check{ID: id, Severity: Error, Run: func(context.Context) Result { <-release; return Result{} }})
		}
		checks = append(checks,
			Check{ID: "broker.panics", Severity: Error, Run: func(context.Context) Result { panic("oh") }},
			Check{ID: "broker.late", Severity: Error, Run: func(ctx context.Context) Result {
				<-ctx.Done()
				return found(Finding{Message: "No answer.", Mend: "mend"})
			}})
		began := time.Now()
		r := Run(t.Context(), checks, Limits{Check: 5 * time.Second, All: 30 * time.Second})
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("took %s", took)
		}
		expect(t, r, "broker.late")
		want := []NotChecked{
			{Check: "files.deaf1", Reason: "no result within 5s"}, {Check: "files.deaf2", Reason: "no result within 5s"},
			{Check: "files.deaf3", Reason: "no result within 5s"}, {Check: "broker.panics", Reason: "the check itself failed: oh"},
		}
		if diff := cmp.Diff(want, r.NotChecked); diff != "" {
			t.Errorf("not checked (-want +got):\n%s", diff)
		}
	})
}

func TestAllTogetherAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []Check
		slow := func(ctx context.Context) Result { <-ctx.Done(); return Result{} }
		before := ""
		for _, id := range []string{"files.a", "files.b", "files.c", "files.d"} {
			c := Check{ID: id, Severity: Error, Run: slow}
			if before != "" {
				c.Needs = []string{before}
			}
			checks, before = append(checks, c), id
		}
		began := time.Now()
		Run(t.Context(), checks, Limits{Check: 5 * time.Second, All: 12 * time.Second})
		if took := time.Since(began); took != 12*time.Second {
			t.Errorf("took %s, want 12 s", took)
		}
	})
}
