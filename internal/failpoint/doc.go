// Package failpoint lets the fault campaign fail a running todoctl at named points.
// Without the build tag failpoint it does nothing and costs nothing: Hit is an empty
// function that the compiler takes out, with whatever would deal with its error.
//
// With the tag, TODOCTL_FAILPOINT says what happens where:
//
//	before-commit=kill@40 after-ack=error@1/20 before-mark=pause:2s@3
//
// kill ends the process as SIGKILL does, error makes Hit return an error, pause:D
// holds the caller for D. @N is the Nth hit of that point, once; @1/N is one hit in
// N, drawn with TODOCTL_FAILPOINT_SEED. A value @FILE names a file with such terms,
// looked into again and again, so that points can be set while the process runs;
// what happened is appended to FILE.log, a line each. TODOCTL_MUTATION breaks the
// program on purpose, to see whether the campaign finds it.
//
// It knows no points by itself: a name is what its caller says.
package failpoint
