//go:build failpoint

package worker

import (
	"context"

	"github.com/todoctl/todoctl/internal/failpoint"
	"github.com/todoctl/todoctl/internal/task"
)

// withMutations makes the worker wrong where TODOCTL_MUTATION says so:
//
//	skip-accept   events are acknowledged, and nothing is owed
//	skip-note     what a channel has is never noted
//	skip-letter   dead letters are noted, and not published
func withMutations(o Options) Options {
	switch failpoint.Mutation() {
	case "skip-accept":
		o.Store = forgetful{o.Store}
	case "skip-note":
		o.Store = unnoting{o.Store}
	case "skip-letter":
		o.Publisher = mute{}
	}
	return o
}

type forgetful struct{ Store }

func (forgetful) Accept(context.Context, string, string, []task.Delivery) ([]task.Delivery, error) {
	return nil, nil
}

type unnoting struct{ Store }

func (unnoting) Delivered(context.Context, task.Delivery) error { return nil }

type mute struct{}

func (mute) Publish(context.Context, string, string, []byte) error { return nil }
