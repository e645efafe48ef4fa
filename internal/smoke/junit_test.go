package smoke

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJUnit(t *testing.T) {
	r := Result{Seconds: 1.5, Hops: []Hop{
		{Name: "broker", Status: Passed, Millis: 12.5, Detail: "reached"},
		{Name: "api", Status: Failed, Millis: 1000, Error: `no <task> API at "x"` + "\x1b", Next: "todoctl doctor"},
		{Name: "topic", Status: NotRun},
		{Name: "cleanup", Status: Skipped, Detail: "no task was added"},
	}}
	var got bytes.Buffer
	if err := WriteJUnit(&got, r, time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="todoctl smoke" tests="4" failures="1" errors="0" skipped="2" time="1.500">
  <testsuite name="todoctl smoke" tests="4" failures="1" errors="0" skipped="2" time="1.500" timestamp="2026-02-17T12:00:00">
    <testcase classname="todoctl.smoke" name="broker" time="0.013">
      <system-out>reached</system-out>
    </testcase>
    <testcase classname="todoctl.smoke" name="api" time="1.000">
      <failure message="no &lt;task&gt; API at &#34;x&#34;�" type="failed">no &lt;task&gt; API at &#34;x&#34;�&#xA;next: todoctl doctor</failure>
    </testcase>
    <testcase classname="todoctl.smoke" name="topic" time="0.000">
      <skipped message="not run: a hop before it failed"></skipped>
    </testcase>
    <testcase classname="todoctl.smoke" name="cleanup" time="0.000">
      <skipped message="no task was added"></skipped>
    </testcase>
  </testsuite>
</testsuites>
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}
