package server

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// The bounds of a connection. A handler that streams lifts the write timeout for
// its own request through http.ResponseController; the read timeout is over for
// it once its request is read.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute

	maxHeader = 64 << 10 // bytes; net/http adds some slack
)

// ServeOptions tune Serve; the zero value is good.
type ServeOptions struct {
	Log   *slog.Logger  // for what goes wrong on connections; nil logs nothing
	Grace time.Duration // for requests under way at the end; 0 is ten seconds
}

// Serve answers the listener's connections until ctx ends, then stops accepting
// and waits for the requests under way, Grace at most. It returns nil when all
// of them were answered, and an error when some were cut off (their contexts are
// cancelled then) or the listener failed. It closes the listener.
func Serve(ctx context.Context, l net.Listener, h http.Handler, o ServeOptions) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Second
	}
	// Requests outlive ctx by the grace.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(connLog{o.Log}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), errors.Join(err, srv.Close()))
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(requests, o.Grace)
	defer cancel()
	err := srv.Shutdown(grace)
	if err != nil {
		err = fmt.Errorf("requests cut off after %s: %w", o.Grace, errors.Join(err, srv.Close()))
	}
	if closed := <-served; !errors.Is(closed, http.ErrServerClosed) {
		err = errors.Join(err, closed)
	}
	return err
}

// connLog makes lines of slog from those of net/http.
type connLog struct{ log *slog.Logger }

func (c connLog) Write(line []byte) (int, error) {
	c.log.Warn("connection failed", "err", strings.TrimSpace(string(line)))
	return len(line), nil
}
