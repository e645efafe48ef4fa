package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/todoctl/todoctl/internal/stack"
)

// environmentChecks are the checks of this machine.
func (s *subject) environmentChecks() []Check {
	return slices.Concat(s.machineChecks(), s.portChecks(), []Check{s.versionsCheck(), s.scriptsCheck(), s.tokenCheck()})
}

func (s *subject) machineChecks() []Check {
	return []Check{
		{
			ID: "environment.running", Severity: Error, Title: "something runs",
			Symptom: "every command says that nothing answers", Cause: "the stack isn't started, or has died",
			Mend: "todoctl dev", After: []string{
				"environment.daprd", "environment.docker", "environment.ports", "environment.orphans", "environment.disk", "environment.aio", "environment.compose-ports", "environment.reserved-ports", "files",
			}, Run: s.checkRunning,
		},
		{
			ID: "environment.api", Severity: Error, Title: "the task API answers where it should",
			Symptom: "`connection refused` from the task API", Cause: "todoctl serve has ended or hangs, or listens on another address",
			Mend: "todoctl serve", After: []string{"environment.running", "environment.ports", "environment.disk", "database", "files"}, Run: s.checkAPI,
		},
		{
			ID: "environment.ports", Severity: Error, Title: "the ports are free, or held by the stack",
			Symptom: "`could not listen on any endpoint`, or answers of some other program", Cause: "another program holds the port",
			Mend: "stop the holder, or take another port", After: []string{"environment.orphans", "broker.tls"}, Run: s.checkPorts,
		},
		{
			ID: "environment.orphans", Severity: Error, Title: "no sidecar is left over from an earlier run",
			Symptom: "ports are taken although nothing runs", Cause: "todoctl was killed and its sidecar lives on",
			Mend: "end it by its id", Fixes: true, Run: s.checkOrphans,
		},
		{
			ID: "environment.docker", Severity: Error, Title: "Docker and its containers run, where the stack uses them",
			Symptom: "`Cannot connect to the Docker daemon`, or a container that isn't healthy", Cause: "Docker isn't started, lacks compose, or a container fails",
			Mend: "start Docker, or do without: todoctl dev", After: []string{"environment.compose-ports"}, Run: s.checkDocker,
		},
		{
			ID: "environment.dapr-enabled", Severity: Warning, Title: "DAPR_ENABLED is true",
			Symptom: "tasks are saved, and no event is published", Cause: "DAPR_ENABLED is not true: events wait in the outbox",
			Mend: "export DAPR_ENABLED=true, and start todoctl anew", Run: s.checkEnabled,
		},
		{
			ID: "environment.aio", Severity: Error, Title: "Redpanda gets its asynchronous I/O",
			Symptom: "`Could not setup Async I/O … aio-max-nr`", Cause: "the kernel's fs.aio-max-nr is used up",
			Mend: "sudo sysctl -w fs.aio-max-nr=1048576", Run: s.checkAIO,
		},
		{
			ID: "environment.disk", Severity: Error, Title: "there is space under the data folder",
			Symptom: "`no space left on device`, or writes that answer 503", Cause: "the disk is full",
			Mend: "free space", Run: s.checkDisk,
		},
		{
			ID: "environment.daprd", Severity: Error, Title: "there is a daprd that runs",
			Symptom: "`no Dapr sidecar (daprd) found`", Cause: "it isn't installed, or can't be run here",
			Mend: "make daprd", Run: s.checkDaprd,
		},
	}
}

// alone tells whether only files and machine are looked at: somebody else's folder,
// and nothing runs.
func (s *subject) alone() bool { return s.Foreign && s.nothing() }

// nothing tells whether nothing at all answers.
func (s *subject) nothing() bool {
	return !s.runs() && !s.api() && !s.side() && s.broker() != nil
}

const nothingRuns = "nothing runs here"

func (s *subject) checkRunning(context.Context) Result {
	died := errors.Is(s.runErr, stack.ErrStaleRun)
	if !s.nothing() || (!died || s.APIURL.Value != "http://"+s.run.APIAddr) && (s.BrokersFrom.Chosen || s.APIURL.Chosen || s.DaprHTTP.Chosen) {
		return Result{}
	}
	if s.Foreign {
		return skipped(nothingRuns)
	}
	if died {
		return found(Finding{
			Message:  fmt.Sprintf("The stack that ran here (pid %d) has died without stopping its parts.", s.run.PID),
			Evidence: facts("at", filepath.Join(s.DataDir, "run.json"), "started", s.run.StartedAt.Format("2006-01-02 15:04:05")),
		})
	}
	return found(Finding{
		Message:  "Nothing runs here: neither a broker nor a sidecar nor the task API answers.",
		Evidence: facts("broker", strings.Join(s.brokers(), ", "), "sidecar", s.sidecarAddr(), "task API", s.APIURL.Value),
		Mend:     "todoctl dev  (or todoctl up, and todoctl serve)",
	})
}

func (s *subject) checkAPI(context.Context) Result {
	switch {
	case s.api():
		return Result{}
	case s.runs(), s.APIURL.Chosen:
		return found(Finding{
			Message: "The task API doesn't answer.", Evidence: facts("address", s.APIURL.Value, "from", s.APIURL.Source, "holder", s.hung()),
			Mend: s.restart(),
		})
	}
	return skipped("no task API runs here")
}

// hung is the todoctl that runs and doesn't answer, "" for none.
func (s *subject) hung() string {
	if !s.runs() {
		return ""
	}
	return fmt.Sprintf("todoctl (pid %d), which runs and doesn't answer", s.run.PID)
}

func (s *subject) restart() string {
	if !s.runs() {
		return "todoctl serve"
	}
	return fmt.Sprintf("kill %d, then start it anew: todoctl dev, or todoctl serve", s.run.PID)
}

// A wantedPort is a port that the stack would open.
type wantedPort struct {
	port   string
	what   string
	option string
	held   func() bool // by the stack itself
}

// wantedPorts are those that the stack would open here.
func (s *subject) wantedPorts() []wantedPort {
	_, api, _ := net.SplitHostPort(s.APIAddr)
	wanted := []wantedPort{
		{api, "the task API", "--api-addr", func() bool { return s.api() || s.side() }},
		{s.DaprHTTP.Value, "the sidecar", "--dapr-http-port", s.side},
		{s.DaprGRPC.Value, "the sidecar's gRPC", "--dapr-grpc-port", s.side},
	}
	if s.BrokersFrom.Chosen {
		return wanted // a broker of others: it may hang, and holds its port all the same
	}
	for _, broker := range s.brokers() {
		if s.Other != "" {
			break // it isn't ours to start
		}
		if host, port, err := net.SplitHostPort(broker); err == nil && (host == "127.0.0.1" || host == "localhost") {
			wanted = append(wanted, wantedPort{port, "the broker", "--broker-addr", func() bool { return s.broker() == nil }})
		}
	}
	return wanted
}

func (s *subject) checkPorts(ctx context.Context) Result {
	if s.runs() || s.Foreign {
		return beside()
	}
	var r Result
	for _, w := range s.wantedPorts() {
		port, err := strconv.Atoi(w.port)
		if err != nil || port == 0 || w.held() || !listens(ctx, port) {
			continue
		}
		pid, program := stack.PortHolder(port)
		who, mend := "another program", "stop it"
		if pid != 0 {
			who, mend = fmt.Sprintf("%s (pid %d)", program, pid), fmt.Sprintf("stop it (kill %d)", pid)
		}
		r.Findings = append(r.Findings, Finding{
			Message:  fmt.Sprintf("Port %d, for %s, is held by %s, which isn't %s.", port, w.what, who, w.what),
			Evidence: facts("port", w.port, "holder", who),
			Mend:     fmt.Sprintf("%s, or take another port with %s", mend, w.option),
		})
	}
	return r
}

// listens tells whether anybody takes connections on a port of this machine. To open
// it ourselves would get in the way of who is about to.
func listens(ctx context.Context, port int) bool {
	return dial(ctx, fmt.Sprintf("127.0.0.1:%d", port)) == nil
}

type leftoverFix struct{ stack.Leftover }

// Diff names the process.
func (f leftoverFix) Diff() string {
	return fmt.Sprintf("- sidecar %s, pid %d, left over from an earlier run", f.AppID, f.PID)
}

// Apply ends it.
func (f leftoverFix) Apply(context.Context) error { return f.End() }

func (s *subject) checkOrphans(context.Context) Result {
	var r Result
	for _, l := range stack.FindLeftovers(filepath.Join(s.DataDir, "sidecar")) {
		r.Findings = append(r.Findings, Finding{
			Message:  fmt.Sprintf("A sidecar of an earlier run is still there (pid %d), and the todoctl that started it is gone.", l.PID),
			Evidence: facts("holder", fmt.Sprintf("daprd (pid %d)", l.PID), "app id", l.AppID, "parent", fmt.Sprintf("pid %d, gone", l.ParentPID)),
			Mend:     fmt.Sprintf("kill %d", l.PID), Fix: leftoverFix{l},
		})
	}
	return r
}

func (s *subject) checkDocker(ctx context.Context) Result {
	if s.ComposeFile == "" || s.runs() || s.Foreign || s.BrokersFrom.Chosen {
		return beside()
	}
	list, err := stack.Containers(ctx, s.PathLookup, s.ComposeFile)
	switch {
	case errors.Is(err, stack.ErrNoDocker), err != nil && s.broker() == nil:
		return beside()
	case errors.Is(err, stack.ErrNoCompose):
		return found(Finding{Message: "Docker has no compose plugin.", Evidence: facts("file", s.ComposeFile), Mend: "install docker-compose-plugin, or do without: todoctl dev"})
	case errors.Is(err, stack.ErrDockerDenied):
		return found(Finding{Message: "Docker is installed, and this user may not speak to the Docker daemon.", Evidence: facts("file", s.ComposeFile), Mend: "sudo usermod -aG docker $USER, and log in again; or do without: todoctl dev"})
	case err != nil:
		return found(Finding{Message: "Docker is installed and not running: " + err.Error() + ".", Evidence: facts("file", s.ComposeFile)})
	}
	var r Result
	for _, c := range list {
		if c.State != "running" || c.Health == "unhealthy" {
			state := c.State
			if c.Health == "unhealthy" {
				state = c.Health
			}
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("The container of %s is %s.", c.Service, state),
				Evidence: facts("service", c.Service, "state", c.State, "health", c.Health, "exit code", strconv.Itoa(c.Exit)),
				Mend:     fmt.Sprintf("docker compose logs %s, then todoctl up", c.Service),
			})
		}
	}
	return r
}

func (s *subject) checkEnabled(context.Context) Result {
	if s.runs() {
		if v, set := stack.ProcessEnv(s.run.PID, "DAPR_ENABLED"); set && v != "" && !isTrue(v) {
			return found(Finding{
				Message:  fmt.Sprintf("The running todoctl (pid %d) has DAPR_ENABLED=%s, so events wait in the outbox.", s.run.PID, v),
				Evidence: facts("found", v, "wanted", "true", "holder", fmt.Sprintf("pid %d", s.run.PID)),
			})
		}
		return Result{}
	}
	if !isTrue(s.DaprEnabled.Value) {
		return found(Finding{
			Message:  "DAPR_ENABLED is not true, so events would wait in the outbox.",
			Evidence: facts("found", s.DaprEnabled.Value, "wanted", "true", "from", s.DaprEnabled.Source),
		})
	}
	return Result{}
}

func isTrue(v string) bool { return strings.EqualFold(v, "true") || v == "1" }

// redpandaAIO is what Redpanda asks for on one core, and a little more.
const redpandaAIO = 11_000

func (s *subject) checkAIO(context.Context) Result {
	if runtime.GOOS != "linux" || s.ComposeFile == "" || s.runs() || s.Foreign || s.broker() == nil {
		return beside()
	}
	text, err := os.ReadFile(s.ComposeFile)
	if err != nil || !strings.Contains(string(text), "redpanda") {
		return beside()
	}
	most, used := s.procNumber("sys/fs/aio-max-nr"), s.procNumber("sys/fs/aio-nr")
	if most < 0 || most-used >= redpandaAIO {
		return Result{}
	}
	return found(Finding{
		Message:  fmt.Sprintf("Of fs.aio-max-nr = %d, %d are taken, and Redpanda needs %d.", most, used, redpandaAIO),
		Evidence: facts("found", strconv.Itoa(most), "wanted", "1048576"),
	})
}

// procNumber is a number of /proc, -1 when it can't be read.
func (s *subject) procNumber(path string) int {
	root := s.Proc
	if root == "" {
		root = "/proc"
	}
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return -1
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return -1
	}
	return n
}

// minFree is the space below which databases and brokers begin to fail.
const minFree = 128 << 20

func (s *subject) checkDisk(context.Context) Result {
	dir := s.DataDir
	for {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return beside()
	}
	bytes, err := freeBytes(dir)
	least := uint64(minFree)
	if s.MinFree > 0 {
		least = s.MinFree
	}
	if err != nil || bytes >= least {
		return Result{}
	}
	return found(Finding{
		Message:  fmt.Sprintf("Only %d MiB are free under the data folder.", bytes>>20),
		Evidence: facts("folder", dir, "free", fmt.Sprintf("%d MiB", bytes>>20), "wanted", fmt.Sprintf("%d MiB", least>>20)),
		Mend:     "free space on the disk of " + dir,
	})
}

func (s *subject) checkDaprd(ctx context.Context) Result {
	if s.Foreign || s.side() || !s.Publishes || s.runs() {
		return beside()
	}
	path, err := s.FindDaprd()
	if err != nil {
		f := Finding{Message: "There is no daprd: " + err.Error() + ".", Mend: "make daprd, or dapr init --slim"}
		if listens(ctx, 6379) {
			f.Message += " Plain 'dapr init' would fail, since port 6379, where it puts its Redis, is taken."
		}
		return found(f)
	}
	if _, err := stack.DaprdVersion(ctx, path); err != nil && ctx.Err() == nil {
		return found(Finding{Message: "The daprd can't be run: " + err.Error() + ".", Evidence: facts("file", path)})
	}
	return Result{}
}
