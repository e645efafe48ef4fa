package doctor

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// A proxy stands between doctor and a broker: what comes from the broker waits for
// delay, is cut off after so many bytes, or is swallowed for ever from there on.
type proxy struct {
	delay   time.Duration
	after   int64 // bytes of a connection that come through; 0 for all
	swallow bool
}

// listen is kfake's ListenFn: the broker advertises the proxy's address.
func (p proxy) listen(t *testing.T) func(network, address string) (net.Listener, error) {
	return func(network, address string) (net.Listener, error) {
		broker, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		front, err := net.Listen(network, "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, broker.Close())
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.serve(front, broker.Addr().String())
		}()
		t.Cleanup(func() {
			_ = front.Close()
			<-done
		})
		return advertising{broker, front.Addr()}, nil
	}
}

// serve passes connections on until the listener is closed, and waits for them.
func (p proxy) serve(front net.Listener, broker string) {
	var wg sync.WaitGroup
	defer wg.Wait()
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	for {
		conn, err := front.Accept()
		if err != nil {
			return
		}
		open = append(open, conn)
		behind, err := net.Dial("tcp", broker)
		if err != nil {
			_ = conn.Close()
			continue
		}
		open = append(open, behind)
		wg.Go(func() { _, _ = io.Copy(behind, conn); _ = behind.Close() })
		wg.Go(func() { p.answer(conn, behind) })
	}
}

// answer passes on what the broker says.
func (p proxy) answer(conn, broker net.Conn) {
	var from io.Reader = broker
	if p.after > 0 {
		from = io.LimitReader(broker, p.after)
	}
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if p.delay > 0 {
			<-time.After(p.delay)
		}
		if n > 0 {
			_, _ = conn.Write(buf[:n])
		}
		if err != nil {
			break
		}
	}
	if p.swallow {
		_, _ = io.Copy(io.Discard, broker)
		return
	}
	_ = conn.Close()
}

// A network that is slow is no fault; one that cuts or swallows what a broker says is a
// broker that can't be reached, and nothing is said of topics and groups.
func TestNetwork(t *testing.T) {
	tests := map[string]struct {
		proxy proxy
		want  []string
	}{
		"well":                         {proxy{}, nil},
		"slow":                         {proxy{delay: 20 * time.Millisecond}, nil},
		"11 cut at once":               {proxy{after: 1}, []string{"broker.reach"}},
		"11 half-open from the start":  {proxy{after: 1, swallow: true}, []string{"broker.reach"}},
		"11 slower than anybody waits": {proxy{delay: 3 * time.Second}, []string{"broker.reach"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slow, c, _ := broker(t, "", false, kfake.ListenFn(tt.proxy.listen(t)), kfake.SeedTopics(1, "task-events"))
			slow.Foreign, slow.Brokers = true, c.ListenAddrs() // somebody's broker, with topics of theirs
			r := examine(t, slow)
			expect(t, r, tt.want...)
			if r.Took > 12 {
				t.Errorf("took %.1f s", r.Took)
			}
		})
	}
	t.Run("cut later", func(t *testing.T) { // in the middle: noticed as the broker's, or not checked
		for _, after := range []int64{300, 600, 1200, 2400} {
			for _, swallow := range []bool{false, true} {
				slow, c, _ := broker(t, "", false, kfake.ListenFn(proxy{after: after, swallow: swallow}.listen(t)), kfake.SeedTopics(1, "task-events"))
				slow.Foreign, slow.Brokers = true, c.ListenAddrs()
				r := examine(t, slow)
				if slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Group != "broker" }) {
					t.Errorf("after %d bytes: %v", after, ids(r))
				}
			}
		}
	})
}
