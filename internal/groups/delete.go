package groups

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Delete forgets the group with all its committed offsets. The errors are those of
// CheckIdle.
func Delete(ctx context.Context, cl *kgo.Client, name string) error {
	adm := kadm.NewClient(cl)
	g, err := readIdle(ctx, adm, name)
	if err != nil {
		return err
	}
	switch _, err := adm.DeleteGroup(ctx, name); {
	case errors.Is(err, kerr.NonEmptyGroup):
		g.State = "changing"
		return &LiveError{Group: g}
	case err != nil:
		return fmt.Errorf("delete group %q: %w", name, err)
	}
	return nil
}
