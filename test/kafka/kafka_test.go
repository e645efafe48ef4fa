package kafka

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What was acknowledged is there after kill -9 and a restart, at the same address,
// and gone when all is cleared.
func TestKillRestartClear(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	c, err := Start(ctx, 1, os.Stderr)
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		logs, err := c.Close(t.Failed())
		if err != nil {
			t.Error(err)
		}
		if logs != "" {
			t.Logf("the nodes' logs are in %s", logs)
		}
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.ConsumeTopics("kept"), kgo.ConsumerGroup("reader"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	adm := kadm.NewClient(client)
	if _, err := adm.CreateTopic(ctx, 1, 1, nil, "kept"); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: "kept", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c.Kill(0)
	if err := c.Restart(ctx, 0); err != nil {
		t.Fatal(err)
	}
	var got []*kgo.Record
	for len(got) == 0 && ctx.Err() == nil { // a fetch may fail of the kill
		got = client.PollFetches(ctx).Records()
	}
	if len(got) != 1 || string(got[0].Value) != "v" {
		t.Errorf("after the restart: %v", got)
	}
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	client.CloseAllowingRebalance()
	if err := c.Clear(ctx); err != nil {
		t.Fatal(err)
	}
}
