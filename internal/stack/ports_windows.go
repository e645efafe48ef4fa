package stack

import (
	"errors"

	"golang.org/x/sys/windows"
)

// portTaken counts in the ports that Windows reserves for itself (error 10013).
func portTaken(err error) bool {
	return errors.Is(err, windows.WSAEADDRINUSE) || errors.Is(err, windows.WSAEACCES)
}
