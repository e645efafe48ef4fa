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
		"Dapr's quickstarts: publish and subscribe, as dapr init makes it": {
			"pubsub.yaml":       "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: orderpubsub\nspec:\n  type: pubsub.redis\n  version: v1\n  metadata:\n  - name: redisHost\n    value: localhost:6379\n  - name: redisPassword\n    value: \"\"\n",
			"statestore.yaml":   "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: statestore\nspec:\n  type: state.redis\n  version: v1\n  initTimeout: 1m\n  metadata:\n  - name: redisHost\n    value: localhost:6379\n  - name: actorStateStore\n    value: \"true\"\n",
			"subscription.yaml": "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata:\n  name: order\nspec:\n  topic: orders\n  routes:\n    rules:\n      - match: event.type == \"widget\"\n        path: /widgets\n    default: /orders\n  pubsubname: orderpubsub\nscopes:\n- orderprocessing\n- checkout\n",
			"config.yaml":       "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata:\n  name: daprConfig\nspec:\n  tracing:\n    samplingRate: \"1\"\n    zipkin:\n      endpointAddress: http://localhost:9411/api/v2/spans\n",
			"local.yaml":        comp("localsecretstore", "secretstores.local.file", "secretsFile", "../secrets.json", "nestedSeparator", `":"`),
			"httpendpoint.yaml": "apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata:\n  name: github\nspec:\n  baseUrl: https://api.github.com\n  headers:\n  - name: Accept\n    value: application/json\nscopes: [checkout]\n",
		},
		"Kafka with SASL and secrets of a store": {
			"kafka.yaml": "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: kafka-pubsub\n  namespace: production\nspec:\n  type: pubsub.kafka\n  version: v1\n  metadata:\n  - name: brokers # Required\n    value: \"b1.example.com:9093,b2.example.com:9093\"\n  - name: consumerGroup\n    value: \"{namespace}\"\n  - name: consumerID\n    value: \"channel1\"\n  - name: authType\n    value: \"password\"\n  - name: saslUsername\n    value: \"adminuser\"\n  - name: saslPassword\n    secretKeyRef:\n      name: kafka-secrets\n      key: saslPasswordSecret\n  - name: saslMechanism\n    value: \"SHA-512\"\n  - name: maxMessageBytes\n    value: 1024\n  - name: caCert\n    secretKeyRef:\n      name: kafka-tls\n      key: caCert\n  - name: disableTls\n    value: \"false\"\n  - name: schemaRegistryURL\n    value: http://localhost:8081\n  - name: clientConnectionTopicMetadataRefreshInterval\n    value: 8m\nauth:\n  secretStore: vault\n",
			"vault.yaml": "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: vault\nspec:\n  type: secretstores.hashicorp.vault\n  version: v1\n  metadata:\n  - name: vaultAddr\n    value: \"https://127.0.0.1:8200\"\n  - name: skipVerify\n    value: true\n  - name: vaultTokenMountPath\n    value: \"/run/token\"\n",
		},
		"Kafka with OIDC, certificates and IAM": {
			"oidc.yaml": comp("a", "pubsub.kafka", "brokers", "h:9093", "authType", "oidc", "oidcTokenEndpoint", "https://i.example.com/token", "oidcClientID", "x", "oidcClientSecret", "y", "oidcScopes", `"openid,kafka-dev"`) + "---\n" +
				comp("b", "pubsub.kafka", "brokers", "h:9093", "authType", "certificate") + "    - name: caCert\n      secretKeyRef: {name: t, key: ca}\n    - name: clientCert\n      secretKeyRef: {name: t, key: crt}\n    - name: clientKey\n      secretKeyRef: {name: t, key: key}\nauth: {secretStore: env}\n---\n" +
				comp("c", "pubsub.kafka", "brokers", "h:9098", "authType", "awsiam", "region", "us-west-1") + "---\n" +
				comp("d", "pubsub.kafka", "brokers", "h:9092", "authType", "mtls") + "    - name: clientCert\n      envRef: CRT\n    - name: clientKey\n      envRef: KEY\n    - name: caCert\n      envRef: CA\n---\n" + comp("env", "secretstores.local.env"),
		},
		"resiliency of the documentation, with Kafka": {
			"kafka.yaml":      comp("kafka", "pubsub.kafka", "brokers", "localhost:9092", "authType", "none") + "---\n" + comp("statestore1", "state.in-memory"),
			"sub.yaml":        "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata:\n  name: myevent\nspec:\n  pubsubname: kafka\n  topic: deathStarStatus\n  deadLetterTopic: poisonMessages\n  routes:\n    default: /dsstatus\nscopes:\n- app1\n- app2\n",
			"resiliency.yaml": "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: myresiliency\nscopes:\n  - app1\n  - app2\nspec:\n  policies:\n    timeouts:\n      general: 5s\n      important: 60s\n      largeResponse: 10s\n    retries:\n      pubsubRetry:\n        policy: constant\n        duration: 5s\n        maxRetries: 10\n        matching:\n          httpStatusCodes: 500-599\n      retryForever:\n        policy: exponential\n        maxInterval: 15s\n        maxRetries: -1\n      DefaultAppRetryPolicy:\n        policy: constant\n        duration: 5s\n        maxRetries: -1\n    circuitBreakers:\n      simpleCB:\n        maxRequests: 1\n        timeout: 30s\n        trip: consecutiveFailures >= 5\n  targets:\n    apps:\n      appB:\n        timeout: general\n        retry: DefaultAppRetryPolicy\n        circuitBreaker: simpleCB\n    actors:\n      myActorType:\n        timeout: general\n        retry: retryForever\n        circuitBreakerScope: both\n        circuitBreakerCacheSize: 5000\n    components:\n      statestore1:\n        outbound:\n          timeout: general\n          retry: retryForever\n      kafka:\n        outbound:\n          retry: pubsubRetry\n        inbound:\n          timeout: general\n          retry: pubsubRetry\n",
		},
		"many documents and namespaces, for a cluster": {
			"all.yaml": "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n---\n" + comp("orders", "pubsub.kafka", "brokers", "redpanda.redpanda.svc.cluster.local:9093", "authType", `"none"`) + "scopes: [orders, mail]\n---\n" +
				comp("kubernetes", "secretstores.kubernetes") + "---\n" + comp("state", "state.redis", "redisHost", "redis-master:6379") + "    - name: redisPassword\n      secretKeyRef:\n        name: redis\n        key: redis-password\nauth:\n  secretStore: kubernetes\n---\n" +
				"apiVersion: dapr.io/v1alpha1\nkind: Subscription\nmetadata:\n  name: s\n  namespace: shop\nspec:\n  topic: orders\n  route: /orders\n  pubsubname: orders\nscopes:\n- mail\n---\n" +
				"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: mail\n  annotations: {dapr.io/enabled: \"true\", dapr.io/app-id: mail}\n---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: components.dapr.io\nspec:\n  group: dapr.io\n  names: {kind: Component, plural: components}\n...\n",
			"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [all.yaml]\n",
		},
		"other brokers and stores": {
			"all.yaml": comp("nats", "pubsub.jetstream", "natsURL", `"nats://localhost:4222"`, "name", `"n"`, "durableName", `"d"`) + "---\n" + comp("rabbit", "pubsub.rabbitmq", "connectionString", `"amqp://u:p@localhost:5672"`, "exchangeKind", "fanout", "prefetchCount", "10") + "---\n" +
				comp("bus", "pubsub.azure.servicebus.topics", "connectionString", `"Endpoint=sb://x"`) + "---\n" + comp("pulsar", "pubsub.pulsar", "host", `"localhost:6650"`) + "---\n" +
				comp("mqtt", "pubsub.mqtt3", "url", `"tcp://localhost:1883"`) + "---\n" + comp("sqs", "pubsub.aws.snssqs", "accessKey", "a", "secretKey", "b", "region", "us-east-1") + "---\n" +
				comp("pg", "state.postgresql", "connectionString", `"host=localhost user=postgres password=example port=5432 database=d"`) + "---\n" + comp("cosmos", "state.azure.cosmosdb", "url", "https://x", "masterKey", "k", "database", "d", "collection", "c") + "---\n" +
				comp("cfg", "configuration.redis", "redisHost", "localhost:6379", "enableTLS", "false") + "---\n" + comp("lock", "lock.redis", "redisHost", "localhost:6379") + "---\n" + comp("crypto", "crypto.dapr.localstorage", "path", "./keys/") + "---\n" +
				comp("out", "bindings.postgresql", "connectionString", "x", "direction", "output") + "---\n" + comp("mw", "middleware.http.ratelimit", "maxRequestsPerSecond", "10") + "---\n" + comp("llm", "conversation.openai", "key", "k", "model", "m"),
		},
		"for a cluster with Strimzi's Kafka": {
			"pubsub.yaml": comp("kafka-pubsub", "pubsub.kafka", "brokers", `"my-cluster-kafka-bootstrap.kafka:9092"`, "consumerGroup", "todo-service", "authType", "none"),
			"state.yaml":  comp("statestore", "state.postgresql") + "  metadata:\n    - name: connectionString\n      secretKeyRef: {name: db, key: url}\n",
			"kube.yaml":   comp("kubernetes-secrets", "secretstores.kubernetes") + "  metadata: []\n",
		},
		"for a cluster, with objects of an operator": {
			"pubsub.yaml": comp("kafka-pubsub", "pubsub.kafka", "brokers", `"kafka:9092"`, "authType", "none") + "---\n" + comp("kube", "secretstores.kubernetes"),
			"kafka.yaml":  "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata:\n  name: my-cluster\nspec: {}\n",
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
