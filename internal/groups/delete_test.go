package groups_test

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/groups"
)

func TestDelete(t *testing.T) {
	c, cl := cluster(t, 1)
	commit(t, cl, "g", "t", map[int32]int64{0: 0})
	commit(t, cl, "other", "t", map[int32]int64{0: 0})

	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DeleteGroups}, Err: kerr.NonEmptyGroup}) // a member came after the check
	var live *groups.LiveError
	if err := groups.Delete(t.Context(), cl, "g"); !errors.As(err, &live) {
		t.Errorf("got %v", err)
	}
	if err := groups.Delete(t.Context(), cl, "g"); err != nil {
		t.Fatal(err)
	}
	var unknown *groups.UnknownGroupError
	if err := groups.Delete(t.Context(), cl, "g"); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	names, err := groups.Names(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, names, []string{"other"})
}
