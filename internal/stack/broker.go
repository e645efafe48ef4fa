package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// defaultPartitions is how many partitions a topic gets that doesn't say.
const defaultPartitions = 3

// BrokerOptions say how to run the embedded broker.
type BrokerOptions struct {
	Listener net.Listener // taken over, see Listen; closed also when the start fails
	// Advertise is the HOST:PORT that clients are told to connect to; "" for the
	// listener's own, which must then be of one host.
	Advertise string
	DataDir   string // made when it isn't there; "" keeps everything in memory
	Log       *slog.Logger
}

// A Broker is franz-go's kfake, run as a development broker: one node that speaks
// the Kafka protocol and keeps one copy of the data. With a DataDir every
// acknowledged record is synced to disk, and topics, records and committed offsets
// survive a crash of this process. There is no replication, no authentication and
// no cleaning of old segments to speak of: it is no broker for production.
// Topics are never created by using them.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	stop    func() // ends WatchSessions and waits for it
}

// StartBroker returns a broker that answers. One DataDir serves one broker at a
// time; the caller sees to that, see Lock. It lives until Close, also when ctx ends.
func StartBroker(ctx context.Context, opts BrokerOptions) (*Broker, error) {
	b, err := startBroker(ctx, opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start broker: %w", err), closeUnlessClosed(opts.Listener))
	}
	return b, nil
}

func startBroker(ctx context.Context, opts BrokerOptions) (*Broker, error) {
	ln, err := advertise(opts.Listener, opts.Advertise)
	if err != nil {
		return nil, err
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }),
		kfake.DefaultNumPartitions(defaultPartitions),
		kfake.WithLogger(brokerLog{opts.Log}),
	}
	if opts.DataDir != "" {
		if err := checkWritable(opts.DataDir); err != nil {
			return nil, err
		}
		options = append(options, kfake.DataDir(opts.DataDir), kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil && opts.DataDir != "" {
		return nil, fmt.Errorf("the data in %s can't be read: move that folder away to start with an empty broker: %w", opts.DataDir, err)
	}
	if err != nil {
		return nil, err
	}
	return watched(ctx, cluster, ln.Addr().String(), opts.Listener.Addr().String()), nil
}

// watched returns the broker with its sessions watched until it is closed.
func watched(ctx context.Context, cluster *kfake.Cluster, addr, listen string) *Broker {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { WatchSessions(ctx, cluster, listen) })
	return &Broker{cluster: cluster, addr: addr, stop: func() { cancel(); wg.Wait() }}
}

// Addr returns the HOST:PORT that clients are told to connect to.
func (b *Broker) Addr() string { return b.addr }

// Close saves what is in memory and stops the broker. Safe to call twice.
func (b *Broker) Close() {
	b.stop()
	b.cluster.Close()
}

func closeUnlessClosed(ln net.Listener) error {
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func checkWritable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	probe, err := os.CreateTemp(dir, "write-test-*.tmp")
	if err != nil {
		return fmt.Errorf("data folder %s can't be written to: %w", dir, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// An advertised listener gives out another address than it listens on; kfake tells
// clients what Addr returns.
type advertised struct {
	net.Listener
	addr string
}

func (a advertised) Addr() net.Addr { return stringAddr(a.addr) }

type stringAddr string

func (stringAddr) Network() string  { return "tcp" }
func (a stringAddr) String() string { return string(a) }

func advertise(ln net.Listener, addr string) (net.Listener, error) {
	if addr != "" {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return nil, fmt.Errorf("advertised address: %w", err)
		}
		return advertised{ln, addr}, nil
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return nil, fmt.Errorf("clients can't connect to %s: name the address that they reach the broker at", ln.Addr())
	}
	return ln, nil
}

// brokerLog passes kfake's lines on. Its info lines tell of every request: they
// are debug lines here.
type brokerLog struct{ log *slog.Logger }

func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	var to slog.Level
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	default:
		to = slog.LevelDebug
	}
	passOn(l.log, time.Now(), to, strings.TrimSpace(fmt.Sprintf(format, args...)))
}
