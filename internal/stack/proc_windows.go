package stack

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/windows"
)

// processStart returns a text that, with its pid, tells a process from every
// other: when it was created. os.ErrProcessDone when there is none.
func processStart(pid int) (string, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return "", os.ErrProcessDone
	}
	defer windows.CloseHandle(h)
	if event, err := windows.WaitForSingleObject(h, 0); err == nil && event == windows.WAIT_OBJECT_0 {
		return "", os.ErrProcessDone
	}
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return "", err
	}
	return strconv.FormatInt(created.Nanoseconds(), 10), nil
}

// processArgs isn't needed here: a job object leaves no process behind.
func processArgs(int) (string, error) { return "", errors.ErrUnsupported }
