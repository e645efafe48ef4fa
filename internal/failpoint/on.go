//go:build failpoint

package failpoint

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// reread is how old the terms of a file may be.
const reread = 20 * time.Millisecond

// current are the points of this process.
//
//nolint:gochecknoglobals // of a build that only the campaign uses
var current = sync.OnceValue(fromEnvironment)

// Hit tells that the caller has come to the point of that name, and does there what
// TODOCTL_FAILPOINT says.
func Hit(name string) error { return current().hit(name) }

// Mutation is the way in which the program is to be wrong, "" for none.
func Mutation() string {
	return os.Getenv("TODOCTL_MUTATION") //nolint:forbidigo // handing it down would put it into every build
}

// A set is the points that do something.
type set struct {
	file string // of the terms; "" when they never change

	mu     sync.Mutex
	text   string // as read last
	fresh  time.Time
	terms  map[string]*term
	random *rand.Rand
}

func fromEnvironment() *set {
	text := os.Getenv("TODOCTL_FAILPOINT")                                      //nolint:forbidigo // see Mutation
	seed, err := strconv.ParseUint(os.Getenv("TODOCTL_FAILPOINT_SEED"), 10, 64) //nolint:forbidigo // see Mutation
	if err != nil {
		seed = 1
	}
	s := &set{random: rand.New(rand.NewPCG(seed, 0))}
	if file, ok := strings.CutPrefix(text, "@"); ok {
		s.file = file
		return s
	}
	s.read(text)
	return s
}

func (s *set) hit(name string) error {
	t := s.due(name)
	if t == nil {
		return nil
	}
	s.tell(name, t)
	switch t.action {
	case "kill":
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill() // what fails here shows: the process lives on
		}
		select {}
	case "pause":
		<-time.After(t.pause)
		return nil
	default:
		return fmt.Errorf("failpoint %s", name)
	}
}

// due counts the hit, and returns the term when it is its turn.
func (s *set) due(name string) *term {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	t := s.terms[name]
	if t == nil {
		return nil
	}
	t.hits++
	if t.oneIn > 0 && s.random.IntN(t.oneIn) == 0 || t.oneIn == 0 && t.hits == t.at {
		return t
	}
	return nil
}

func (s *set) refresh() {
	if s.file == "" || time.Since(s.fresh) < reread {
		return
	}
	s.fresh = time.Now()
	text, err := os.ReadFile(s.file)
	if err != nil || string(text) == s.text {
		return
	}
	s.read(string(text))
}

// read takes over terms. One that can't be read ends the process: a point that is
// misspelt would be one that never fails.
func (s *set) read(text string) {
	terms, err := parse(text)
	if err != nil {
		panic(err)
	}
	s.text, s.terms = text, terms
}

func (s *set) tell(name string, t *term) {
	if s.file == "" {
		return
	}
	log, err := os.OpenFile(s.file+".log", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer log.Close()
	fmt.Fprintf(log, "%s %s\n", name, t.action)
}
