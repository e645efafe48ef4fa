package main

import (
	"github.com/dapr/components-contrib/bindings/cron"
	"github.com/dapr/components-contrib/nameresolution/mdns"
	nrsqlite "github.com/dapr/components-contrib/nameresolution/sqlite"
	pubsubinmemory "github.com/dapr/components-contrib/pubsub/in-memory"
	"github.com/dapr/components-contrib/pubsub/kafka"
	pubsubredis "github.com/dapr/components-contrib/pubsub/redis"
	"github.com/dapr/components-contrib/secretstores/local/env"
	"github.com/dapr/components-contrib/secretstores/local/file"
	stateinmemory "github.com/dapr/components-contrib/state/in-memory"
	postgres "github.com/dapr/components-contrib/state/postgresql/v2"
	stateredis "github.com/dapr/components-contrib/state/redis"
	statesqlite "github.com/dapr/components-contrib/state/sqlite"
	"github.com/dapr/dapr/pkg/components"
	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/dapr/pkg/runtime/registry"
	"github.com/dapr/kit/logger"

	"github.com/todoctl/todoctl/sidecar/rabbitmq"
)

// componentRegistry holds every component this sidecar can load, under the
// names that Dapr's own cmd/daprd/components gives them. A component file of
// another type is refused by the runtime, as by any daprd that lacks it. That of
// RabbitMQ has a publisher of ours, see package rabbitmq.
func componentRegistry(log logger.Logger) *registry.Options {
	pubsubs := pubsub.NewRegistry()
	pubsubs.Logger = log
	pubsubs.RegisterComponent(kafka.NewKafka, "kafka")
	pubsubs.RegisterComponent(pubsubredis.NewRedisStreams, "redis")
	pubsubs.RegisterComponent(rabbitmq.New, "rabbitmq")
	pubsubs.RegisterComponent(pubsubinmemory.New, "in-memory")

	states := state.NewRegistry()
	states.Logger = log
	states.RegisterComponent(stateredis.NewRedisStateStore, "redis")
	states.RegisterComponent(statesqlite.NewSQLiteStateStore, "sqlite", "sqlite3")
	states.RegisterComponent(stateinmemory.NewInMemoryStateStore, "in-memory")
	for _, name := range []string{"postgres", "postgresql"} {
		states.RegisterComponentWithVersions(name, components.Versioning{
			Preferred: components.VersionConstructor{Version: "v2", Constructor: postgres.NewPostgreSQLStateStore},
			Default:   "v2",
		})
	}

	names := nameresolution.NewRegistry()
	names.Logger = log
	names.RegisterComponent(mdns.NewResolver, "mdns")
	names.RegisterComponent(nrsqlite.NewResolver, "sqlite")

	secrets := secretstores.NewRegistry()
	secrets.Logger = log
	secrets.RegisterComponent(env.NewEnvSecretStore, "local.env")
	secrets.RegisterComponent(file.NewLocalSecretStore, "local.file")

	inputs := bindings.NewRegistry()
	inputs.Logger = log
	inputs.RegisterInputBinding(cron.NewCron, "cron")

	return registry.NewOptions().
		WithPubSubs(pubsubs).
		WithStateStores(states).
		WithNameResolutions(names).
		WithSecretStores(secrets).
		WithBindings(inputs)
}
