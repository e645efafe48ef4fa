package stack

import (
	"io"
	"os/exec"
	"runtime"
	"time"
)

// A process is a running child with a process group of its own, so that Ctrl-C in
// the terminal doesn't reach it.
type process struct {
	cmd     *exec.Cmd
	release func()        // frees what ties the child to this process
	done    chan struct{} // closed when it has ended and all its output is read
	err     error         // of exec.Cmd.Wait, once done is closed
}

// startProcess starts cmd with both its outputs going to output, which is closed
// when it has ended; Write is called by one goroutine at a time. The child is killed when this process dies, where the
// system has a way to do it (see tie).
func startProcess(cmd *exec.Cmd, output io.WriteCloser) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = output, output // the same value: exec makes one pipe of it
	separate(cmd)
	cmd.WaitDelay = 2 * time.Second
	started := make(chan error, 1)
	go func() {
		// Linux sends the parent-death signal when the thread that forked ends, not
		// the process: this thread stays with the child for as long as it lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		release, err := tie(cmd)
		if err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			started <- err
			return
		}
		p.release = release
		started <- nil
		p.err = cmd.Wait()
		p.release()
		_ = output.Close()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ended reports whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
