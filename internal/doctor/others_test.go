package doctor

import "testing"

// Folders as other projects have them, which work as they are: nothing is found.
func TestFoldersOfOthers(t *testing.T) {
	tests := map[string]map[string]string{
		"RabbitMQ, Redis, mail, secrets of a file": {
			"pubsub.yaml": comp("messages", "pubsub.rabbitmq", "host", `"amqp://localhost:5672"`, "durable", `"false"`, "deletedWhenUnused", `"false"`, "autoAck", `"false"`, "reconnectWait", `"0"`, "concurrency", "parallel"),
			"state.yaml":  comp("statestore", "state.redis", "redisHost", "localhost:6379", "redisPassword", `""`, "actorStateStore", `"true"`, "redisUser", "x"),
			"mail.yaml":   comp("mail", "bindings.smtp", "host", "localhost", "port", "4025", "skipTLSVerify", "true") + "    - name: user\n      secretKeyRef:\n        name: smtp.user\n        key: smtp.user\nauth:\n  secretStore: secrets\n",
			"secret.yaml": comp("secrets", "secretstores.local.file", "secretsFile", "./secrets.json", "nestedSeparator", `"."`),
			"cron.yaml":   comp("every", "bindings.cron", "schedule", `"@every 15m"`, "direction", "input"),
			"mqtt.yml":    comp("camera", "bindings.mqtt3", "url", "mqtt://localhost:1883", "topic", "a/b"),
		},
		"Kafka with topic scopes, of another app": {
			"kafka.yaml": comp("orders", "pubsub.kafka", "brokers", "kafka-1:9092,kafka-2:9092", "authType", `"password"`, "saslUsername", "u", "saslMechanism", "SHA-512", "consumerGroup", "g", "clientId", "x",
				"maxMessageBytes", "1048576", "consumeRetryInterval", "200ms", "version", "3.3.0", "publishingScopes", `"app1=topic1"`, "allowedTopics", `"topic1"`, "heartbeatInterval", "5s", "compression", "gzip") +
				"    - name: saslPassword\n      envRef: KAFKA_PASSWORD\nscopes:\n  - app1\n",
			"sub.yaml":        "apiVersion: dapr.io/v1alpha1\nkind: Subscription\nmetadata:\n  name: s\nspec:\n  topic: topic1\n  route: /topic1\n  pubsubname: orders\nscopes:\n  - app1\n",
			"config.yaml":     "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata:\n  name: daprConfig\nspec:\n  tracing:\n    samplingRate: \"1\"\n",
			"mcp.yaml":        "apiVersion: dapr.io/v1alpha1\nkind: MCPServer\nmetadata:\n  name: weather\nspec:\n  endpoint: {}\n",
			"resiliency.yaml": "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: r\nscopes: [app1]\nspec:\n  policies:\n    timeouts: {general: 5s}\n    retries:\n      again: {policy: exponential, maxInterval: 15s, maxRetries: 5}\n    circuitBreakers:\n      cb: {maxRequests: 1, timeout: 30s, trip: consecutiveFailures > 5}\n  targets:\n    apps:\n      other: {timeout: general, retry: again, circuitBreaker: cb}\n    actors:\n      A: {timeout: general}\n    components:\n      orders:\n        outbound: {timeout: general}\n        inbound: {retry: again}\n",
		},
		"for a cluster": {
			"pubsub.yaml":  comp("kafka-pubsub", "pubsub.kafka", "brokers", `"my-kafka.kafka.svc.cluster.local:9092"`, "authType", "none"),
			"state.yaml":   "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: statestore, namespace: default}\nspec:\n  type: state.postgresql\n  version: v1\n  metadata:\n    - name: connectionString\n      secretKeyRef: {name: db, key: url}\n    - name: tableName\n      value: dapr_state\n",
			"secrets.yaml": comp("kubernetes-secrets", "secretstores.kubernetes"),
			"app.yaml":     "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: app}\n",
		},
		"the oldest style": {
			"kafka.yaml":    comp("sample-topic", "bindings.kafka", "brokers", "localhost:9092", "topics", "sample", "consumerGroup", "group1", "publishTopic", "sample", "authRequired", `"false"`),
			"messages.yaml": comp("messagebus", "pubsub.redis", "redisHost", "localhost:6379", "redisPassword", `""`),
			"stores.yaml":   comp("s1", "state.in-memory") + "---\n" + comp("s2", "state.sqlite", "connectionString", "data.db") + "---\n# the end\n",
		},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) { expect(t, examine(t, options(t, folder(t, files)))) })
	}
}
