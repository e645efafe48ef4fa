// Package kafka reads and writes the records of topics: it makes clients whose
// waits are bounded, resolves the offset grammar of the command line, tails
// partitions directly or in a consumer group, filters records, formats them
// losslessly, and produces to the same partitions as Dapr does.
//
// Guarantees: the order of a partition's records is never changed; a topic that
// doesn't exist is an error at once and is never created by reading it; nothing of
// a record reaches a text line unescaped, so a record can't steer a terminal.
//
// It doesn't know what a record is about: CloudEvents are unwrapped, tasks are not.
// Only a Filter looks for a task's id in them.
package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DefaultTimeout bounds a dial, and a request with all its retries.
const DefaultTimeout = 5 * time.Second

// Options say how to reach a cluster.
type Options struct {
	Brokers  []string      // host:port; at least one
	ClientID string        // "todoctl" when empty
	Timeout  time.Duration // DefaultTimeout when 0
	Security Security      // TLS and the login
}

// NewClient makes a client that connects when it is first used. A request fails
// within about o.Timeout, franz-go's long retries notwithstanding; a consumer goes
// on trying for as long as it is polled. Keys land on the partitions that Dapr
// would choose, and a produced record is acknowledged by all in-sync replicas.
// It can't be used for transactions. The extra options win over these.
func NewClient(o Options, extra ...kgo.Opt) (*kgo.Client, error) {
	if len(o.Brokers) == 0 {
		return nil, errors.New("no Kafka broker is named; name one with --brokers")
	}
	secure, err := o.Security.clientOpts()
	if err != nil {
		return nil, err
	}
	timeout := cmp.Or(o.Timeout, DefaultTimeout)
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.Brokers...),
		kgo.ClientID(cmp.Or(o.ClientID, "todoctl")),
		kgo.DialTimeout(timeout),
		kgo.RequestTimeoutOverhead(timeout),
		kgo.RetryTimeout(timeout),
		kgo.RetryBackoffFn(backoff),
		kgo.MetadataMinAge(time.Second),
		kgo.DisableClientMetrics(),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(partitioner()),
		kgo.AllowIdempotentProduceCancellation(), // else Produce couldn't give up on a broker that is gone
	}
	cl, err := kgo.NewClient(slices.Concat(opts, secure, extra)...)
	if err != nil {
		return nil, fmt.Errorf("make Kafka client: %w", err)
	}
	return cl, nil
}

// backoff is capped low: a tail should be back soon after its broker is.
func backoff(fails int) time.Duration {
	return min(100*time.Millisecond<<min(max(fails-1, 0), 10), time.Second)
}

// Reach returns nil as soon as one of the client's seed brokers answers and has let
// the client in. Within wait, or DefaultTimeout when wait is 0, it gives up with an
// error of one line that names the addresses, why they don't answer, and what to do:
// an *UnreachableError or, when a broker is there, an *AccessError, for which it may
// take half of DefaultTimeout more.
func Reach(ctx context.Context, cl *kgo.Client, wait time.Duration) error {
	wait = cmp.Or(wait, DefaultTimeout)
	probe, cancel := context.WithTimeout(ctx, wait)
	defer cancel()

	seeds := cl.SeedBrokers()
	errs := make([]error, len(seeds))
	answered := make(chan int, len(seeds))
	for i, seed := range seeds {
		go func() {
			req := kmsg.NewPtrMetadataRequest() // the least that a broker answers only to those it lets in
			req.Topics = []kmsg.MetadataRequestTopic{}
			_, errs[i] = seed.Request(probe, req)
			answered <- i
		}()
	}
	var failed error
	reached := false
	for range seeds {
		if err := errs[<-answered]; err == nil {
			reached = true
			cancel()
		} else if !reached {
			failed = err
		}
	}
	if reached {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	addrs, in := seedAddrs(cl), entryOf(cl)
	for i, err := range errs {
		if refused := in.refusal(ctx, addrs[i], err); refused != nil {
			return refused
		}
	}
	return &UnreachableError{Brokers: addrs, Wait: wait, Err: failed}
}

// An UnreachableError says that no broker answers.
type UnreachableError struct {
	Brokers []string
	Wait    time.Duration
	Err     error // of the last broker tried
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no Kafka broker answers at %s: %s; start one with 'todoctl dev', or name another with --brokers",
		strings.Join(e.Brokers, ", "), dialReason(e.Err, e.Wait))
}

func (e *UnreachableError) Unwrap() error { return e.Err }

func clientTimeout(cl *kgo.Client) time.Duration {
	timeout, _ := cl.OptValue(kgo.DialTimeout).(time.Duration)
	return cmp.Or(timeout, DefaultTimeout)
}

func seedAddrs(cl *kgo.Client) []string {
	addrs, _ := cl.OptValue(kgo.SeedBrokers).([]string)
	return addrs
}

// dialReason is err without the layers that a person doesn't need.
func dialReason(err error, wait time.Duration) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fmt.Sprintf("no such host %q", dns.Name)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Sprintf("no answer within %v", wait)
	}
	return err.Error()
}
