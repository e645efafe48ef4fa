package stack

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// separate keeps Ctrl-C in the console from the child.
func separate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// tie puts the child into a job object that ends with this process, which holds
// its only handle.
func tie(cmd *exec.Cmd) (release func(), err error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("create job object: %w", err)
	}
	defer func() {
		if err != nil {
			_ = windows.CloseHandle(job)
		}
	}()
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if _, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil {
		return nil, fmt.Errorf("limit job object: %w", err)
	}
	child, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", cmd.Process.Pid, err)
	}
	defer windows.CloseHandle(child)
	if err = windows.AssignProcessToJobObject(job, child); err != nil {
		return nil, fmt.Errorf("assign process %d to job: %w", cmd.Process.Pid, err)
	}
	return func() { _ = windows.CloseHandle(job) }, nil
}

// terminate asks through the sidecar's API: Windows has no signal for it.
func (p *process) terminate(ctx context.Context, api Endpoint) error {
	_, err := api.call(ctx, http.MethodPost, "/v1.0/shutdown", "")
	return err
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

func killLeftover(pid int) error {
	h, err := windows.OpenProcess(windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return windows.TerminateProcess(h, 1)
}
