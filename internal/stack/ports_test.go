package stack

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	taken := localAddr(squat(t))

	ln, note, err := Listen(t.Context(), taken, false)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if !strings.Contains(note, taken) || !strings.Contains(note, "using "+ln.Addr().String()) {
		t.Errorf("note %q doesn't name %s and %s", note, taken, ln.Addr())
	}

	_, _, err = Listen(t.Context(), taken, true)
	wantError(t, err, taken, "is in use by")
	var held *PortError
	if !errors.As(err, &held) {
		t.Fatalf("%T, want *PortError", err)
	}
	if runtime.GOOS == "linux" && (held.PID != os.Getpid() || held.Program == "") {
		t.Errorf("held by %q, pid %d; want this process, pid %d", held.Program, held.PID, os.Getpid())
	}

	_, _, err = Listen(t.Context(), "127.0.0.1:99999", false)
	wantError(t, err, "127.0.0.1:99999")
}

func TestListenFree(t *testing.T) {
	var port int
	if err := fillPorts(t.Context(), &port); err != nil {
		t.Fatal(err)
	}
	ln, note, err := Listen(t.Context(), localAddr(port), false)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if note != "" || ln.Addr().String() != localAddr(port) {
		t.Errorf("got %s, note %q", ln.Addr(), note)
	}
}

func TestPickPort(t *testing.T) {
	taken := squat(t)
	port, note, err := PickPort(t.Context(), taken, false)
	if err != nil {
		t.Fatal(err)
	}
	if port == taken || note == "" {
		t.Errorf("port %d, note %q", port, note)
	}
	ln, err := net.Listen("tcp", localAddr(port))
	if err != nil {
		t.Fatalf("the picked port isn't free: %v", err)
	}
	_ = ln.Close()
	if _, _, err := PickPort(t.Context(), taken, true); err == nil {
		t.Error("an explicit port that is taken was picked")
	}
}

func TestFillPorts(t *testing.T) {
	a, b, c := 0, 4711, 0
	if err := fillPorts(t.Context(), &a, &b, &c); err != nil {
		t.Fatal(err)
	}
	if a == 0 || b != 4711 || c == 0 || a == c {
		t.Errorf("ports %d, %d, %d", a, b, c)
	}
}
