package main

import "context"

// untilReaderGone has no way to know: a follower ends with its next line.
func untilReaderGone(ctx context.Context, _ any) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
