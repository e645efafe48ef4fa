package doctor

import (
	"slices"
	"time"
)

// A Report is the result of an examination.
type Report struct {
	OK         bool         `json:"ok"` // nothing was found
	Findings   []Finding    `json:"findings"`
	NotChecked []NotChecked `json:"not_checked"`
	Passed     []string     `json:"passed"` // ids of checks that found nothing
	Took       float64      `json:"seconds"`
}

// A NotChecked is a check without a result.
type NotChecked struct {
	Check   string `json:"check"`
	Because string `json:"because,omitempty"` // the id of the check whose finding explains it
	Reason  string `json:"reason,omitempty"`
}

// report collects the outcomes in the order of the groups: in each, causes stand
// before what they explain, errors before warnings.
func (r *runner) report(took time.Duration) Report {
	report := Report{Findings: []Finding{}, NotChecked: []NotChecked{}, Passed: []string{}, Took: took.Seconds()}
	checks := slices.Clone(r.checks)
	slices.SortStableFunc(checks, func(a, b Check) int {
		return slices.Index(Groups(), a.Group()) - slices.Index(Groups(), b.Group())
	})
	for _, severity := range []Severity{Error, Warning} {
		for _, c := range checks {
			if o := r.outcomes[c.ID]; c.Severity == severity && o.blocked == "" {
				report.Findings = append(report.Findings, o.Findings...)
			}
		}
	}
	slices.SortStableFunc(report.Findings, func(a, b Finding) int {
		return slices.Index(Groups(), a.Group) - slices.Index(Groups(), b.Group)
	})
	for _, c := range checks {
		switch o := r.outcomes[c.ID]; {
		case o.blocked != "":
			report.NotChecked = append(report.NotChecked, NotChecked{Check: c.ID, Because: o.blocked})
		case o.Skip != "":
			report.NotChecked = append(report.NotChecked, NotChecked{Check: c.ID, Reason: o.Skip})
		case len(o.Findings) == 0 && !o.Beside:
			report.Passed = append(report.Passed, c.ID)
		}
	}
	report.OK = len(report.Findings) == 0
	return report
}

// Fixable are the findings that can be mended here.
func (r Report) Fixable() []Finding {
	var list []Finding
	for _, f := range r.Findings {
		if f.Fix != nil {
			list = append(list, f)
		}
	}
	return list
}
