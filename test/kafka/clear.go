package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Clear deletes all topics and consumer groups, and returns when they are gone.
// Groups whose members have just left are waited for.
func (c *Cluster) Clear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.DisableClientMetrics(), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	return until(ctx, func() error { return clearOnce(ctx, adm) }, c.failed)
}

// clearOnce deletes what there is; nil means that there was nothing.
func clearOnce(ctx context.Context, adm *kadm.Client) error {
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return err
	}
	groups, err := adm.ListGroups(ctx)
	if err != nil {
		return err
	}
	var errs []error
	if names := topics.Names(); len(names) > 0 {
		_, err := adm.DeleteTopics(ctx, names...)
		errs = append(errs, fmt.Errorf("there were the topics %s", strings.Join(names, ", ")), err)
	}
	if names := groups.Groups(); len(names) > 0 {
		deleted, err := adm.DeleteGroups(ctx, names...)
		errs = append(errs, fmt.Errorf("there were the groups %s", strings.Join(names, ", ")), err)
		for _, d := range deleted {
			if !errors.Is(d.Err, kerr.GroupIDNotFound) {
				errs = append(errs, d.Err)
			}
		}
	}
	return errors.Join(errs...)
}
