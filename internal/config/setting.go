// Package config knows every setting of todoctl: its default, the variables that
// set it, the file that may hold it, and where the value in use came from. It is
// the only user of viper, and reads no flags and no environment by itself: both
// are handed in.
package config

import "strings"

// A Setting is one value that a user can choose. Its key is the name of the flag,
// the key in the file, and, in capitals after TODOCTL_, the variable.
type Setting struct {
	Key     string
	Default string
	Usage   string
	Env     []string // further variables, such as those of the setup guide; TODOCTL_… comes first
	Secret  bool     // masked wherever it is shown; may hold a password
	Client  bool     // taken from run.json of a running stack before the default
	Switch  bool     // true or false; its flag needs no value
}

// Variables lists the environment variables that set it, the first one set wins.
func (s Setting) Variables() []string {
	own := "TODOCTL_" + strings.ToUpper(strings.ReplaceAll(s.Key, "-", "_"))
	return append([]string{own}, s.Env...)
}

// Brokers lists the keys that say how to come to the brokers.
func Brokers() []string {
	return []string{"brokers", "tls", "tls-ca", "tls-cert", "tls-key", "sasl-mechanism", "sasl-user", "sasl-password-file"}
}

// Settings lists every setting, in the order in which they are shown.
func Settings() []Setting {
	return []Setting{
		{Key: "brokers", Default: "127.0.0.1:19092", Usage: "Kafka bootstrap addresses, comma-separated", Client: true},
		{Key: "tls", Default: "false", Usage: "speak TLS with the brokers; on as well when one of the --tls-… files is given", Switch: true},
		{Key: "tls-ca", Usage: "PEM file with the CA of the brokers' certificates (default the system's)"},
		{Key: "tls-cert", Usage: "PEM file with a client certificate to show to the brokers"},
		{Key: "tls-key", Usage: "PEM file with the key of --tls-cert"},
		{Key: "sasl-mechanism", Usage: "how to log in to the brokers: plain, scram-sha-256 or scram-sha-512"},
		{Key: "sasl-user", Usage: "who logs in to the brokers; the password is in TODOCTL_SASL_PASSWORD or --sasl-password-file"},
		{Key: "sasl-password-file", Usage: "file with the password of --sasl-user"},
		{Key: "sasl-password", Usage: "the password of sasl-user; it has no flag, since others can see command lines", Secret: true},
		{Key: "api-url", Default: "http://127.0.0.1:8001", Usage: "where the task API is", Client: true},
		{Key: "api-addr", Default: "127.0.0.1:8001", Usage: "where the task API listens"},
		{Key: "broker-addr", Default: "127.0.0.1:19092", Usage: "where the embedded broker listens"},
		{Key: "user", Default: "u1", Usage: "the user whose tasks are meant"},
		{Key: "database", Usage: "postgres://… or a SQLite file (default todo.db in the data folder)", Env: []string{"DATABASE_URL"}, Secret: true},
		{Key: "data-dir", Default: ".todoctl", Usage: "folder for what is kept on this machine"},
		{Key: "sidecar", Default: "auto", Usage: "auto, spawn, external or off"},
		{Key: "daprd", Usage: "the sidecar's binary"},
		{Key: "app-id", Default: "todo-backend", Usage: "Dapr's name for the task API"},
		{Key: "pubsub-profile", Default: "kafka", Usage: "the broker behind Dapr: kafka, redis, rabbitmq or in-memory", Client: true},
		{Key: "pubsub", Usage: "the pubsub component to publish to (default pubsub- and the profile)"},
		{Key: "redis-addr", Default: "127.0.0.1:6379", Usage: "where Redis is, for pubsub-profile redis and state stores", Env: []string{"REDIS_HOST"}},
		{Key: "redis-password", Usage: "Redis's password", Env: []string{"REDIS_PASSWORD"}, Secret: true},
		{Key: "rabbitmq-url", Default: "amqp://127.0.0.1:5672/", Usage: "where RabbitMQ is, for pubsub-profile rabbitmq; one with a password only from RABBITMQ_URL or the settings file", Env: []string{"RABBITMQ_URL"}, Secret: true},
		{Key: "publisher", Default: "dapr", Usage: "how events are published: dapr or kafka"},
		{Key: "dapr-enabled", Default: "true", Usage: "publish events; when false they wait in the outbox", Env: []string{"DAPR_ENABLED"}},
		{Key: "dapr-http-port", Default: "3500", Usage: "the sidecar's HTTP port", Env: []string{"DAPR_HTTP_PORT"}, Client: true},
		{Key: "dapr-grpc-port", Default: "50001", Usage: "the sidecar's gRPC port", Env: []string{"DAPR_GRPC_PORT"}, Client: true},
		{Key: "dapr-api-token", Usage: "token for the sidecar's API", Env: []string{"DAPR_API_TOKEN"}, Secret: true},
		{Key: "app-api-token", Usage: "token that the sidecar shows to the app", Env: []string{"APP_API_TOKEN"}, Secret: true},
		{Key: "worker-addr", Default: "127.0.0.1:8002", Usage: "where the reminder worker listens for its sidecar"},
		{Key: "worker-app-id", Default: "todo-reminder-worker", Usage: "Dapr's name for the reminder worker, as in the scopes of its subscriptions"},
		{Key: "worker-dapr-http-port", Default: "3501", Usage: "the HTTP port of the reminder worker's sidecar"},
		{Key: "worker-dapr-grpc-port", Default: "50002", Usage: "the gRPC port of the reminder worker's sidecar"},
		{Key: "metrics-port", Default: "0", Usage: "the sidecar's metrics port, 0 for a free one"},
		{Key: "resources-path", Usage: "folder with Dapr's component files (default dapr-components here, else the built-in ones)"},
		{Key: "dapr-config", Usage: "Dapr's configuration file"},
		{Key: "log-level", Default: "info", Usage: "debug, info, warn or error"},
		{Key: "log-format", Default: "text", Usage: "text or json"},
	}
}
