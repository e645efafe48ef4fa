//go:build unix

package faults

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A weather is how a proxy treats what passes through it.
type weather int

const (
	fair    weather = iota
	slow            // every piece comes late
	cut             // connections break, new ones too
	dead            // connections stay and carry nothing: half-open
	swallow         // only what the server says is lost
)

// A proxy is a TCP connection's middle that can go bad.
type proxy struct {
	listener net.Listener

	mu      sync.Mutex
	target  string
	weather weather
	delay   time.Duration // of slow
	links   map[*link]struct{}
	serving sync.WaitGroup
}

// A link is one connection through a proxy.
type link struct {
	client, server net.Conn
	lossy          bool // something was lost: it can't go on
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, links: map[*link]struct{}{}}
	p.serving.Go(p.serve)
	t.Cleanup(func() {
		l.Close()
		p.set(cut, 0)
		p.serving.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// set changes the weather. Connections that lost something break when it is fair
// again.
func (p *proxy) set(w weather, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather, p.delay = w, delay
	for l := range p.links {
		if w == cut || w == fair && l.lossy {
			l.reset()
		}
	}
}

func (p *proxy) now() (weather, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather, p.delay
}

// lead sends connections elsewhere, those that are open too: they break.
func (p *proxy) lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	for l := range p.links {
		l.reset()
	}
}

func (p *proxy) where() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.join(client) })
	}
}

func (p *proxy) join(client net.Conn) {
	l := &link{client: client, server: client}
	defer l.close()
	if w, _ := p.now(); w == cut {
		l.reset()
		return
	}
	server, err := net.DialTimeout("tcp", p.where(), 5*time.Second)
	if err != nil {
		l.reset()
		return
	}
	l.server = server
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	var pumps sync.WaitGroup
	pumps.Go(func() { p.pump(l, client, server, false) })
	pumps.Go(func() { p.pump(l, server, client, true) })
	pumps.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// pump carries one direction; answers says that it is the server's.
func (p *proxy) pump(l *link, from, to net.Conn, answers bool) {
	defer l.close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		lost, delay := p.pass(l, answers)
		if lost {
			continue
		}
		if delay > 0 {
			<-time.After(delay)
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// pass tells what becomes of a piece. What follows a lost piece is lost too.
func (p *proxy) pass(l *link, answers bool) (lost bool, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.weather {
	case dead:
		l.lossy = true
	case swallow:
		l.lossy = l.lossy || answers
	case slow:
		delay = p.delay
	default:
	}
	return l.lossy && (answers || p.weather != swallow), delay
}

func (l *link) close() {
	l.client.Close()
	l.server.Close()
}

// reset breaks the connection, with RST rather than FIN.
func (l *link) reset() {
	for _, conn := range []net.Conn{l.client, l.server} {
		_ = conn.(*net.TCPConn).SetLinger(0) // it may be closed already
	}
	l.close()
}
