package publish

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sidecarModel answers bulk requests with one error, and single ones in turn.
type sidecarModel struct {
	whole error
	each  []error
	calls int
}

func (s *sidecarModel) PublishEvent(context.Context, string, string, any, ...dapr.PublishEventOption) error {
	s.calls++
	return s.each[(s.calls-1)%len(s.each)]
}

func (s *sidecarModel) PublishEvents(_ context.Context, _, _ string, events []any, _ ...dapr.PublishEventsOption) dapr.PublishEventsResponse {
	if s.whole == nil {
		return dapr.PublishEventsResponse{}
	}
	return dapr.PublishEventsResponse{Error: fmt.Errorf("error publishing events: %w", s.whole), FailedEvents: events}
}

func TestDaprLooksForTheReason(t *testing.T) {
	inPart := status.Error(codes.Internal, "error when publishing to topic t in pubsub p: kafka: Failed to deliver 2 messages.")
	noBroker := status.Error(codes.Internal, "kafka: client has run out of available brokers to talk to")
	breaker := status.Error(codes.Internal, "circuit breaker is open")
	large := status.Error(codes.Internal, "kafka server: Message was too large, server rejected it to avoid allocation error")
	noTopic := status.Error(codes.Internal, "kafka server: Request was for a topic or partition that does not exist on this broker")
	gone := status.Error(codes.Unavailable, "connection refused")
	late := status.Error(codes.DeadlineExceeded, "context deadline exceeded")
	const ok, outage, refused, topic = "ok", "outage", "refused", "topic"

	for _, test := range []struct {
		name  string
		whole error
		each  []error
		want  []string // of six messages
		calls int
	}{
		{"all well", nil, nil, nil, 0},
		{"sidecar away", gone, nil, []string{outage, outage, outage, outage, outage, outage}, 0},
		{"sidecar hangs", late, nil, []string{outage, outage, outage, outage, outage, outage}, 0},
		{"well the second time", inPart, []error{nil}, nil, 6},
		{"one too large", inPart, []error{nil, large, nil, nil, nil, nil}, []string{ok, refused, ok, ok, ok, ok}, 6},
		{"one partition away", inPart, []error{nil, noBroker}, []string{ok, outage, ok, outage, ok, outage}, 6},
		{"broker away", inPart, []error{noBroker, breaker, breaker}, []string{outage, outage, outage, outage, outage, outage}, 3},
		{"too large, then broker away", inPart, []error{large, noBroker, noBroker, noBroker}, []string{refused, outage, outage, outage, outage, outage}, 4},
		{"no topic", inPart, []error{noTopic}, []string{topic, topic, topic, topic, topic, topic}, 1},
		{"sidecar dies", inPart, []error{nil, nil, gone}, []string{ok, ok, outage, outage, outage, outage}, 3},
		{"all too large", inPart, []error{large}, []string{refused, refused, refused, refused, refused, refused}, 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &sidecarModel{whole: test.whole, each: test.each}
			d := &Dapr{sidecar: s, pubsub: "p", timeout: time.Minute}
			var got []string
			for _, err := range d.Publish(t.Context(), "t", messages(keys(6)...)) {
				switch {
				case err == nil:
					got = append(got, ok)
				case errors.Is(err, ErrTopicRefused):
					got = append(got, topic)
				case errors.Is(err, ErrRefused):
					got = append(got, refused)
				default:
					got = append(got, outage)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if s.calls != test.calls {
				t.Errorf("%d single calls, want %d", s.calls, test.calls)
			}
		})
	}
}

// Two messages of 2 MB make two calls. What the first one's failure tells holds
// for the second only when it isn't about the message.
func TestDaprStopsAtAnOutage(t *testing.T) {
	large := status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)")
	gone := status.Error(codes.Unavailable, "connection refused")
	for first, calls := range map[error]int{nil: 2, large: 2, gone: 1} {
		s := &sidecarModel{each: []error{first, nil}}
		d := &Dapr{sidecar: s, timeout: time.Minute}
		errs := d.Publish(t.Context(), "t", []Message{sized("1", 2_000_000), sized("2", 2_000_000)})
		if s.calls != calls {
			t.Errorf("after %v: %d calls, want %d", first, s.calls, calls)
		}
		if failed := len(errs) == 2 && errs[1] != nil; failed != errors.Is(first, gone) {
			t.Errorf("after %v: %v", first, errs)
		}
	}
}
