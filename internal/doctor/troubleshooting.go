package doctor

import (
	"bytes"
	"fmt"
)

// Troubleshooting returns docs/troubleshooting.md: what each check looks for.
func Troubleshooting() []byte {
	var page bytes.Buffer
	page.WriteString(`# Troubleshooting

` + "`todoctl doctor`" + ` looks for all of this at once, names the cause with the evidence, and mends
with ` + "`--fix`" + ` what is safe to mend. This page is made from its checks: each has an id, which
` + "`--only`" + ` and ` + "`--skip`" + ` take, as they take the name of a group. An error keeps something from
working; a warning loses, delays or confuses something while all seems well.
`)
	for _, group := range Groups() {
		heading := false
		for _, c := range Checks() {
			if c.Group() != group {
				continue
			}
			if !heading {
				fmt.Fprintf(&page, "\n## %s\n", group)
				heading = true
			}
			c.describe(&page)
		}
	}
	return page.Bytes()
}

func (c Check) describe(page *bytes.Buffer) {
	fmt.Fprintf(page, "\n### %s\n\n%s %s.\n\n", c.ID, c.Severity.article(), c.Title)
	fmt.Fprintf(page, "- What you see: %s\n- Why: %s\n- What to do: %s\n", c.Symptom, c.Cause, c.Mend)
	if c.Fixes {
		page.WriteString("- `todoctl doctor --fix` mends it where that is safe\n")
	}
}

func (s Severity) article() string {
	if s == Error {
		return "An error unless"
	}
	return "A warning unless"
}
