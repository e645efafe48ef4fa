package doctor

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// seen is what expect has seen in this run: the checks that found something, by test.
var seen = struct {
	sync.Mutex
	checks map[string][]string
}{checks: map[string][]string{}}

func saw(test string, found []string) {
	seen.Lock()
	defer seen.Unlock()
	seen.checks[test] = append(seen.checks[test], found...)
}

// TestMain holds the catalogue against what the tests have done, where all of them ran.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *update {
		if err := mends.write(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	chosen := ""
	for _, name := range []string{"run", "skip", "list", "fuzz", "bench"} {
		chosen += flag.Lookup("test." + name).Value.String()
	}
	if code == 0 && chosen == "" {
		for _, complaint := range untested() {
			fmt.Fprintln(os.Stderr, complaint)
			code = 1
		}
	}
	os.Exit(code)
}

// untested tells which checks have no test that has seen them find a fault. A test that
// didn't run, for want of a program, counts in CI only.
func untested() []string {
	var complaints []string
	listed, rows := map[string]bool{}, map[int]bool{}
	for _, entry := range catalogue() {
		listed[entry.check], rows[entry.row] = true, true
		for _, test := range entry.tests {
			found, ran := seen.checks[test]
			if (ran || os.Getenv("CI") != "") && !slices.Contains(found, entry.check) {
				complaints = append(complaints, fmt.Sprintf("catalogue: %s doesn't see %s find its fault", test, entry.check))
			}
		}
	}
	for _, c := range Checks() {
		if !listed[c.ID] {
			complaints = append(complaints, fmt.Sprintf("catalogue: %s has no test that brings its fault about", c.ID))
		}
	}
	for row := 1; row <= lastRow; row++ {
		if !rows[row] {
			complaints = append(complaints, fmt.Sprintf("catalogue: fault %d has no check", row))
		}
	}
	return complaints
}
