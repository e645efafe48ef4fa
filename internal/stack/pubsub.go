package stack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/todoctl/todoctl/internal/spelling"
)

// CheckPubsub returns an error unless the sidecar has loaded a pub/sub component
// of that name for its app. The error names those it has, the nearest first. Dapr
// itself would answer every publish with ERR_PUBSUB_NOT_FOUND.
func CheckPubsub(m Metadata, name string) error {
	var loaded []string
	for _, c := range m.Components {
		if !strings.HasPrefix(c.Type, "pubsub.") {
			continue
		}
		if c.Name == name {
			return nil
		}
		loaded = append(loaded, c.Name)
	}
	if len(loaded) == 0 {
		return fmt.Errorf("the sidecar has no pub/sub component %q for app id %q, and no other: check its resources path, and the component's scopes", name, m.AppID)
	}
	slices.SortFunc(loaded, func(a, b string) int {
		return cmp.Or(cmp.Compare(spelling.Distance(a, name), spelling.Distance(b, name)), cmp.Compare(a, b))
	})
	return fmt.Errorf("the sidecar has no pub/sub component %q for app id %q; it has %s: use that name (--pubsub), or check the component's scopes",
		name, m.AppID, strings.Join(loaded, ", "))
}
