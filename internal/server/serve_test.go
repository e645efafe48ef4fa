package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A pipes is a Listener without a network, whose connections synctest can see
// waiting.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

// dial fails when nobody listens any more.
func (p *pipes) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// request connects, sends a GET and waits until it is under way.
func (p *pipes) request(t *testing.T) net.Conn {
	t.Helper()
	conn, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return conn
}

// A served is a running Serve.
type served struct {
	*pipes
	stop   context.CancelFunc
	result chan error
}

func start(t *testing.T, h http.Handler, o ServeOptions) *served {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &served{newPipes(), stop, make(chan error, 1)}
	go func() { s.result <- Serve(ctx, s.pipes, h, o) }()
	return s
}

// exchange sends text and returns all that comes back until the connection ends,
// and how long that took.
func (s *served) exchange(t *testing.T, text string) (string, time.Duration) {
	t.Helper()
	began := time.Now()
	conn, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer conn.Close()
	// The server may hang up before it has read all of it.
	wg.Go(func() { _, _ = io.WriteString(conn, text) })
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(got), time.Since(began)
}

func TestServeBoundsEveryWait(t *testing.T) {
	for _, c := range []struct {
		name, sent, answer string
		took               time.Duration
	}{
		{"nothing sent", "", "", headerTimeout},
		{"half a header", "GET /livez HTTP/1.1\r\nHost: a", "", headerTimeout},
		{"half a body", "POST /api/u1/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{", "HTTP/1.1 400 ", readTimeout},
		{"idle", "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", idleTimeout},
		{"large header", "GET /livez HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 2*maxHeader), "HTTP/1.1 431 ", 500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, newAPI(), ServeOptions{})
				got, took := s.exchange(t, c.sent)
				if !strings.HasPrefix(got, c.answer) || c.answer == "" && got != "" || took != c.took {
					t.Errorf("after %s %q, want %q after %s", took, got, c.answer, c.took)
				}
				s.stop()
				if err := <-s.result; err != nil {
					t.Errorf("Serve: %v", err)
				}
			})
		})
	}
}

func TestServeFinishesWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-release
			fmt.Fprint(w, "done ", r.Context().Err())
		}), ServeOptions{})
		conn := s.request(t)
		defer conn.Close()
		s.stop()
		synctest.Wait()
		if _, err := s.dial(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a connection after the end: %v", err)
		}
		select {
		case err := <-s.result:
			t.Fatalf("Serve returned %v with a request under way", err)
		default:
		}
		close(release)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); string(body) != "done <nil>" || err != nil {
			t.Errorf("answer %q, %v", body, err)
		}
		if err := <-s.result; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestServeCutsOffAfterTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		s := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended <- r.Context().Err()
		}), ServeOptions{Grace: 3 * time.Second})
		conn := s.request(t)
		defer conn.Close()
		began := time.Now()
		s.stop()
		err := <-s.result
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 3*time.Second {
			t.Errorf("Serve after %s: %v", took, err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the request's context: %v", err)
		}
	})
}

// A handler that lifts the write timeout may answer for as long as it likes.
func TestServeLetsHandlersStream(t *testing.T) {
	for _, lift := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI()
			a.handle("/stream", func(w *response, r *http.Request) error {
				if lift {
					if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
						return err
					}
				}
				select {
				case <-r.Context().Done():
					return r.Context().Err()
				case <-time.After(2 * max(readTimeout, writeTimeout)):
					w.writeText(http.StatusOK, "late")
					return nil
				}
			})
			s := start(t, a, ServeOptions{})
			got, _ := s.exchange(t, "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			if strings.HasSuffix(got, "late") != lift {
				t.Errorf("with the write timeout lifted %v: %q", lift, got)
			}
			s.stop()
			if err := <-s.result; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	l := newPipes()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err := Serve(t.Context(), l, newAPI(), ServeOptions{})
	if !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "serve pipes: ") {
		t.Errorf("Serve: %v", err)
	}
}

// Over real sockets, with what net/http has to say in the log.
func TestServeOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	panics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") })
	go func() {
		result <- Serve(ctx, l, panics, ServeOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if res, err := client.Get("http://" + l.Addr().String()); err == nil {
		res.Body.Close()
		t.Errorf("answered %s", res.Status)
	}
	stop()
	if err := <-result; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if got := log.String(); !strings.Contains(got, `level=WARN msg="connection failed" err="http: panic serving`) {
		t.Errorf("logged %q", got)
	}
}
