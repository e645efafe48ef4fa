// Package notify tells people of their tasks: by log line, webhook, e-mail or on
// the desktop. [Config] says who is told on which channels and when they want
// quiet; a [Fan] delivers.
//
// Guarantees: every delivery ends within its channel's timeout; a channel that
// fails keeps no other from delivering; the receiver can tell a repeat, for a
// notification carries the same key in every attempt; an error says whether another
// attempt may help; no secret and no path of a webhook's URL stands in an error or
// a log line.
//
// It doesn't retry, doesn't remember what was delivered and doesn't know what is
// due: that is its caller's work. A delivery whose answer is lost counts as failed,
// so a person may be told twice, with the same key.
package notify

import "context"

// A Channel delivers notifications. Send returns nil once the receiver has taken
// the notification, and an [*Error] otherwise. It ends soon after its context does.
type Channel interface {
	Send(ctx context.Context, n Notification) error
}
