//go:build unix

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	embedded "github.com/todoctl/todoctl/internal/stack"
)

// brokerVariable holds the settings of the broker's process, as JSON.
const brokerVariable = "TODOCTL_FAULTS_BROKER"

// brokerSettings are those of a kfake as stack.StartBroker runs it: one node, on
// disk, every acknowledged record synced. Unlike that one it can be told to fail.
type brokerSettings struct {
	Listen    string // HOST:PORT
	Advertise string // the proxy's HOST:PORT, which clients are sent to
	Control   string // HOST:PORT of its own HTTP server
	Dir       string

	// Rebalance is how long a group waits for members that don't join again, instead of
	// the 60 s that Sarama asks for and Dapr doesn't let us set; 0 leaves those.
	Rebalance time.Duration
}

// runBroker is the process of the broker. It runs until it is killed.
func runBroker(config string) error {
	var s brokerSettings
	if err := json.Unmarshal([]byte(config), &s); err != nil {
		return err
	}
	advertise, err := net.ResolveTCPAddr("tcp", s.Advertise)
	if err != nil {
		return err
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.DataDir(s.Dir), kfake.SyncWrites(), kfake.DefaultNumPartitions(3),
		kfake.ListenFn(func(string, string) (net.Listener, error) {
			l, err := net.Listen("tcp", s.Listen)
			return behindProxy{l, advertise}, err
		}))
	if err != nil {
		return err
	}
	defer cluster.Close()
	if s.Rebalance > 0 {
		shortenRebalances(cluster, s.Rebalance)
	}
	go embedded.WatchSessions(context.Background(), cluster, s.Listen) // until the process is killed
	server := http.Server{Addr: s.Control, Handler: control(cluster), ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

// shortenRebalances changes what members ask for when they join.
func shortenRebalances(cluster *kfake.Cluster, wait time.Duration) {
	cluster.ControlKey(int16(kmsg.JoinGroup), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		request.(*kmsg.JoinGroupRequest).RebalanceTimeoutMillis = int32(wait.Milliseconds())
		return nil, nil, false
	})
}

// A behindProxy listener gives out the proxy's address; kfake tells clients what
// Addr returns.
type behindProxy struct {
	net.Listener
	addr net.Addr
}

func (b behindProxy) Addr() net.Addr { return b.addr }

// control takes orders: POST /fault?error=CODE&count=N&topic=NAME[&metadata=true]
// fails that many produce requests (-1: until DELETE /fault), GET / says that the
// broker runs.
func control(cluster *kfake.Cluster) http.Handler {
	mux := http.NewServeMux()
	var set []*kfake.FaultHandle
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /fault", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.FormValue("error"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		count, err := strconv.Atoi(r.FormValue("count"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		keys := []kmsg.Key{kmsg.Produce}
		if r.FormValue("metadata") != "" {
			keys = append(keys, kmsg.Metadata)
		}
		set = append(set, cluster.Fault(kfake.Fault{
			Keys: keys, Topic: r.FormValue("topic"), Err: kerr.TypedErrorForCode(int16(code)), Count: count,
		}))
	})
	mux.HandleFunc("DELETE /fault", func(w http.ResponseWriter, _ *http.Request) {
		hits := 0
		for _, handle := range set {
			hits += handle.Hits()
			handle.Remove()
		}
		set = nil
		fmt.Fprintf(w, "%d requests", hits)
	})
	return mux
}
