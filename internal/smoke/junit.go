package smoke

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"time"
)

// The elements as Jenkins, GitLab and GitHub's test reporters read them.
// Source: https://github.com/testmoapp/junitxml
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		junitCounts
		Suite junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		junitCounts
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCounts struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Time     string `xml:"time,attr"` // seconds
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
		Skipped *junitSkipped `xml:"skipped"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
)

// WriteJUnit writes the result as JUnit XML, a test case for each hop; ended is when
// the run was over.
func WriteJUnit(w io.Writer, r Result, ended time.Time) error {
	counts := junitCounts{Name: "todoctl smoke", Tests: len(r.Hops), Time: seconds(r.Seconds)}
	suite := junitSuite{Timestamp: ended.UTC().Format("2006-01-02T15:04:05")} // some readers take no zone
	for _, h := range r.Hops {
		c := h.junit()
		if c.Failure != nil {
			counts.Failures++
		}
		if c.Skipped != nil {
			counts.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
	}
	suite.junitCounts = counts
	text, err := xml.MarshalIndent(junitSuites{junitCounts: counts, Suite: suite}, "", "  ")
	if err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	if _, err := fmt.Fprintf(w, "%s%s\n", xml.Header, text); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	return nil
}

func (h Hop) junit() junitCase {
	c := junitCase{Class: "todoctl.smoke", Name: h.Name, Time: seconds(h.Millis / 1000)}
	switch h.Status {
	case Failed:
		c.Failure = &junitFailure{Message: h.Error, Type: "failed", Text: h.Error}
		if h.Next != "" {
			c.Failure.Text += "\nnext: " + h.Next
		}
	case Skipped:
		c.Skipped = &junitSkipped{h.Detail}
	case NotRun:
		c.Skipped = &junitSkipped{"not run: a hop before it failed"}
	default:
		c.Out = h.Detail
	}
	return c
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }
