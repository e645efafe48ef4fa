//go:build unix

package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The whole program asks the cluster no more than it must.
func TestTopicsSetupRequests(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	var mu sync.Mutex
	var seen []string
	cluster.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		if name := kmsg.NameForKey(req.Key()); name != "ApiVersions" {
			seen = append(seen, name)
		}
		return nil, nil, false
	})
	for _, c := range []struct {
		command string
		want    []string
	}{
		{"setup", []string{"Metadata", "Metadata", "CreateTopics", "Metadata"}},
		{"setup", []string{"Metadata", "DescribeConfigs"}},
		{"plan", []string{"Metadata", "DescribeConfigs"}},
		{"verify", []string{"Metadata", "DescribeConfigs"}},
	} {
		var stderr bytes.Buffer
		args := []string{"topics", c.command, "--brokers", cluster.ListenAddrs()[0]}
		if code := run(t.Context(), args, strings.NewReader(""), &bytes.Buffer{}, &stderr, nil); code != 0 {
			t.Fatalf("%s: code %d: %s", c.command, code, stderr.String())
		}
		mu.Lock()
		if diff := cmp.Diff(c.want, seen); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.command, diff)
		}
		seen = nil
		mu.Unlock()
	}
}
