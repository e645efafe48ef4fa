package input

import (
	"context"
	"io"
)

// Until returns a reader of r whose reads end with ctx. It reads ahead. A read of a
// terminal or a pipe can't be called off: the one that is under way when ctx ends is
// left behind, so r is to be read by nobody else.
func Until(ctx context.Context, r io.Reader) io.Reader {
	u := &until{done: ctx.Done(), cause: ctx.Err, blocks: make(chan block, 2)}
	go u.ahead(r)
	return u
}

type until struct {
	done   <-chan struct{}
	cause  func() error
	blocks chan block
	now    block
}

type block struct {
	data []byte
	err  error
}

// ahead reads until there is an error, which is the last block.
func (u *until) ahead(r io.Reader) {
	for {
		data := make([]byte, blockSize)
		n, err := r.Read(data)
		select {
		case u.blocks <- block{data[:n], err}:
		case <-u.done:
			return
		}
		if err != nil {
			return
		}
	}
}

func (u *until) Read(p []byte) (int, error) {
	for len(u.now.data) == 0 && u.now.err == nil {
		if err := u.cause(); err != nil {
			return 0, err
		}
		select {
		case u.now = <-u.blocks:
		case <-u.done:
			return 0, u.cause()
		}
	}
	n := copy(p, u.now.data)
	u.now.data = u.now.data[n:]
	if n == 0 {
		return 0, u.now.err
	}
	return n, nil
}
