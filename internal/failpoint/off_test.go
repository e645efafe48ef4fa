//go:build !failpoint

package failpoint

import "testing"

// Whoever sets the variable of a program that isn't built for it gets no failure.
func TestOffDoesNothing(t *testing.T) {
	t.Setenv("TODOCTL_FAILPOINT", "a=error@1")
	if err := Hit("a"); err != nil {
		t.Error(err)
	}
}
