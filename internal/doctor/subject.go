package doctor

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/store"
)

// A Setting is a value with where it came from.
type Setting struct {
	Value  string
	Source string // as a person would look for it
	Chosen bool   // by a person, rather than a default
}

// Options say what is to be examined.
type Options struct {
	Sources []Source // of Dapr resources
	Foreign bool     // the folders are somebody else's: nothing is expected to run for them

	// Other is the kind of broker where it isn't Kafka: then only Reach asks it, and what
	// Brokers has is just shown.
	Other string
	Reach func(context.Context) error

	Brokers     []string
	BrokersFrom Setting
	Security    kafka.Security // when it is on, serve puts it into the components that aren't somebody else's
	APIURL      Setting
	Database    Setting // a URL or path; may hold a password
	DaprHTTP    Setting // ports
	DaprGRPC    Setting
	APIAddr     string // where the task API would listen
	AppID       Setting
	Pubsub      Setting
	DaprEnabled Setting
	Publishes   bool // through a sidecar
	APIToken    string
	DataDir     string
	ComposeFile string   // "" where there is none
	ScriptDirs  []string // whose *.sh are looked at
	Token       Token

	FindDaprd  func() (string, error)
	LookupEnv  func(string) string
	PathLookup func(string) (string, error) // nil: PATH
	Proc       string                       // "/proc" when empty
	MinFree    uint64                       // bytes under the data folder, 128 MiB when 0
}

// A subject is what the checks share while it is examined.
type subject struct {
	Options
	res   resources
	types typeCatalog

	run    stack.Run // of the stack that runs with the data folder
	runErr error

	api    func() bool // tell what answers
	side   func() bool
	broker func() error

	client *kgo.Client
	meta   stack.Metadata // as of sidecar.reach
	schema store.Schema   // as of database.open
}

func newSubject(ctx context.Context, o Options) (*subject, error) {
	s := &subject{Options: o, res: load(o.Sources), types: knownTypes()}
	s.run, s.runErr = stack.ReadRun(o.DataDir)
	var err error
	if s.client, err = s.newClient(); err != nil {
		return nil, err
	}
	s.api = sync.OnceValue(func() bool {
		status, _ := s.get(ctx, s.APIURL.Value+"/livez")
		return status == http.StatusOK
	})
	s.side = sync.OnceValue(func() bool {
		status, body := s.get(ctx, "http://"+s.sidecarAddr()+"/v1.0/healthz/outbound")
		return status == http.StatusNoContent || strings.Contains(body, "ERR_") || (status == http.StatusUnauthorized && strings.Contains(body, "token"))
	})
	s.broker = sync.OnceValue(func() error {
		if s.Other != "" {
			return s.Reach(ctx)
		}
		return kafka.Reach(ctx, s.client, dialTimeout)
	})
	return s, nil
}

func (s *subject) newClient() (*kgo.Client, error) {
	brokers := s.brokers()
	if s.Other != "" {
		brokers = []string{"127.0.0.1:1"} // it is asked nothing
	}
	return kafka.NewClient(kafka.Options{Brokers: brokers, Timeout: dialTimeout, Security: s.Security})
}

func (s *subject) close() { s.client.Close() }

// get asks for a page; the status is 0 when nobody answers.
func (s *subject) get(ctx context.Context, url string) (status int, body string) {
	return request(ctx, http.MethodGet, url)
}

// ask asks without a look at the page.
func (s *subject) ask(ctx context.Context, method, url string) int {
	status, _ := request(ctx, method, url)
	return status
}

func request(ctx context.Context, method, url string) (status int, body string) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, ""
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(text)
}

func (s *subject) sidecarAddr() string { return "127.0.0.1:" + s.DaprHTTP.Value }

// brokers are those that were named, or that a running stack uses, else those of the
// component files, else the default.
func (s *subject) brokers() []string {
	if s.Other != "" || s.runs() || s.BrokersFrom.Chosen {
		return s.Brokers
	}
	for _, c := range s.kafkas() {
		if value := c.value("brokers"); value != "" && !hasPlaceholder(value) {
			var list []string
			for b := range strings.SplitSeq(value, ",") {
				list = append(list, strings.TrimSpace(b))
			}
			return list
		}
	}
	return s.Brokers
}

// runs tells whether a stack of ours runs with the data folder.
func (s *subject) runs() bool { return s.runErr == nil }
