package main

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/todoctl/todoctl/internal/smoke"
	"github.com/todoctl/todoctl/internal/ui"
)

// followSmoke shows on a terminal which hop is waited for.
func (a *app) followSmoke(o *smoke.Options) *progress {
	var hop atomic.Value
	hop.Store("")
	o.Began = func(name string) { hop.Store(name) }
	return a.startProgress(func() string { return fmt.Sprintf("waiting for the hop %s", hop.Load()) })
}

// printSmoke prints how far the probe came; the answer is no when it didn't come through.
func (a *app) printSmoke(result smoke.Result) error {
	p := a.printer()
	if err := p.Print("smoke", result, func(w io.Writer) { smokeText(p, w, result) }); err != nil {
		return err
	}
	f := result.Failure()
	if f == nil {
		return nil
	}
	return noError{fmt.Errorf("hop %s failed; next: %s", f.Name, f.Next)}
}

func smokeText(p ui.Printer, w io.Writer, result smoke.Result) {
	var fields [][2]string
	for _, h := range result.Hops {
		fields = append(fields, [2]string{h.Name, hopText(p, h)})
	}
	p.Fields(w, fields)
	if result.OK {
		fmt.Fprintf(w, "%s in %.1f s\n", p.Good("the probe came through"), result.Seconds)
	}
}

func hopText(p ui.Printer, h smoke.Hop) string {
	took := fmt.Sprintf("  %6.0f ms  ", h.Millis)
	switch h.Status {
	case smoke.Passed:
		return p.Good("passed ") + took + ui.Clean(h.Detail)
	case smoke.Failed:
		return p.Bad("failed ") + took + ui.Clean(h.Error)
	case smoke.Skipped:
		return p.Faint("skipped" + took + ui.Clean(h.Detail))
	default:
		return p.Faint("not run")
	}
}
