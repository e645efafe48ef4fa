package status

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/store"
)

// maxPage bounds what is read of an answer, in bytes.
const maxPage = 64 << 10

type apiAnswer struct {
	API
	version string
}

func (r *reader) api(ctx context.Context) apiAnswer {
	a := apiAnswer{API: API{Part: well(), URL: r.APIURL}}
	var health struct {
		Status  string            `json:"status"`
		Version string            `json:"version"`
		Checks  map[string]string `json:"checks"`
	}
	body, err := get(ctx, r.APIURL+"/health")
	if err == nil && json.Unmarshal(body, &health) != nil {
		err = fmt.Errorf("what answers at %s is not the task API", r.APIURL)
	}
	switch {
	case err != nil:
		a.Part = unwell(oneLine(err), "todoctl doctor")
	case health.Status != "ok":
		a.Part = unwell("it is "+health.Status+": database "+health.Checks["database"], "todoctl doctor")
	}
	a.version = health.Version
	return a
}

// get asks for a page, whatever its status.
func get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, dialWords(err)
	}
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, maxPage))
}

// dialWords is an error of a request without the request.
func dialWords(err error) error {
	if wrapped, ok := err.(*url.Error); ok { //nolint:errorlint // http.Client returns no other
		err = wrapped.Err
	}
	if op, ok := err.(*net.OpError); ok { //nolint:errorlint // the outermost layer is meant
		return fmt.Errorf("nothing answers: %w", op.Err)
	}
	return err
}

type sidecarAnswer struct {
	Sidecar
	version string
}

func (r *reader) sidecar(ctx context.Context) sidecarAnswer {
	a := sidecarAnswer{Sidecar: Sidecar{Part: well(), Addr: r.Sidecar.Addr, Off: r.NoSidecar, Components: []stack.Component{}}}
	if r.NoSidecar != "" {
		return a
	}
	err := r.Sidecar.Ready(ctx)
	var metadata stack.Metadata
	if err == nil {
		metadata, err = r.Sidecar.Metadata(ctx)
	}
	if err != nil {
		a.Part = unwell(oneLine(dialWords(err)), "todoctl doctor")
		return a
	}
	a.AppID, a.version = metadata.AppID, metadata.Version
	a.Components = append(a.Components, metadata.Components...)
	if err := stack.CheckPubsub(metadata, r.Pubsub); err != nil {
		a.Part = unwell(err.Error(), "todoctl doctor")
	}
	return a
}

func describe(database string) string { return store.Describe(database) }

func (r *reader) database(ctx context.Context) Database {
	d := Database{Part: well(), Database: describe(r.Database)}
	schema, err := store.ReadSchema(ctx, r.Database)
	if err != nil {
		d.Part = unwell(oneLine(err), "todoctl doctor")
		return d
	}
	d.Schema, d.Known, d.Pending = schema.Version, schema.Known, len(schema.Pending)
	switch {
	case d.Pending > 0:
		d.Part = unwell(fmt.Sprintf("schema version %d, this todoctl needs %d", d.Schema, d.Known), "todoctl migrate up")
	case !schema.UpToDate():
		d.Part = unwell(fmt.Sprintf("a newer todoctl made schema version %d, this one knows %d", d.Schema, d.Known), "todoctl migrate status")
	}
	return d
}

func (r *reader) outbox(ctx context.Context) Outbox {
	o := Outbox{Part: well()}
	db, err := store.OpenExisting(ctx, r.Database, store.Options{})
	if err != nil {
		o.Part = unwell("not known: the database can't be used", "todoctl doctor")
		return o
	}
	defer db.Close() //nolint:errcheck // it was only read
	now := time.Now()
	seen, err := db.Overview(ctx)
	var leader store.Leader
	if err == nil {
		leader, err = db.Leader(ctx)
	}
	if err != nil {
		o.Part = unwell("not known: "+oneLine(err), "todoctl outbox status")
		return o
	}
	o.Pending, o.Parked, o.Leads = seen.Pending, seen.Parked, leader.Leads
	if seen.Oldest != nil {
		o.OldestAge = max(now.Sub(seen.Oldest.Time), 0).Seconds()
	}
	if problems := o.problems(r.MaxAge); len(problems) > 0 {
		o.Part = unwell(strings.Join(problems, "; "), "todoctl outbox status")
	}
	return o
}

func (o Outbox) problems(limit time.Duration) []string {
	var list []string
	if o.Parked > 0 {
		list = append(list, fmt.Sprintf("%d parked", o.Parked))
	}
	if o.OldestAge > limit.Seconds() {
		list = append(list, fmt.Sprintf("the oldest event waits for %.0f s", o.OldestAge))
	}
	if o.Pending > 0 && !o.Leads {
		list = append(list, fmt.Sprintf("%d wait and no relay leads", o.Pending))
	}
	return list
}

func (r *reader) worker(ctx context.Context) Worker {
	w := Worker{Part: well(), Addr: r.WorkerAddr, Off: r.NoWorker}
	if r.NoWorker {
		return w
	}
	_, err := get(ctx, "http://"+r.WorkerAddr+"/livez")
	w.Answers = err == nil
	if err != nil {
		w.Part = unwell("none answers at "+r.WorkerAddr+", and its group has no members", "todoctl worker")
	}
	return w
}
