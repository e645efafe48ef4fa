package spelling

import "testing"

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "ab", 2}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "bc", 1},
		{"ab", "ba", 2}, {"priorty", "priority", 1}, {"kitten", "sitting", 3},
	} {
		if got, back := Distance(c.a, c.b), Distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("Distance(%q, %q) = %d, and back %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}
