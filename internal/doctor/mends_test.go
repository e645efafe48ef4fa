package doctor

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A mendFile is testdata/mends.txt: what doctor says that mends a fault, for each
// finding of each test; -update writes it anew for the tests that run.
type mendFile struct {
	sync.Mutex
	want, have map[string][]string // by test: "check: mend"
}

var mends = readMends()

func mendPath() string { return filepath.Join("testdata", "mends.txt") }

func readMends() *mendFile {
	m := &mendFile{want: map[string][]string{}, have: map[string][]string{}}
	text, err := os.ReadFile(mendPath())
	if err != nil {
		return m // every expect says so
	}
	test := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if mend, ok := strings.CutPrefix(line, "\t"); ok {
			m.want[test] = append(m.want[test], mend)
		} else {
			test = line
		}
	}
	return m
}

// unlike are the findings of a report whose mend isn't in the file for the test.
func (m *mendFile) unlike(test string, r Report) []string {
	return slices.DeleteFunc(m.see(test, r), func(line string) bool { return slices.Contains(m.want[test], line) })
}

// see notes and returns what a report has; in place of what differs from run to run
// stands what it is.
func (m *mendFile) see(test string, r Report) []string {
	words := strings.NewReplacer(os.TempDir(), "TEMP")
	process, address, folder := regexp.MustCompile(`\b(kill|pid) \d+`), regexp.MustCompile(`127\.0\.0\.1:\d+`), regexp.MustCompile(`TEMP[^\s:]*/`)
	var list []string
	for _, f := range r.Findings {
		mend := folder.ReplaceAllString(words.Replace(filepath.ToSlash(f.Mend)), "DIR/")
		mend = address.ReplaceAllString(process.ReplaceAllString(mend, "$1 PID"), "127.0.0.1:PORT")
		list = append(list, fmt.Sprintf("%s: %s", f.Check, mend))
	}
	m.Lock()
	defer m.Unlock()
	m.have[test] = append(m.have[test], list...)
	return list
}

// write keeps what is wanted of tests that didn't run.
func (m *mendFile) write() error {
	maps.Copy(m.want, m.have)
	var b strings.Builder
	for _, test := range slices.Sorted(maps.Keys(m.want)) {
		if lines := m.want[test]; len(lines) > 0 {
			slices.Sort(lines)
			fmt.Fprintf(&b, "%s\n\t%s\n", test, strings.Join(slices.Compact(lines), "\n\t"))
		}
	}
	return os.WriteFile(mendPath(), []byte(b.String()), 0o644)
}
