package publish

import (
	"context"
	"fmt"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// DaprOptions says where the sidecar is and what to publish through.
type DaprOptions struct {
	GRPCAddr string        // host:port of the sidecar's gRPC API
	APIToken string        // sent as dapr-api-token when not empty
	PubSub   string        // name of the pubsub component
	Timeout  time.Duration // of one request to the sidecar; 0 is 15 s
}

// Dapr publishes through a Dapr sidecar, over gRPC. It may be used by several
// goroutines at once.
type Dapr struct {
	conn    *grpc.ClientConn
	sidecar sidecar
	pubsub  string
	timeout time.Duration
}

// sidecar is what Dapr needs of the SDK's client.
type sidecar interface {
	PublishEvent(ctx context.Context, pubsub, topic string, data any, opts ...dapr.PublishEventOption) error
	PublishEvents(ctx context.Context, pubsub, topic string, events []any, opts ...dapr.PublishEventsOption) dapr.PublishEventsResponse
}

const (
	// maxCall bounds the payloads of one request: daprd takes 4 MiB of body by
	// default, and the entries' ids and metadata come on top.
	maxCall = 3 << 20

	maxEntry = 16 << 20 // of a single message: larger ones are refused before they are sent
)

// NewDapr prepares a publisher; it connects with the first publish and never
// waits for the sidecar. It silences the logger of the Dapr SDK, which writes to
// stdout and belongs to the whole process: don't call it from two goroutines at
// once.
func NewDapr(o DaprOptions) (*Dapr, error) {
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	conn, err := grpc.NewClient(o.GRPCAddr, dialOptions(o.APIToken)...)
	if err != nil {
		return nil, fmt.Errorf("dapr sidecar at %q: %w", o.GRPCAddr, err)
	}
	dapr.SetLogger(nil)
	return &Dapr{conn: conn, sidecar: dapr.NewClientWithConnection(conn), pubsub: o.PubSub, timeout: o.Timeout}, nil
}

func dialOptions(token string) []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(maxEntry)),
		// gRPC's own backoff grows to two minutes; a sidecar that is back is to be
		// found at once.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		// daprd allows a ping every 8 s. It finds a half-open connection.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
	}
	if token == "" {
		return options
	}
	// The SDK reads the token from the environment alone.
	return append(options, grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoke(metadata.AppendToOutgoingContext(ctx, "dapr-api-token", token), method, req, reply, conn, opts...)
	}))
}

// Close ends the connection; calls under way fail.
func (d *Dapr) Close() error { return d.conn.Close() }
