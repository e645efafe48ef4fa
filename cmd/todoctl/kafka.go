package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
)

// brokerFlags are the flags of a command that speaks to the brokers, and of further
// settings.
func brokerFlags(cmd *cobra.Command, more ...string) {
	settingFlags(cmd, append(config.Brokers(), more...)...)
	completeWords(cmd, "sasl-mechanism", kafka.Mechanisms()...)
}

// kafkaOptions are the brokers of the settings, and how to come in there.
func kafkaOptions(cfg *config.Config) (kafka.Options, error) {
	security, err := kafkaSecurity(cfg)
	return kafka.Options{Brokers: cfg.List("brokers"), Security: security}, err
}

// stackBrokers is kafkaOptions for a part of the stack, without addresses where the broker
// isn't Kafka.
func stackBrokers(cfg *config.Config) (kafka.Options, error) {
	options, err := kafkaOptions(cfg)
	if profileOf(cfg) != stack.Kafka {
		options.Brokers = []string{}
	}
	return options, err
}

// clusterOf is the cluster that the settings name.
func clusterOf(ctx context.Context, cfg *config.Config, extra ...kgo.Opt) (*kgo.Client, error) {
	options, err := kafkaOptions(cfg)
	if err != nil {
		return nil, err
	}
	return cluster(ctx, options, extra...)
}

// loadKafka reads the settings for a command that speaks to Kafka itself.
func (a *app) loadKafka(cmd *cobra.Command) (*config.Config, error) {
	cfg, err := a.load(cmd)
	if err != nil {
		return nil, err
	}
	return cfg, onKafka(cmd, cfg)
}

// cluster returns a client of a cluster that answers; the caller closes it.
func cluster(ctx context.Context, o kafka.Options, extra ...kgo.Opt) (*kgo.Client, error) {
	client, err := kafka.NewClient(o, extra...)
	if err != nil {
		return nil, err
	}
	if err := kafka.Reach(ctx, client, 0); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// onCluster runs a command on the cluster that its settings name.
func (a *app) onCluster(cmd *cobra.Command, do func(context.Context, *kgo.Client) error) error {
	cfg, err := a.loadKafka(cmd)
	if err != nil {
		return err
	}
	return onClusterOf(cmd, cfg, do)
}

// onClusterOf is onCluster for a command that reads its other settings too.
func onClusterOf(cmd *cobra.Command, cfg *config.Config, do func(context.Context, *kgo.Client) error) error {
	client, err := clusterOf(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(cmd.Context(), client)
}

// completeTopics offers the names of the cluster's topics.
func (a *app) completeTopics(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completeNames(cmd, func(ctx context.Context, client *kgo.Client) ([]string, error) {
		found, err := kadm.NewClient(client).ListTopics(ctx)
		return found.Names(), err
	})
}

// completeNames offers names that the cluster has, or none if it doesn't answer soon.
func (a *app) completeNames(cmd *cobra.Command, read func(context.Context, *kgo.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	cfg, err := a.loadKafka(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	client, err := clusterOf(ctx, cfg)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer client.Close()
	names, err := read(ctx, client)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
