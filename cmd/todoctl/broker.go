package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
)

// profileOf is the kind of broker behind Dapr.
func profileOf(cfg *config.Config) stack.Profile { return stack.Profile(cfg.Get("pubsub-profile")) }

// checkProfile refuses what a profile can't do in any stack; shared is for API and worker
// on one sidecar.
func checkProfile(cfg *config.Config, shared bool) error {
	profile := profileOf(cfg)
	if profile != stack.Kafka && cfg.Get("publisher") == "kafka" {
		return usagef("--publisher kafka and pubsub-profile %s (from %s): publish through Dapr, or choose the profile kafka", profile, cfg.Source("pubsub-profile"))
	}
	if profile == stack.InMemory && !shared {
		return usagef("pubsub-profile in-memory (from %s): its events don't leave one sidecar, so API and worker need `todoctl dev`; any other profile works here", cfg.Source("pubsub-profile"))
	}
	return nil
}

// brokerAddress is where the broker is, as people are told; without any password.
func brokerAddress(cfg *config.Config, brokers []string) string {
	switch profileOf(cfg) {
	case stack.Redis:
		return cfg.Get("redis-addr")
	case stack.RabbitMQ:
		addr, _ := rabbitAddr(cfg)
		return addr
	case stack.InMemory:
		return "the sidecar's memory"
	default:
		return strings.Join(brokers, ",")
	}
}

// rabbitAddr is the HOST:PORT of RabbitMQ, and whether it speaks TLS.
func rabbitAddr(cfg *config.Config) (addr string, tls bool) {
	u, err := url.Parse(cfg.Get("rabbitmq-url"))
	if err != nil {
		return "", false // the settings are checked by now
	}
	port := map[string]string{"amqp": "5672", "amqps": "5671"}[u.Scheme]
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)), u.Scheme == "amqps"
}

// reachBroker asks whether the broker takes commands.
func reachBroker(ctx context.Context, cfg *config.Config, brokers kafka.Options) error {
	profile := profileOf(cfg)
	switch profile {
	case stack.Redis:
		return profile.Probe(ctx, cfg.Get("redis-addr"), false)
	case stack.RabbitMQ:
		addr, tls := rabbitAddr(cfg)
		return profile.Probe(ctx, addr, tls)
	case stack.InMemory:
		return nil
	default:
		client, err := kafka.NewClient(brokers)
		if err != nil {
			return nil // the settings are at fault, not the broker
		}
		defer client.Close()
		return kafka.Reach(ctx, client, 2*time.Second)
	}
}

// brokerEnviron is what the components take from the sidecar's environment.
func brokerEnviron(cfg *config.Config) []string {
	return []string{"REDIS_PASSWORD=" + cfg.Get("redis-password"), "RABBITMQ_URL=" + cfg.Get("rabbitmq-url")}
}

// onKafka is an error for a command that speaks to Kafka where the stack's broker is
// another: it says what can be done there. --brokers means Kafka in any case.
func onKafka(cmd *cobra.Command, cfg *config.Config) error {
	profile := profileOf(cfg)
	if profile == stack.Kafka || cfg.Source("brokers") == "--brokers" {
		return nil
	}
	name, _ := strings.CutPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
	return usagef("%s needs Kafka, and pubsub-profile is %s (from %s): %s", name, profile, cfg.Source("pubsub-profile"), instead(profile, name))
}

// instead names what shows or does the nearest thing on another broker.
func instead(profile stack.Profile, command string) string {
	of, _, _ := strings.Cut(command, " ")
	switch {
	case command == "events replay":
		return "`todoctl outbox republish --since 1h` sends events again from the database"
	case command == "events publish":
		return "leave out --direct, and they go through the sidecar"
	case command == "events bench":
		return "choose the profile kafka to measure"
	case command == "status", command == "smoke":
		return "`todoctl doctor` looks at the parts, `todoctl outbox status` shows whether events go out"
	case profile == stack.InMemory:
		return "nothing is kept there; `todoctl outbox list` shows what waits"
	}
	ways := map[stack.Profile]map[string]string{
		stack.Redis: {
			"events": "`redis-cli XRANGE task-events - +` shows a stream",
			"topics": "streams are made when they are written to; `redis-cli XINFO STREAM task-events` shows one",
			"groups": "`redis-cli XINFO GROUPS task-events` shows them, with what is pending",
			"dlq":    "`redis-cli XRANGE task-events-dlq - +` shows dead letters, `todoctl events publish` sends one again",
		},
		stack.RabbitMQ: {
			"events": "a queue keeps no history; `rabbitmqctl list_queues name messages consumers` shows what waits",
			"topics": "exchanges and queues are declared by the sidecar; `rabbitmqctl list_bindings` shows them",
			"groups": "`rabbitmqctl list_queues name messages consumers` shows each consumer's queue",
			"dlq":    "dead letters are in the queues task-events-dlq and reminders-dlq; `rabbitmqctl list_queues` counts them, RabbitMQ's management plugin shows them",
		},
	}
	return ways[profile][of]
}

// describeBroker is the broker's line of `dev`.
func describeBroker(cfg *config.Config, brokers []string) string {
	addr := brokerAddress(cfg, brokers)
	switch profile := profileOf(cfg); {
	case profile == stack.InMemory:
		return "none: events stay in the sidecar's memory, for tests only"
	case profile != stack.Kafka:
		return fmt.Sprintf("%s  (%s)", addr, profile)
	case !cfg.Chosen("brokers"):
		return addr + "  (embedded, for development: one node, one copy)"
	default:
		return addr
	}
}
