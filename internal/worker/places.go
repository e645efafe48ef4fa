package worker

import "sync"

// maxPlaces is how many attempts are under way at a time, each on one channel.
const maxPlaces = 128

// places bound the attempts that are under way. There are none before open and after
// close.
type places struct {
	mu    sync.Mutex
	free  int
	open  bool
	taken sync.WaitGroup
	freed chan struct{} // holds a value after one was given back
}

func newPlaces() *places { return &places{freed: make(chan struct{}, 1)} }

func (p *places) setUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free, p.open = maxPlaces, true
}

// take takes up to n places.
func (p *places) take(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = min(n, p.free)
	p.free -= n
	p.taken.Add(n)
	return n
}

func (p *places) give(n int) {
	if n == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		p.free += n
	}
	p.taken.Add(-n)
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// close lets nobody take a place any more.
func (p *places) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free, p.open = 0, false
}
