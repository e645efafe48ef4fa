//go:build !failpoint

package publish

// withFailpoints puts nothing around outbox and publisher.
func withFailpoints(o RelayOptions) RelayOptions { return o }
