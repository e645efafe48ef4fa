package rabbitmq

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	common "github.com/dapr/components-contrib/common/component/rabbitmq"
	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/components-contrib/pubsub"
	kitmd "github.com/dapr/kit/metadata"
	amqp "github.com/rabbitmq/amqp091-go"
)

// dialTimeout bounds a connect, so that an outage is told soon.
const dialTimeout = 5 * time.Second

// settings are what the publisher reads of the component's metadata, with the defaults
// of components-contrib.
// Source: https://docs.dapr.io/reference/components-reference/supported-pubsub/setup-rabbitmq/
type settings struct {
	ConnectionString string         `mapstructure:"connectionString"`
	Host             string         `mapstructure:"host"` // the old name of connectionString
	Protocol         string         `mapstructure:"protocol"`
	Hostname         string         `mapstructure:"hostname"`
	Username         string         `mapstructure:"username"`
	Password         string         `mapstructure:"password"`
	Durable          bool           `mapstructure:"durable"`
	DeleteWhenUnused bool           `mapstructure:"deletedWhenUnused"`
	DeliveryMode     uint8          `mapstructure:"deliveryMode"`
	ExchangeKind     string         `mapstructure:"exchangeKind"`
	ClientName       string         `mapstructure:"clientName"`
	HeartBeat        time.Duration  `mapstructure:"heartBeat"`
	SaslExternal     bool           `mapstructure:"saslExternal"`
	TTL              *time.Duration `mapstructure:"ttlInSeconds"`
	Queues           string         `mapstructure:"queues"` // ours: TOPIC=QUEUE, comma-separated

	tls    *tls.Config
	queues []queue
}

// A queue keeps what is published to a topic.
type queue struct{ topic, name string }

func parse(properties map[string]string) (settings, error) {
	s := settings{Hostname: "localhost", Durable: true, DeleteWhenUnused: true, ExchangeKind: amqp.ExchangeFanout, HeartBeat: 10 * time.Second}
	if err := kitmd.DecodeMetadata(properties, &s); err != nil {
		return s, fmt.Errorf("rabbitmq pub/sub: %w", err)
	}
	given, err := pubsub.TLS(properties)
	if err != nil {
		return s, fmt.Errorf("rabbitmq pub/sub: %w", err)
	}
	if s.tls, err = pubsub.ConvertTLSPropertiesToTLSConfig(given); err != nil {
		return s, fmt.Errorf("rabbitmq pub/sub: %w", err)
	}
	for pair := range strings.SplitSeq(s.Queues, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		topic, name, ok := strings.Cut(pair, "=")
		if !ok || topic == "" || name == "" {
			return s, fmt.Errorf("rabbitmq pub/sub: queues has %q: must be TOPIC=QUEUE", pair)
		}
		s.queues = append(s.queues, queue{topic, name})
	}
	return s, nil
}

func (s settings) dial() (*amqp.Connection, error) {
	config := amqp.Config{Heartbeat: s.HeartBeat, Locale: "en_US", Dial: amqp.DefaultDial(dialTimeout), TLSClientConfig: s.tls}
	if s.ClientName != "" {
		config.Properties = amqp.Table{"connection_name": s.ClientName}
	}
	if s.SaslExternal {
		config.SASL = []amqp.Authentication{&amqp.ExternalAuth{}}
	}
	return amqp.DialConfig(s.uri(), config)
}

func (s settings) uri() string {
	if given := cmp.Or(s.ConnectionString, s.Host); given != "" {
		return given
	}
	u := url.URL{Scheme: cmp.Or(s.Protocol, "amqp"), Host: s.Hostname}
	switch {
	case s.Password != "":
		u.User = url.UserPassword(s.Username, s.Password)
	case s.Username != "":
		u.User = url.User(s.Username)
	}
	return u.String()
}

// message is what goes to the broker, and its routing key. A lifetime or priority that
// can't be read is left out, as in components-contrib.
func (s settings) message(data []byte, of map[string]string) (routingKey string, m amqp.Publishing) {
	m = amqp.Publishing{ContentType: "text/plain", Body: data, DeliveryMode: s.DeliveryMode}
	if ttl, ok, err := metadata.TryGetTTL(of); err == nil && ok {
		m.Expiration = strconv.FormatInt(ttl.Milliseconds(), 10)
	} else if s.TTL != nil {
		m.Expiration = strconv.FormatInt(s.TTL.Milliseconds(), 10)
	}
	if priority, ok, err := metadata.TryGetPriority(of); err == nil && ok {
		m.Priority = priority
	}
	common.ApplyMetadataToPublishing(of, &m)
	return of["routingKey"], m
}
