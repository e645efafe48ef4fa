//go:build !failpoint

package worker

// withMutations changes nothing.
func withMutations(o Options) Options { return o }
